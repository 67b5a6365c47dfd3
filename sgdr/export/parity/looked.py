"""The steps that are looked at when a schedule is compared with what a framework makes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sgdr.cycles import Cycles
from sgdr.export.plan import LAST_STEP, Plan

MOST_STEPS = 100_000
"""The most steps that are looked at one after the other, from step 0 on."""
MOST_RESTARTS = 1_000
"""Beyond those, at which the steps before, at and after are looked at; the last one comes on top."""
CYCLES = 8
"""So many are looked at where the training has no length."""


@dataclass(frozen=True)
class Looked:
    """The steps of a training that are looked at."""

    steps: int
    """The length of the training in steps, or of what stands for it without a budget."""
    has_budget: bool

    @property
    def every(self) -> int:
        """All steps before this one are looked at."""
        return min(self.steps, MOST_STEPS)

    def at(self, *cycles: Cycles) -> NDArray[np.int64]:
        """The steps in order: at first every one, then those around the restarts of these cycles."""
        around = {
            step
            for each in cycles
            for restart in _restarts(each, self.every, self.steps)
            for step in (restart - 1, restart, restart + 1)
            if self.every <= step < self.steps
        }
        return np.concatenate([np.arange(self.every), np.array(sorted(around), np.int64)])

    def words(self) -> str:
        """The steps that are looked at, in words."""
        all_of_them = f"steps 0 to {self.every - 1}" if self.every > 1 else "step 0"
        if self.steps > self.every:
            all_of_them += (
                f", and those around the next {MOST_RESTARTS} restarts and the last before step {self.steps}"
            )
        return all_of_them if self.has_budget else f"{all_of_them} (no budget was given)"


def looked_at(plan: Plan) -> Looked:
    """The steps to look at of a training of the plan's length.

    Where it has none, they are those of `CYCLES` cycles, or of one more than there are if there are fewer.
    """
    if plan.steps is not None:
        return Looked(min(plan.steps, LAST_STEP), True)
    ends = plan.cycles.first_steps()
    limit = plan.schedule.cycles
    last = next(islice(ends, CYCLES - 1 if limit is None or limit >= CYCLES else limit, None))
    return Looked(max(1, min(last, LAST_STEP)), False)


def _restarts(cycles: Cycles, after: int, until: int) -> Iterator[int]:
    """The first whole steps of cycles from `after` on and before `until`: the first ones, and the last."""
    step, count = after, 0
    while count < MOST_RESTARTS:
        _, start, length, _ = cycles.locate(step)
        step = max(step + 1, math.ceil(start + length))
        if step >= until:
            return
        yield step
        count += 1
    yield math.ceil(cycles.locate(until - 1)[1])
