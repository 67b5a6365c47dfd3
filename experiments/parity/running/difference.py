"""How far a framework's rates are from the schedule's, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sgdr.cycles import FloatArray
from sgdr.export.parity.own import Steps
from sgdr.export.plan import Plan

WRONG = 1e-6
"""A rate that is further off, as a share of the peak, is wrong."""
CODE = "code"
"""What the exported code is called."""
LISTED = 5
"""Wrong steps."""


@dataclass(frozen=True)
class Difference:
    """The difference between a schedule and one thing that follows it, over the steps that were looked at."""

    of: str
    """`CODE`, or how the framework's own scheduler was stepped."""
    largest: float | None = None
    """None where a rate is not finite, and where it failed."""
    share: float | None = None
    """The largest difference as a share of the peak."""
    step: int | None = None
    """The step at which the difference is largest, or the first at which it is not finite."""
    wrong: int = 0
    """How many steps are off by more than `WRONG` of the peak."""
    first_wrong: tuple[int, ...] = ()
    failed: str | None = None


def compared(of: str, plan: Plan, steps: Steps, rates: Callable[[Steps], FloatArray]) -> Difference:
    """The difference between the rates that are right and these ones at the steps."""
    peak = plan.schedule.base_lr
    try:
        theirs = rates(steps)
    except Exception as error:  # a framework may refuse what it is told to do
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return Difference(of, failed=said[:200])
    off = np.abs(theirs - plan.rates(steps))
    finite = bool(np.isfinite(off).all())
    worst = int(np.argmax(np.where(np.isfinite(off), off, np.inf)))
    wrong = steps[~(off <= WRONG * peak)]
    largest = float(off[worst]) if finite else None
    share = largest / peak if largest is not None else None
    return Difference(of, largest, share, int(steps[worst]), len(wrong), tuple(wrong[:LISTED].tolist()))
