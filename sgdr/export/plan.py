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
from sgdr.stepping import Interval, checked_interval, checked_steps_per_epoch

LAST_STEP = 2**31 - 1
"""The last one that frameworks of 32 bits count."""
WIDTH = 88
"""Characters of a line, at most, where numbers are of ordinary length."""
MOST_RESTARTS = 8
"""The most restarts that are listed."""
LOOPED = ("torch", "braintools")
"""Targets whose scheduler the training loop steps, once an epoch if need be. The others ask for a rate at
every optimizer update."""


@dataclass(frozen=True)
class Plan:
    """A schedule whose T_0 counts the steps of the code, and for how long it trains."""

    schedule: WarmRestarts
    """T_0 and T_mult are ints where they are whole."""
    T_0: Number
    """The T_0 that was given, in epochs where `steps_per_epoch` is known."""
    steps_per_epoch: int | None
    budget: int | None
    """The budget in the unit of the given T_0."""
    interval: Interval | None = None
    """The interval that was given; None where T_0 counts whatever steps the code."""
    held: int = 1
    """Steps through which a rate is held: those of an epoch, where it changes once an epoch."""

    @property
    def whole(self) -> bool:
        """Whether every cycle begins at a whole step."""
        return isinstance(self.schedule.T_0, int) and isinstance(self.schedule.T_mult, int)

    @property
    def plain(self) -> bool:
        """Whether four numbers and no option say it all, the cycles whole: what most frameworks have."""
        s = self.schedule
        return self.whole and s.peak_decay == 1.0 and s.cycles is None and self.held == 1

    @property
    def steps(self) -> int | None:
        """How many steps the training has, None where that is not known."""
        return None if self.budget is None else self.budget * (self.steps_per_epoch or 1)

    @property
    def cycles(self) -> Cycles:
        """The arithmetic of the cycles, in steps."""
        return cycles_of(self.schedule.T_0, self.schedule.T_mult)

    def rates(self, steps: Any) -> Any:
        """The right rates at these steps of the code."""
        return self.schedule(steps - steps % self.held)

    def first_steps(self) -> Iterator[int]:
        """The first steps with the rates of the second cycle, the third and so on."""
        return (-(-step // self.held) * self.held for step in self.cycles.first_steps())

    def header(self, unit: str, *notes: str) -> str:
        """The comment at the top: the schedule, whose one step is called `unit`, and the notes."""
        return "\n".join(comment(line) for line in (self._described(unit), *notes))

    def _described(self, unit: str) -> str:
        s = self.schedule
        fields: dict[str, Any] = {**s.to_dict(), "T_0": self.T_0}
        if self.steps_per_epoch is not None or self.interval is not None:
            fields["T_0"] = f"{self.T_0!r} epoch{'s' * (self.T_0 != 1)}"
        if self.steps_per_epoch is not None:
            fields["T_0"] += f" of {self.steps_per_epoch} steps"
        listed = ", ".join(f"{name}={value}" for name, value in fields.items())
        what = "A constant rate" if s.eta_min == s.base_lr else "Cosine annealing with warm restarts (SGDR)"
        held = " Every epoch has one rate." if self.held > 1 else ""
        return f"{what}: {listed}.{held}{self._restarts(unit)}"

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
        starts = islice(self.first_steps(), last)
        end = self.steps
        return starts if end is None else takewhile(lambda step: step < end, starts)


def planned(
    schedule: WarmRestarts,
    target: str,
    steps_per_epoch: int | None,
    budget: int | None,
    interval: Interval | None,
) -> Plan:
    """The plan for these arguments of `export.code`, which it checks but for the target."""
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
    steps_per_epoch = checked_steps_per_epoch(steps_per_epoch)
    if budget is not None:
        budget = checks.whole_count("budget", budget)
    interval = checked_interval(interval)
    if interval == "epoch" and target in LOOPED:
        steps_per_epoch = None  # its step is an epoch
    elif interval is not None and steps_per_epoch is None:
        raise _unknown(target, interval)
    T_0, T_mult = _whole(schedule.T_0), _whole(schedule.T_mult)
    stepped = replace(schedule, T_0=T_0, T_mult=T_mult)
    if steps_per_epoch is not None:
        stepped = stepped.scaled(steps_per_epoch)
        stepped = replace(stepped, T_0=_whole(stepped.T_0))
    held = steps_per_epoch if interval == "epoch" and steps_per_epoch is not None else 1
    return Plan(stepped, T_0, steps_per_epoch, budget, interval, held)


def _unknown(target: str, interval: Interval) -> ValueError:
    """The refusal of code in a unit that would be a guess."""
    once = "; or interval='epoch' (--interval epoch), if the rate changed once an epoch"
    return ValueError(
        f"steps_per_epoch must be known for {target}, which is stepped at every optimizer update: T_0 counts "
        "epochs; give the number of updates in an epoch as steps_per_epoch (--steps-per-epoch)"
        f"{once if target in LOOPED and interval == 'step' else ''}"
    )


def script(*parts: str) -> str:
    """The parts in order, as a formatter would set them: two empty lines around definitions, else one."""
    text = parts[0]
    for before, part in pairwise(parts):
        apart = any(block.startswith(("def ", "class ", "@")) for block in (before, part))
        text += ("\n\n\n" if apart else "\n\n") + part
    return text + "\n"


def header(plan: Plan, per_batch: str, per_epoch: str, or_batch: str) -> str:
    """The comment at the top where a training loop steps the schedule, which says when."""
    if plan.steps_per_epoch is not None:
        return plan.header("step", per_batch)
    return plan.header("epoch", per_epoch + or_batch * (plan.interval is None))


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
