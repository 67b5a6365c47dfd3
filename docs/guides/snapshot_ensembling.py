"""A snapshot ensemble in JAX: the models at the troughs of one training predict together.

For a better prediction at the price of one training. `sgdr.snapshots` trains, and yields a model whenever a
cycle is complete; `sgdr.ensemble` averages what they predict. T_0 counts epochs: one call of `train_epoch`
each.

The moment matters. Scripts that save where `T_cur == T_i - 1` after `scheduler.step()` keep the model an
epoch too early: it has not been trained at the lowest rates yet. Needs the extra `workloads`.

Prints the test error of each of four models on MNIST-1D, and of the last one, the last three and all
together.
"""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
from mnist1d.data import get_dataset_args, make_dataset

import sgdr

BATCH = 100


def init(rng, sizes):
    weights = [rng.normal(0, (2 / n) ** 0.5, (n, m)) for n, m in pairwise(sizes)]
    return [(jnp.asarray(weight, jnp.float32), jnp.zeros(weight.shape[1])) for weight in weights]


def logits(params, x):
    *inner, (weight, bias) = params
    for inside, offset in inner:
        x = jax.nn.relu(x @ inside + offset)
    return x @ weight + bias


def loss(params, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), y).mean()


def main(T_0=25, budget=100, samples=10_000):
    options = get_dataset_args()
    options.num_samples, options.train_split = samples, 0.4
    data = make_dataset(options)
    x, y, x_test, y_test = (jnp.asarray(data[name]) for name in ("x", "y", "x_test", "y_test"))

    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=0.0, momentum=0.9)
    rng = np.random.default_rng(0)
    params = init(rng, (40, 100, 100, 10))
    state = params, optimizer.init(params)

    @jax.jit
    def trained(state, lr, batches):
        def update(state, batch):
            params, opt_state = state
            updates, opt_state = optimizer.update(jax.grad(loss)(params, x[batch], y[batch]), opt_state)
            return (optax.apply_updates(params, updates), opt_state), None

        params, opt_state = state
        opt_state = optax.tree.set(opt_state, learning_rate=lr)
        return jax.lax.scan(update, (params, opt_state), batches)[0]

    def train_epoch(epoch, lr):
        nonlocal state
        state = trained(state, lr, rng.permutation(len(x)).reshape(-1, BATCH))

    def probabilities(params):
        return jax.nn.softmax(logits(params, x_test))

    def error(snapshots):
        return float((sgdr.ensemble(snapshots, probabilities).argmax(1) != y_test).mean())

    schedule = sgdr.WarmRestarts(base_lr=0.2, T_0=T_0, T_mult=1, eta_min=0)
    snapshots = []
    for snapshot in sgdr.snapshots(schedule, budget, train_epoch, keep=lambda: state[0]):
        snapshots.append(snapshot)
        print(f"model at the trough after epoch {snapshot.epoch:3}: test error {error([snapshot]):.4f}")
    together = {count: error(snapshots[-count:]) for count in (1, 3, len(snapshots))}
    for count, value in together.items():
        print(f"ensemble of the last {count}: test error {value:.4f}")
    return {"single": {snapshot.epoch: error([snapshot]) for snapshot in snapshots}, "together": together}


if __name__ == "__main__":
    main()
