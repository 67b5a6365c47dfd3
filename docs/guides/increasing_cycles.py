"""Cycles that grow, with optax: updates compiled one by one, and a whole training compiled as one `lax.scan`.

For whoever trains with JAX and wants restarts to become rarer: cycles of 10, 20 and 40 epochs (T_mult=2).
Here T_0 counts epochs, and `scaled(steps_per_epoch)` turns them into updates, which are what optax counts.
Needs the extra `workloads`.

Prints the test error at each trough (the end of a cycle), and how far apart the weights of the two ways are.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import sgdr

BATCH = 64


def logits(params, x):
    return jax.nn.relu(x @ params["in"] + params["bias"]) @ params["out"]


def main(T_0=10, budget=70, hidden=64):
    images, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = map(jnp.asarray, train_test_split(images / 16, labels, random_state=0))
    steps_per_epoch = len(x) // BATCH

    schedule = sgdr.WarmRestarts(base_lr=0.1, T_0=T_0, T_mult=2, eta_min=1e-4)
    per_step = schedule.scaled(steps_per_epoch)
    optimizer = optax.sgd(per_step, momentum=0.9)  # an optax schedule as it stands

    def update(state, batch):
        def loss(params):
            return optax.softmax_cross_entropy_with_integer_labels(logits(params, x[batch]), y[batch]).mean()

        params, opt_state = state
        rate = per_step(optax.tree.get(opt_state, "count"))  # the one that the optimizer takes, to look at
        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state)
        return (optax.apply_updates(params, updates), opt_state), rate

    rng = np.random.default_rng(0)
    weights = {
        "in": rng.normal(0, 0.1, (64, hidden)),
        "bias": np.zeros(hidden),
        "out": rng.normal(0, 0.1, (hidden, 10)),
    }
    params = jax.tree.map(jnp.float32, weights)
    start = params, optimizer.init(params)
    orders = np.stack([rng.permutation(len(x))[: steps_per_epoch * BATCH] for _ in range(budget)])
    orders = orders.reshape(budget, steps_per_epoch, BATCH)

    looped, compiled = start, jax.jit(update)
    errors = {}
    for epoch, batches in enumerate(orders):
        for batch in batches:
            looped, _ = compiled(looped, batch)
        if epoch + 1 in schedule.troughs(budget=budget):
            errors[epoch + 1] = float((logits(looped[0], x_test).argmax(1) != y_test).mean())
            print(f"after epoch {epoch + 1:2}: test error {errors[epoch + 1]:.4f}")

    scanned, rates = jax.jit(lambda state: jax.lax.scan(update, state, orders.reshape(-1, BATCH)))(start)
    apart = float(optax.tree.norm(optax.tree.sub(looped[0], scanned[0]), ord=jnp.inf))
    print(f"as one scan of {len(rates)} updates: weights at most {apart:.1e} apart")
    return {"schedule": per_step, "errors": errors, "rates": rates, "apart": apart}


if __name__ == "__main__":
    main()
