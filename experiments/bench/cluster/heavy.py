"""A workload of plain arithmetic: a trial takes some seconds of one core, and needs no data."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

SIZE = 128


class Heavy:
    """Powers of a matrix, held in bounds: nothing is learnt."""

    name = "heavy"
    metric = "error"
    direction = "minimize"
    steps_per_epoch = 5000
    budget = 10

    def init(self, key: jax.Array) -> Any:
        """A random matrix."""
        return jax.random.normal(key, (SIZE, SIZE)) / SIZE**0.5

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        """One product of matrices."""
        return jnp.tanh(state @ state) + 1e-3 * lr

    def evaluate(self, state: Any) -> dict[str, Any]:
        """The mean square."""
        return {"error": jnp.mean(state**2)}


heavy = Heavy()
