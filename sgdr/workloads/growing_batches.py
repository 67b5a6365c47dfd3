"""The digits in batches that double at each restart: shapes that depend on the trial's own schedule.

Smith, Kindermans, Ying and Le, "Don't decay the learning rate, increase the batch size", ICLR 2018. All slots
of a population have the same shapes; so this is a function that trains one trial, in a process of its slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sgdr.search.problem.supervised import cross_entropy, misclassified
from sgdr.search.problem.workload import Run, workload
from sgdr.workloads import digits, mlp

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Int, Key

SMALLEST, LARGEST = 32, 256
"""Batches. All of them divide the number of training examples, so that every epoch visits each."""
OPTIMIZER = optax.sgd(1.0, momentum=0.9)
"""The optimizer, whose updates are those of the rate 1, to be multiplied by the schedule's."""

Model = tuple[mlp.Layers, optax.OptState]


@workload(name="digits-growing-batches", metric="error", direction="minimize", budget=30, base_lr=(1e-3, 1.0))
def train(run: Run) -> None:
    """Trains an MLP 64-64-64-10 on 1,280 digits, in 40 steps an epoch at first, then in 20, 10 and 5.

    Reports the error on the other 517 after every epoch; NaN where the network's values are no longer finite.
    """
    # The network is small, and each process would take most of a GPU's memory for itself.
    jax.config.update("jax_platforms", "cpu")
    (images, labels), (valid_images, valid_labels) = digits.split()
    random = np.random.default_rng(run.seed)
    model = _begin(jax.random.key(run.seed))
    for epoch in range(run.budget):
        size = batch_size(run.schedule.cycle(epoch).index)
        steps = len(images) // size
        order = random.permutation(len(images)).reshape(steps, size)
        rates = np.array([run.schedule(epoch + step / steps) for step in range(steps)], np.float32)
        model = _epoch(model, images[order], labels[order], rates)
        run.report(epoch + 1, float(_error(model, valid_images, valid_labels)))


def batch_size(cycle: int) -> int:
    """The batch size of the cycle of this index: twice that of the one before, up to `LARGEST`."""
    return int(min(SMALLEST * 2**cycle, LARGEST))


@jax.jit
def _begin(key: Key[jax.Array, ""]) -> Model:
    layers = mlp.init(key, digits.SIZES)
    return layers, OPTIMIZER.init(layers)


@jax.jit
def _epoch(
    model: Model,
    images: Float[jax.Array, "steps size 64"],
    labels: Int[jax.Array, "steps size"],
    rates: Float32[jax.Array, " steps"],
) -> Model:
    """The model after a step on each of the batches. Compiled once for every size."""

    def loss(layers: mlp.Layers, images: jax.Array, labels: jax.Array) -> jax.Array:
        return cross_entropy(mlp.apply(layers, images), labels).mean()

    def step(model: Model, batch: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[Model, None]:
        (layers, momentum), (images, labels, rate) = model, batch
        updates, momentum = OPTIMIZER.update(jax.grad(loss)(layers, images, labels), momentum)
        return (jax.tree.map(lambda value, update: value + rate * update, layers, updates), momentum), None

    return jax.lax.scan(step, model, (images, labels, rates))[0]


@jax.jit
def _error(
    model: Model, images: Float[jax.Array, "n 64"], labels: Int[jax.Array, " n"]
) -> Float32[jax.Array, ""]:
    values = mlp.apply(model[0], images)
    return jnp.where(jnp.isfinite(values).all(), misclassified(values, labels).mean(), jnp.nan)
