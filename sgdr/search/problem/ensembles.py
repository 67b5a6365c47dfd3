"""A workload whose trials gather the predictions of their models at given epochs, inside the program.

Huang et al., "Snapshot ensembles: train 1, get M for free", ICLR 2017: the models at the last troughs of one
training are worth more together than the last of them. What is gathered is a sum of predictions and belongs
to the state, so that a trial which is kept and restored has that of its earlier troughs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from sgdr.choices import Objective
from sgdr.search.problem.objective import check_predicts
from sgdr.search.problem.workload import TOGETHER, State, has_ensemble

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int32, Key, Num


class EnsembleState(NamedTuple):
    """A trial and what its ensemble has so far."""

    model: State
    """The state of the workload itself."""
    total: Float[Any, " ..."]
    """The sum of its members' predictions."""
    count: Int32[Any, ""]
    """How many members it has."""
    worth: Float[Any, ""]
    """The metric of their mean prediction."""


class EnsembleWorkload:
    """A workload with a further value, `TOGETHER`: its metric of the mean prediction of the members so far,
    and before the first that of the model alone."""

    def __init__(self, workload: Any) -> None:
        """`workload` has `predict` and `score`. Runs nothing."""
        self._workload = workload
        self.name: str = workload.name
        self.metric: str = workload.metric
        self.select_metric: str | None = getattr(workload, "select_metric", None)
        self.direction: str = workload.direction
        self.steps_per_epoch: int = workload.steps_per_epoch
        self.budget: int = workload.budget
        self.hparams = getattr(workload, "hparams", None) or {}

    def init(self, key: Key[jax.Array, ""]) -> EnsembleState:
        """The state before the first step, whose ensemble has no members."""
        model = self._workload.init(key)
        predictions = jax.eval_shape(self._workload.predict, model)
        worth = jax.eval_shape(self._workload.score, predictions)[self.metric]
        return EnsembleState(
            model,
            total=jnp.zeros(predictions.shape, _wide(predictions)),
            count=jnp.zeros((), jnp.int32),
            worth=jnp.zeros((), _wide(worth)),
        )

    def update(self, state: EnsembleState, *arguments: Any) -> EnsembleState:
        """The state after one optimizer step of its model."""
        return state._replace(model=self._workload.update(state.model, *arguments))

    def join(self, state: EnsembleState, here: Bool[jax.Array, ""]) -> EnsembleState:
        """The state where its model has joined the ensemble, if `here`."""
        prediction = self._workload.predict(state.model).astype(state.total.dtype)
        total, count = state.total + prediction, state.count + 1
        scores = self._workload.score(total / count.astype(total.dtype))
        joined = state._replace(total=total, count=count, worth=scores[self.metric].astype(state.worth.dtype))
        chosen: EnsembleState = _where(here, joined, state)
        return chosen

    def begin_anew(
        self, state: EnsembleState, here: Bool[jax.Array, ""], key: Key[jax.Array, ""]
    ) -> EnsembleState:
        """The state with a new model, if `here`; the members that have joined stay."""
        return state._replace(model=_where(here, self._workload.init(key), state.model))

    def evaluate(self, state: EnsembleState) -> dict[str, Num[jax.Array, ""]]:
        """What the model is worth, by name, and the ensemble so far."""
        values: dict[str, jax.Array] = self._workload.evaluate(state.model)
        alone = values[self.metric].astype(state.worth.dtype)
        return {**values, TOGETHER: jnp.where(state.count > 0, state.worth, alone)}


@dataclass(frozen=True)
class Independent:
    """A schedule of restarts at which the model begins anew: its ensemble is of models trained apart.

    The control of a snapshot ensemble at equal training, under the objective `ensemble` alone.
    """

    schedule: Any
    """The schedule, e.g. ``WarmRestarts(0.1, T_0=budget // 5)``, at most as many cycles as an ensemble has
    members."""

    def __call__(self, step: Any) -> Any:
        """The rate at `step`."""
        return self.schedule(step)

    def scaled(self, steps_per_epoch: int) -> Any:
        """The rates by steps in place of epochs."""
        return self.schedule.scaled(steps_per_epoch)

    def troughs(self, budget: int) -> list[int]:
        """The ends of its cycles <= `budget`."""
        listed: list[int] = self.schedule.troughs(budget=budget)
        return listed


def trained_for(objective: str, workload: Any) -> Any:
    """The workload as trials are trained that are worth what the objective says.

    Raises ArgumentError where ensembles are asked for of a workload that does not predict.
    """
    check_predicts(objective, workload.name, has_ensemble(workload))
    return EnsembleWorkload(workload) if objective == Objective.ENSEMBLE else workload


def _where(here: Bool[jax.Array, ""], new: Any, old: Any) -> Any:
    return jax.tree.map(lambda one, other: jnp.where(here, one, other), new, old)


def _wide(shape: jax.ShapeDtypeStruct) -> Any:
    return jnp.promote_types(shape.dtype, jnp.float32)
