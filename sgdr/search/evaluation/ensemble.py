"""What several models are worth together: the mean of their predictions, scored.

Huang et al., "Snapshot ensembles: train 1, get M for free", ICLR 2017, section 3: the models that one run
leaves at the ends of its cycles, their softmax outputs averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sgdr.search.backend.program import data_apart
from sgdr.search.problem.workload import State, has_ensemble


class Ensemble:
    """Scores ensembles of a workload's models: two programs, compiled once, however many models there are."""

    def __init__(self, workload: Any) -> None:
        """Traces the programs. Raises ValueError for a workload without `predict` and `score`."""
        if not has_ensemble(workload):
            raise ValueError(f"workload {workload.name!r} has no predict() and score(), which ensembles need")
        state = jax.eval_shape(workload.init, jax.eval_shape(lambda: jax.random.key(0)))
        predictions = jax.eval_shape(workload.predict, state)
        dtype = jnp.promote_types(predictions.dtype, jnp.float32)
        self._nothing = np.zeros(predictions.shape, dtype)
        self._add = _program(lambda total, state: total + workload.predict(state), self._nothing, state)
        self._score = _program(
            lambda total, count: workload.score(total / count), self._nothing, dtype.type(1)
        )

    def score(self, states: Iterable[State]) -> dict[str, float]:
        """The values, by the names of `evaluate()`, of the mean prediction of models in these states.

        Holds one state at a time, where `states` are read as they are used. Raises ValueError for none.
        """
        total, count = self._nothing, 0
        for state in states:
            total, count = self._add(total, state), count + 1
        if not count:
            raise ValueError("an ensemble of no models predicts nothing; give at least one state")
        values = self._score(total, self._nothing.dtype.type(count))
        return {name: float(value) for name, value in values.items()}


def _program(function: Callable[..., Any], *examples: Any) -> Callable[..., Any]:
    """The function jitted, with the data that it closes over as an argument."""
    with_data, data = data_apart(function, *examples)
    return partial(jax.jit(with_data), jax.device_put(data))
