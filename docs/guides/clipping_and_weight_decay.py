"""AdamW with clipped gradients and weight decay, its rate from a schedule: in optax, and in braintools.

For when large gradients are a worry, at the high rate after a restart above all. In optax,
`sgdr.adapters.optax.optimizer` puts the pieces together, and `rate` tells which rate an update had.
braintools has arguments for both, `grad_clip_norm` and `weight_decay`. T_0 counts updates. Needs the extra
`workloads`, and its second half `braintools`: without, it is left out.

Prints the test error on handwritten digits, how many gradients were clipped, and how far apart the weights
of the two libraries are after the same training.
"""

from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import sgdr
from sgdr.adapters.optax import optimizer, rate

BATCH, CLIP, DECAY = 64, 1.0, 1e-4


def logits(params, x):
    return jax.nn.relu(x @ params["in"] + params["bias"]) @ params["out"]


def loss(params, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), y).mean()


def with_optax(schedule, params, batches):
    """The weights after the last batch, and the rate and the gradient's norm of every update."""
    adamw = optimizer(schedule, optax.adamw, clip_norm=CLIP, weight_decay=DECAY)

    def update(state, batch):
        params, opt_state = state
        gradients = jax.grad(loss)(params, *batch)
        updates, opt_state = adamw.update(gradients, opt_state, params)
        seen = rate(opt_state), optax.tree.norm(gradients)
        return (optax.apply_updates(params, updates), opt_state), seen

    (params, _), (rates, norms) = jax.lax.scan(update, (params, adamw.init(params)), batches)
    return params, rates, norms


def with_braintools(schedule, params, batches):
    """The weights after the last batch, and the rate of every update."""
    import brainstate
    import braintools

    from sgdr.adapters.braintools import CosineAnnealingWarmRestarts

    weights = {name: brainstate.ParamState(value) for name, value in params.items()}
    scheduler = CosineAnnealingWarmRestarts(**schedule.to_dict())
    adamw = braintools.optim.AdamW(lr=scheduler, grad_clip_norm=CLIP, weight_decay=DECAY)
    adamw.register_trainable_weights(weights)

    def update(x, y):
        used = adamw.current_lr
        adamw.step(jax.grad(loss)({name: weight.value for name, weight in weights.items()}, x, y))
        scheduler.step()
        return used

    rates = brainstate.transform.for_loop(update, *batches)
    return {name: weight.value for name, weight in weights.items()}, rates


def main(T_0=300, updates=900, hidden=64):
    images, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = map(jnp.asarray, train_test_split(images / 16, labels, random_state=0))
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(x), size=(updates, BATCH))
    shapes = {"in": (64, hidden), "bias": (hidden,), "out": (hidden, 10)}
    params = {name: jnp.asarray(rng.normal(0, 0.1, shape), jnp.float32) for name, shape in shapes.items()}
    schedule = sgdr.WarmRestarts(base_lr=0.01, T_0=T_0, T_mult=2, eta_min=1e-4)

    trained, rates, norms = with_optax(schedule, params, (x[chosen], y[chosen]))
    error, clipped = float((logits(trained, x_test).argmax(1) != y_test).mean()), int((norms > CLIP).sum())
    print(f"optax: test error {error:.4f}; {clipped} of {updates} gradients were clipped")
    results = {"schedule": schedule, "error": error, "clipped": clipped, "optax": np.asarray(rates)}
    if find_spec("braintools"):
        other, rates = with_braintools(schedule, params, (x[chosen], y[chosen]))
        apart = float(optax.tree.norm(optax.tree.sub(trained, other), ord=jnp.inf))
        print(f"braintools: the same training, weights at most {apart:.1e} apart")
        results |= {"braintools": np.asarray(rates), "apart": apart}
    return results


if __name__ == "__main__":
    main()
