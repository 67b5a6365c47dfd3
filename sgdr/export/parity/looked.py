"""The steps at which a schedule is compared with what a framework makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from sgdr.export.plan import LAST_STEP, Plan

MOST_STEPS = 100_000
"""The most steps that are looked at one after the other, from step 0 on."""
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

    def words(self) -> str:
        """The steps that are looked at, in words."""
        steps = f"steps 0 to {self.every - 1}" if self.every > 1 else "step 0"
        return steps if self.has_budget else f"{steps} (no budget was given)"


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
