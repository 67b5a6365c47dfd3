"""How much work a schedule is, so that no request takes minutes: its parts, its cycles, and whether these are
too many to be told apart by floats."""

from __future__ import annotations

from collections.abc import Sequence

from sgdr.cycles import CYCLES_IN_FLOATS, Cycles, cycles_of
from sgdr.relatives import Chained, Cyclic, Joined, StepDecay
from sgdr.schedule import WarmRestarts
from sgdr.shapes import Schedule
from sgdr.warmup import Warmup

FAR_STEP, FAR_CYCLE = 2**53, 2**46
"""The step and the cycle from which on floats tell none apart, and each step is worked out alone, slowly."""


def parts(schedule: Schedule) -> int:
    """The number of schedules and milestones of which it consists, each of which costs time at every step."""
    own = len(schedule.milestones) if isinstance(schedule, StepDecay | Joined) else 0
    return 1 + own + sum(map(parts, _inner(schedule)))


def cycles_until(schedule: Schedule, until: float) -> int:
    """How many of its cycles have ended by that step, so many of which may have to be listed."""
    cycles = _cycles(schedule)
    if cycles is None:
        begins, ends = [0] * len(_inner(schedule)), [until] * len(_inner(schedule))
        if isinstance(schedule, Joined):
            begins, ends = [0, *schedule.milestones], [*schedule.milestones, until]
        elif isinstance(schedule, Warmup):
            begins = [schedule.steps]
        inner = zip(_inner(schedule), begins, ends, strict=True)
        return sum(cycles_until(part, max(min(end, until) - begin, 0)) for part, begin, end in inner)
    index = cycles.locate(until)[0]
    limit = schedule.cycles if isinstance(schedule, WarmRestarts) else None
    return index if limit is None else min(index, limit)


def is_far(schedule: Schedule, step: float) -> bool:
    """Whether the rates up to that step are worked out one by one."""
    cycles = _cycles(schedule)
    if cycles is None:
        return any(is_far(part, step) for part in _inner(schedule))
    grows = isinstance(schedule, WarmRestarts) and schedule.T_mult != 1
    return step >= FAR_STEP or cycles.locate(step)[0] >= (CYCLES_IN_FLOATS if grows else FAR_CYCLE)


def _cycles(schedule: Schedule) -> Cycles | None:
    """The own cycles of a schedule, not those of schedules inside; None where it has none."""
    if isinstance(schedule, WarmRestarts):
        return cycles_of(schedule.T_0, schedule.T_mult)
    return cycles_of(schedule.up + schedule.down, 1) if isinstance(schedule, Cyclic) else None


def _inner(schedule: Schedule) -> Sequence[Schedule]:
    if isinstance(schedule, Warmup):
        return (schedule.schedule,)  # type: ignore[return-value]
    return schedule.schedules if isinstance(schedule, Joined | Chained) else ()
