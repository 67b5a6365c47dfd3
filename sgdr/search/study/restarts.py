"""The epochs of a schedule's restarts, as people are told."""

from __future__ import annotations

from sgdr.cycles import Number
from sgdr.search.problem.types import Schedule


def restart_epochs(schedule: Schedule, budget: int) -> list[Number]:
    """The epochs < `budget` at which cycles begin anew, to a hundredth where they are not whole.

    `schedule.restarts` has the first whole epoch after each in their place: there a rate is asked for.
    """
    starts = [schedule.cycle(epoch).start for epoch in schedule.restarts(until=budget)]
    return [int(start) if start == int(start) else round(float(start), 2) for start in starts]
