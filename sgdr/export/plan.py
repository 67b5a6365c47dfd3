"""What is to be written: the schedule in the unit in which it is stepped, and what is said of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, takewhile
from typing import Any

from sgdr import checks
from sgdr.cycles import Cycles, Number, cycles_of
from sgdr.schedule import WarmRestarts

LAST_STEP = 2**31 - 1
"""The last one that frameworks of 32 bits count."""
WIDTH = 88
"""Of a line, at most, where numbers are of ordinary length."""
MOST_RESTARTS = 8
"""That are listed."""


@dataclass(frozen=True)
class Plan:
    """A schedule whose T_0 counts the steps of the code, and for how long it trains."""

    schedule: WarmRestarts
    """T_0 and T_mult are ints where they are whole."""
    T_0: Number
    """As it was given, in epochs where `steps_per_epoch` is known."""
    steps_per_epoch: int | None
    budget: int | None
    """In the unit of the given T_0."""

    @property
    def whole(self) -> bool:
        """Whether every cycle begins at a whole step."""
        return isinstance(self.schedule.T_0, int) and isinstance(self.schedule.T_mult, int)

    @property
    def plain(self) -> bool:
        """Whether four numbers and no option say it all, the cycles whole: what most frameworks have."""
        return self.whole and self.schedule.peak_decay == 1.0 and self.schedule.cycles is None

    @property
    def steps(self) -> int | None:
        """How many steps the training has, None where that is not known."""
        return None if self.budget is None else self.budget * (self.steps_per_epoch or 1)

    @property
    def cycles(self) -> Cycles:
        """Their arithmetic, in steps."""
        return cycles_of(self.schedule.T_0, self.schedule.T_mult)

    def header(self, unit: str, *notes: str) -> str:
        """The comment at the top: the schedule, whose one step is called `unit`, and the notes."""
        return "\n".join(comment(line) for line in (self._described(unit), *notes))

    def _described(self, unit: str) -> str:
        s = self.schedule
        fields: dict[str, Any] = {**s.to_dict(), "T_0": self.T_0}
        if self.steps_per_epoch is not None:
            fields["T_0"] = f"{self.T_0!r} epoch{'s' * (self.T_0 != 1)} of {self.steps_per_epoch} steps"
        listed = ", ".join(f"{name}={value}" for name, value in fields.items())
        what = "A constant rate" if s.eta_min == s.base_lr else "Cosine annealing with warm restarts (SGDR)"
        return f"{what}: {listed}.{self._restarts(unit)}"

    def _restarts(self, unit: str) -> str:
        if self.schedule.eta_min == self.schedule.base_lr:
            return ""
        listed = list(islice(self._starts(), MOST_RESTARTS + 1))
        # Cycles shorter than a step share one.
        shown = [*map(str, dict.fromkeys(listed[:MOST_RESTARTS])), *["..."] * (len(listed) > MOST_RESTARTS)]
        end = "" if self.steps is None else f" of {self.steps}"
        if not shown:
            return f" No restart in {unit}s 0 to {self.steps}." if end else " No restart."
        return f" Restarts at {unit}s {', '.join(shown)}{end}."

    def _starts(self) -> Iterator[int]:
        last = None if self.schedule.cycles is None else self.schedule.cycles - 1
        starts = islice(self.cycles.first_steps(), last)
        end = self.steps
        return starts if end is None else takewhile(lambda step: step < end, starts)


def planned(schedule: WarmRestarts, steps_per_epoch: int | None, budget: int | None) -> Plan:
    """The plan for these arguments of `export.code`, which it checks."""
    if not isinstance(schedule, WarmRestarts):
        raise ValueError(
            f"schedule must be a WarmRestarts, got {type(schedule).__name__}; give one, without a wrapper, "
            "or use it as it is, by sgdr.adapters"
        )
    arrays = [name for name in schedule.__dataclass_fields__ if checks.is_array(getattr(schedule, name))]
    if arrays:
        raise ValueError(
            f"schedule must have numbers as fields, got arrays in {', '.join(arrays)}; export one schedule"
        )
    if steps_per_epoch is not None:
        steps_per_epoch = checks.whole_count("steps_per_epoch", steps_per_epoch)
    if budget is not None:
        budget = checks.whole_count("budget", budget)
    T_0, T_mult = _whole(schedule.T_0), _whole(schedule.T_mult)
    stepped = replace(schedule, T_0=T_0, T_mult=T_mult)
    if steps_per_epoch is not None:
        stepped = stepped.scaled(steps_per_epoch)
        stepped = replace(stepped, T_0=_whole(stepped.T_0))
    return Plan(stepped, T_0, steps_per_epoch, budget)


def script(*parts: str) -> str:
    """The parts in order, as a formatter would set them: two empty lines around definitions, else one."""
    text = parts[0]
    for before, part in pairwise(parts):
        apart = any(each.startswith(("def ", "class ", "@")) for each in (before, part))
        text += ("\n\n\n" if apart else "\n\n") + part
    return text + "\n"


def training_loop(plan: Plan, body: Sequence[str]) -> str:
    """Loops over epochs and batches around these lines, with scheduler.step() where the plan has it."""
    batch = plan.steps_per_epoch
    return "\n".join(
        [
            f"for epoch in range({plan.budget or 'epochs'}):",
            "    for inputs, targets in loader:" + (f"  # {batch} batches" if batch else ""),
            *("        " + line for line in body),
            ("        " if batch else "    ") + "scheduler.step()",
        ]
    )


def comment(text: str, indent: str = "") -> str:
    """The text as comments of code, all lines but the first `indent`ed."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent="# ",
        subsequent_indent=f"# {indent}",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _whole(number: Number) -> Number:
    return int(number) if isinstance(number, float) and number.is_integer() else number
