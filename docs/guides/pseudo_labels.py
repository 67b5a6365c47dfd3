"""Semi-supervised in JAX: pseudo-labels, renewed at every trough, with restarts and with one cosine cycle.

For when few examples have labels. A network trained on 50 labelled digits labels those of 1,200 others of
which it is sure, goes on with them as well, and does so again at the end of each cycle. T_0 counts epochs of
20 updates.

Whether it is the restarts that help only a control can tell: one cosine cycle of the same budget, whose
pseudo-labels are renewed after the same epochs. A third training has no pseudo-labels. Each is trained with
several peaks on the same 16 seeds, which draw the labelled digits, too. Needs the extra `workloads`.

Prints the test errors at the end, and by how much restarts differ from one cosine, with 95 % intervals. Here
pseudo-labels helped, by up to 2 points; restarts changed a third of a point, for the worse at the two lower
peaks and for the better at the highest.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats
from sklearn.datasets import load_digits

import sgdr

STEPS, LABELLED, UNLABELLED, BATCH, SURE = 20, 50, 1200, 60, 0.95


def logits(params, x):
    return jax.nn.relu(x @ params["in"] + params["bias"]) @ params["out"]


def losses(params, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), y)


@jax.jit
@partial(jax.vmap, in_axes=(0, None, None, None, None))
def train(key, images, labels, rates, renewals):
    """The test error after a training with these `rates`, pseudo-labels being renewed after some updates."""
    key, *keys = jax.random.split(key, 4)
    order = jax.random.permutation(keys[0], len(labels))
    x, unlabelled, x_test = jnp.split(images[order], (LABELLED, LABELLED + UNLABELLED))
    y, _, y_test = jnp.split(labels[order], (LABELLED, LABELLED + UNLABELLED))
    params = {
        "in": jax.random.normal(keys[1], (64, 64)) / 8,
        "bias": jnp.zeros(64),
        "out": jax.random.normal(keys[2], (64, 10)) / 8,
    }
    momentum = optax.trace(decay=0.9)

    def labelled_by(params):
        probabilities = jax.nn.softmax(logits(params, unlabelled))
        return probabilities.argmax(1), (probabilities.max(1) > SURE).astype(float)

    def update(state, now):
        params, trace, (guesses, sure) = state
        rate, renew, key = now
        chosen = jax.random.randint(key, BATCH, 0, UNLABELLED)

        def loss(params):
            pseudo = sure[chosen] * losses(params, unlabelled[chosen], guesses[chosen])
            return losses(params, x, y).mean() + pseudo.mean()

        direction, trace = momentum.update(jax.grad(loss)(params), trace)
        params = optax.apply_updates(params, jax.tree.map(lambda d: -rate * d, direction))
        pseudo = jax.lax.cond(renew, lambda: labelled_by(params), lambda: (guesses, sure))
        return (params, trace, pseudo), None

    none_yet = jnp.zeros(UNLABELLED, int), jnp.zeros(UNLABELLED)
    start = params, momentum.init(params), none_yet
    (params, _, _), _ = jax.lax.scan(update, start, (rates, renewals, jax.random.split(key, len(rates))))
    return (logits(params, x_test).argmax(1) != y_test).mean()


def main(T_0=10, budget=70, peaks=(0.03, 0.1, 0.3), seeds=16):
    images, labels = load_digits(return_X_y=True)
    keys = jax.random.split(jax.random.key(0), seeds)
    steps = np.arange(budget * STEPS)
    results = {}
    for peak in peaks:
        restarts = sgdr.WarmRestarts(peak, T_0, T_mult=2).scaled(STEPS)
        one_cosine = sgdr.WarmRestarts(peak, T_0=budget).scaled(STEPS)
        troughs = np.isin(steps + 1, restarts.troughs(budget=len(steps)))
        errors = {
            "restarts": train(keys, images / 16, labels, restarts(steps), troughs),
            "one cosine": train(keys, images / 16, labels, one_cosine(steps), troughs),
            "labels only": train(keys, images / 16, labels, one_cosine(steps), np.zeros_like(troughs)),
        }
        difference = np.asarray(errors["restarts"] - errors["one cosine"])
        mean = difference.mean()
        low, high = stats.t.interval(0.95, seeds - 1, mean, stats.sem(difference))
        print(f"peak {peak}: " + ", ".join(f"{name} {error.mean():.4f}" for name, error in errors.items()))
        print(f"  restarts minus one cosine: {mean:+.4f} ({low:+.4f} to {high:+.4f})")
        results[peak] = {**errors, "difference": (mean, low, high)}
    return results


if __name__ == "__main__":
    main()
