"""What is to be looked at: a schedule for a framework."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sgdr.export.parity.looked import Looked, looked_at
from sgdr.export.parity.own import Own, nearest
from sgdr.export.plan import Plan, planned
from sgdr.export.writers import check_target, code
from sgdr.shapes import Schedule
from sgdr.stepping import Interval


@dataclass(frozen=True)
class Job:
    """The arguments of `export.code`, and what follows from them, which raises ValueError as that does."""

    schedule: Schedule
    target: str
    steps_per_epoch: int | None
    budget: int | None
    interval: Interval | None = None

    @cached_property
    def plan(self) -> Plan:
        """The schedule in the steps of the code."""
        check_target(self.target)
        return planned(self.schedule, self.target, self.steps_per_epoch, self.budget, self.interval)

    @cached_property
    def looked(self) -> Looked:
        """The steps that are looked at."""
        return looked_at(self.plan)

    @cached_property
    def own(self) -> Own:
        """The framework's own scheduler."""
        return nearest(self.plan, self.target, self.looked)

    @cached_property
    def code(self) -> str:
        """The exported code. Raises ValueError where the framework has none."""
        return code(
            self.schedule,
            self.target,
            steps_per_epoch=self.steps_per_epoch,
            budget=self.budget,
            interval=self.interval,
        )
