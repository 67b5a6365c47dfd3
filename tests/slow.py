"""Workloads that train for some tenths of a second, so that a sweep can be killed in the middle."""

import time
from typing import Any

import jax
import jax.numpy as jnp

from sgdr import search


class Slow:
    """Many small steps: some tenths of a second an epoch."""

    name = "slow"
    metric = "error"
    direction = "minimize"
    steps_per_epoch = 80000
    budget = 6

    def init(self, key: jax.Array) -> jax.Array:
        return 1 + 0.1 * jax.random.normal(key, (4,))

    def update(self, state: jax.Array, lr: jax.Array, step: Any, key: Any, hparams: Any) -> jax.Array:
        return state - 1e-3 * lr * jnp.sin(state)

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"error": jnp.sum(state**2)}


slow = Slow()


@search.workload(metric="error", direction="minimize", budget=6)
def function(run: search.Run) -> None:
    for epoch in range(1, run.budget + 1):
        time.sleep(0.05)
        run.report(epoch, run.schedule(epoch - 1) + run.seed % 10)
