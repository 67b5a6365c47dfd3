"""What the explorer shows: schedules side by side over one budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias

from sgdr.cycles import Cycle, Number
from sgdr.errors import ArgumentError
from sgdr.schedule import WarmRestarts
from sgdr.warmup import Warmup
from sgdr_service.dashboard.explorer import fields
from sgdr_service.dashboard.explorer.fields import Faults, plain

MOST = 8
"""Schedules: so many lines can be told apart."""
MOST_CYCLES = 100_000
"""The most cycles of a schedule within the budget."""


@dataclass(frozen=True)
class Explored:
    """A schedule and its name; lengths are in epochs. Raises ValueError for a bad field."""

    name: str = "Schedule 1"
    base_lr: float = 0.1
    T_0: Number = 10
    T_mult: Number = 2
    eta_min: float = 0.0
    peak_decay: float = 1.0
    warmup: int = 0

    restarts: WarmRestarts = field(init=False, repr=False, compare=False)
    """The schedule without the warm-up."""

    def __post_init__(self) -> None:
        restarts = WarmRestarts(self.base_lr, self.T_0, self.T_mult, self.eta_min, self.peak_decay)
        object.__setattr__(self, "restarts", restarts)

    def read(self, texts: Mapping[str, str]) -> Self:
        """The schedule with what these texts, by field, say. Raises Faults."""
        values = fields.read(fields.OF_ONE, texts)
        try:
            return replace(self, **values)
        except ArgumentError as error:  # each is good by itself, but one exceeds the other
            raise Faults({error.name: str(error)}) from None

    @property
    def schedule(self) -> WarmRestarts | Warmup:
        """The schedule with the warm-up."""
        return Warmup(self.restarts, self.warmup) if self.warmup else self.restarts

    def cycle(self, epoch: Number) -> Cycle:
        """The cycle of that epoch; during the warm-up it is cycle 0, and the position is negative."""
        return self.schedule.cycle(epoch)

    def check(self, budget: int) -> None:
        """Raises Faults where the cycles within the budget are too many to be worked out."""
        if self.cycle(budget).index > MOST_CYCLES:
            many = f"T_0={plain(self.T_0)} gives more than {MOST_CYCLES:,} cycles within budget={budget}"
            raise Faults({"T_0": f"{many}; raise T_0 or lower the budget"})


@dataclass(frozen=True)
class Exploration:
    """Schedules over `budget` epochs; `edited` is the place of the one that is set."""

    schedules: tuple[Explored, ...] = (Explored(),)
    edited: int = 0
    budget: int = 70
    steps_per_epoch: int | None = None
    log: bool = False
    """Whether the axis of rates is logarithmic."""

    @property
    def current(self) -> Explored:
        """The schedule that is set."""
        return self.schedules[self.edited]

    @property
    def texts(self) -> dict[str, str]:
        """What the fields say of the current schedule, and of what all share."""
        of_one = ((self.current, field) for field in fields.OF_ONE)
        of_all = ((self, field) for field in fields.SHARED)
        return {field.name: plain(getattr(owner, field.name)) for owner, field in (*of_one, *of_all)}

    def read(self, texts: Mapping[str, str]) -> Self:
        """The exploration with what these texts, by field, say of the current schedule and of what all share.

        Raises Faults: also where another schedule has too many cycles within a new budget.
        """
        messages: dict[str, str] = {}
        common, current = {}, self.current
        try:
            common = fields.read(fields.SHARED, texts)
        except Faults as faults:
            messages |= faults.messages
        try:
            current = current.read(texts)
        except Faults as faults:
            messages |= faults.messages
        if messages:
            raise Faults(messages)
        exploration = replace(self.with_current(current), **common)
        exploration.check()
        return exploration

    def check(self) -> None:
        """Raises Faults where a schedule has too many cycles: of its T_0, or of the budget for others."""
        self.current.check(self.budget)
        for explored in self.schedules:
            try:
                explored.check(self.budget)
            except Faults as faults:
                raise Faults({"budget": f"{explored.name}: {faults}"}) from None

    def with_current(self, schedule: Explored) -> Self:
        """The exploration with that schedule in the place of the current one."""
        return replace(self, schedules=self._others(schedule))

    def with_copy(self) -> Self:
        """The exploration with a copy of the current schedule last, under a new name, to be edited."""
        names = {explored.name for explored in self.schedules}
        new = next(name for place in range(1, MOST + 1) if (name := f"Schedule {place}") not in names)
        copies = (*self.schedules, replace(self.current, name=new))
        return replace(self, schedules=copies, edited=len(self.schedules))

    def without_current(self) -> Self:
        """The exploration without the current schedule; the one before it is edited then."""
        return replace(self, schedules=self._others(), edited=max(self.edited - 1, 0))

    def _others(self, *current: Explored) -> tuple[Explored, ...]:
        """The other schedules, with `current` in the place of the current one."""
        return (*self.schedules[: self.edited], *current, *self.schedules[self.edited + 1 :])


Now: TypeAlias = Callable[[], Exploration]
"""Gives the exploration as it is now."""
