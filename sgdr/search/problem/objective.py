"""What a trial is worth: pure functions of its curve and its schedule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sgdr.choices import Direction, Objective
from sgdr.schedule import WarmRestarts
from sgdr.search.problem.arguments import one_of
from sgdr.search.problem.types import Schedule
from sgdr.warmup import unwarmed

OBJECTIVES = tuple(objective.value for objective in Objective)


def sign(direction: str) -> float:
    """1.0 to minimise, -1.0 to maximise: a value times this is a loss, everywhere."""
    return {Direction.MINIMIZE: 1.0, Direction.MAXIMIZE: -1.0}[Direction(direction)]


def chosen_epoch(
    objective: str, select: Sequence[float], schedule: Schedule, direction: str = "minimize"
) -> int:
    """The epoch, counted from 1, whose model counts.

    `select` is the curve to choose by, one value an epoch: the select metric's where a workload has one.
    `schedule` is in epochs. best-epoch: the best of all; best-trough: the best of the ends of its cycles, of
    a shape that has none the last; final: the last. Of equals the first. Raises ValueError for an unknown
    objective, an empty curve, or one that reaches no trough.
    """
    one_of("objective", objective, OBJECTIVES)
    if not len(select):
        raise ValueError("a curve of no epochs has no value; train at least one epoch")
    if objective == Objective.FINAL:
        return len(select)
    epochs = np.arange(1, len(select) + 1)
    if objective == Objective.BEST_TROUGH:
        troughs = schedule.troughs(budget=len(select))
        if not troughs and isinstance(unwarmed(schedule)[0], WarmRestarts):
            raise ValueError(f"{schedule} has no trough in {len(select)} epochs; choose another objective")
        epochs = np.array(troughs or [len(select)], int)
    losses = sign(direction) * np.asarray(select, float)[epochs - 1]
    return int(epochs[np.argmin(losses)])


def value(
    objective: str,
    curve: Sequence[float],
    schedule: Schedule,
    direction: str = "minimize",
    select: Sequence[float] | None = None,
) -> float:
    """What the trial is worth: its metric at the chosen epoch (see `chosen_epoch`)."""
    epoch = chosen_epoch(objective, curve if select is None else select, schedule, direction)
    return float(curve[epoch - 1])
