"""A trial while it is trained in a slot: how far it is, and what is kept of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, Trial

from sgdr.search.backend.curves import Curves
from sgdr.search.backend.slots import FINITE, Ended
from sgdr.search.problem.types import Schedule
from sgdr.search.storage.schema import SEED, TrialAttributes
from sgdr.search.strategy.samplers import Arm
from sgdr.warmup import unwarmed


@dataclass
class Training:
    """A trial in a slot."""

    trial: FrozenTrial
    """The trial as the log has it."""
    arm: Arm
    sampled: Trial
    """The same trial, of the arm."""
    schedule: Schedule
    budget: int
    first: int
    """The number of the trial, or of the first that it repeats."""
    is_start: bool = False
    """Whether its schedule is one that the user has today, which is never ended early."""
    curves: Curves = field(default_factory=Curves)
    reported: int = 0
    """Epochs of which the arm knows."""
    said: dict[str, Any] = field(default_factory=dict)
    """What the trial said of itself, which is kept with it."""
    checkpointed: float = field(default_factory=time.monotonic)
    """The time at which the trial's state was last kept in a checkpoint, or the trial was begun."""
    began: float = field(default_factory=time.monotonic)
    ended: Ended | None = None
    """How it has ended by itself, before its budget."""

    @property
    def epochs(self) -> int:
        """Completed epochs."""
        return self.curves.epochs

    @property
    def seed(self) -> int:
        """The seed of the trial and of those that it repeats."""
        return int(self.trial.user_attrs[SEED])

    @cached_property
    def rungs(self) -> frozenset[int]:
        """The numbers of epochs after which the trial is judged."""
        return self.arm.rungs_after(unwarmed(self.schedule)[1])

    @property
    def next_rung(self) -> int:
        """The number of epochs after which the trial is judged next, or ends."""
        return min((rung for rung in self.rungs if rung > self.epochs), default=self.budget)

    @property
    def next_trough(self) -> int:
        """The end of the present cycle, or of the budget where that is sooner."""
        troughs = self.schedule.troughs(budget=self.budget)
        return int(min((trough for trough in troughs if trough > self.epochs), default=self.budget))

    @property
    def is_at_trough(self) -> bool:
        """Whether a cycle has just ended, and another begins."""
        return self.epochs < self.budget and self.epochs in self.schedule.troughs(budget=self.epochs)

    def ending(self, in_float32: set[str]) -> dict[str, Any]:
        """The attributes with which the trial ends; `in_float32` names the values that are no more exact."""
        curves = {
            name: _short(curve) if name in in_float32 else curve
            for name, curve in self.curves.items()
            if name != FINITE
        }
        seconds = round(time.monotonic() - self.began, 3)
        planned = None if self.ended is None else self.budget
        attributes = TrialAttributes(
            curve=curves, epochs=self.epochs, planned_epochs=planned, seconds=seconds
        )
        return {**attributes.to_attrs(), **self.said}


def _short(curve: list[float]) -> list[float]:
    """The same float32 values in as few digits as tell them apart: half the size in the storage."""
    return [float(str(np.float32(x))) for x in curve]
