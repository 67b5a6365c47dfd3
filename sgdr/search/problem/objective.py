"""What a trial is worth: pure functions of its curve and its schedule.

- `best-epoch`, `best-trough`, `final`: the metric at one epoch, see `chosen_epoch`.
- `anytime`: the mean of the metric that one would have had, had one stopped at any of the log-spaced budgets,
  see `stopping_budgets`: at each, that of its best epoch so far, for that is the model which one would take.
  Restarts would be punished by where in a cycle a budget falls, were the last epoch read.
- `ensemble`: the metric of the mean prediction of the models at the last troughs, see `members`. It is no
  function of the metric's curve, so it has a curve of its own, see `curve_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from sgdr.choices import Direction, Objective
from sgdr.errors import ArgumentError
from sgdr.search.problem.arguments import one_of
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.workload import TOGETHER

OBJECTIVES = tuple(objective.value for objective in Objective)
MEMBERS = 5
"""The most models of an ensemble: those at a trial's last troughs."""


def sign(direction: str) -> float:
    """1.0 to minimise, -1.0 to maximise: a value times this is a loss, everywhere."""
    return {Direction.MINIMIZE: 1.0, Direction.MAXIMIZE: -1.0}[Direction(direction)]


def curve_of(objective: str, metric: str) -> str:
    """The name of the curve from which a trial's value is read: the metric's, or its ensemble's own."""
    return TOGETHER if objective == Objective.ENSEMBLE else metric


def measure(objective: str, metric: str) -> str:
    """The words for what the values of trials are, where it is more than the metric of one model."""
    return f"{objective} {metric}" if objective in (Objective.ANYTIME, Objective.ENSEMBLE) else metric


def check_predicts(objective: str, workload: str, predicts: bool) -> None:
    """Raises ArgumentError where ensembles are asked for of a workload that does not predict."""
    if objective == Objective.ENSEMBLE and not predicts:
        reason = f"needs a workload with predict() and score(), which {workload!r} has not"
        raise ArgumentError("objective", objective, reason, "choose another objective")


def stopping_budgets(budget: int) -> list[int]:
    """The log-spaced budgets at which one might stop: ceil(budget / 2^k) for k = 0, 1, … down to 1 epoch."""
    budgets = [budget]
    while budgets[-1] > 1:
        budgets.append(-(-budgets[-1] // 2))
    return budgets


def troughs_within(schedule: Schedule, budget: int) -> list[int]:
    """The ends of the cycles of a schedule, in epochs; none of a callable that tells none."""
    troughs = getattr(schedule, "troughs", None)
    return troughs(budget=budget) if troughs else []


def members(schedule: Schedule, budget: int, most: int = MEMBERS) -> list[int]:
    """The completed epochs whose models are the ensemble: the last troughs within the budget, at most so
    many; of a schedule without troughs the last epoch."""
    return (troughs_within(schedule, budget) or [budget])[-most:]


def reading(objective: str, schedule: Schedule, budget: int, epoch: int) -> str:
    """The words for where the value of a trial of that budget was read; `epoch` is its `chosen_epoch`."""
    if objective == Objective.ANYTIME:
        return f"on average over stopping after 1 to {budget} epochs"
    count = len(members(schedule, budget)) if objective == Objective.ENSEMBLE else 1
    return f"of {count} models together, the last at epoch {epoch}" if count > 1 else f"at epoch {epoch}"


def chosen_epoch(
    objective: str, select: Sequence[float], schedule: Schedule, direction: str = "minimize"
) -> int:
    """The epoch, counted from 1, whose model counts.

    `select` is the curve to choose by, one value an epoch: the select metric's where a workload has one.
    `schedule` is in epochs. best-epoch: the best of all; best-trough: the best of the ends of its cycles, or
    the last where it has none or the curve ends before; final: the last; anytime: the best of all, which one
    has at the end; ensemble: the newest of its members. Of equals the first. Raises ValueError for an unknown
    objective or an empty curve.
    """
    one_of("objective", objective, OBJECTIVES)
    if not len(select):
        raise ValueError("a curve of no epochs has no value; train at least one epoch")
    if objective == Objective.FINAL:
        return len(select)
    if objective == Objective.ENSEMBLE:
        return int(members(schedule, len(select))[-1])
    epochs = np.arange(1, len(select) + 1)
    if objective == Objective.BEST_TROUGH:
        epochs = np.array(schedule.troughs(budget=len(select)) or [len(select)], int)
    losses = sign(direction) * np.asarray(select, float)[epochs - 1]
    return int(epochs[np.argmin(losses)])


def value(
    objective: str,
    curve: Sequence[float],
    schedule: Schedule,
    direction: str = "minimize",
    select: Sequence[float] | None = None,
    budget: int | None = None,
) -> float:
    """What the trial is worth, of the curve that `curve_of` names: its value at the chosen epoch (see
    `chosen_epoch`), for anytime the mean of those chosen within each of the `stopping_budgets`.

    `budget` is that of the trial where its curve may end before; None: the length of the curve.
    """
    select = curve if select is None else select
    if objective == Objective.ANYTIME and len(select):
        best = Objective.BEST_EPOCH.value
        parts = [select[:budget] for budget in stopping_budgets(budget or len(select))]
        return fmean(curve[chosen_epoch(best, part, schedule, direction) - 1] for part in parts)
    return float(curve[chosen_epoch(objective, select, schedule, direction) - 1])
