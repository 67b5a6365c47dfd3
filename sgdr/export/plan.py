"""What is to be written: the schedule in the unit in which it is stepped, and what is said of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, takewhile
from typing import Any, TypeAlias

from sgdr import checks
from sgdr.cycles import Cycles, cycles_of
from sgdr.export.dialect import WIDTH
from sgdr.export.formulas import FORMULAS
from sgdr.formula import Formula, holds_array
from sgdr.schedule import WarmRestarts
from sgdr.shapes import SHAPES, Schedule
from sgdr.stepping import Interval, checked_interval, checked_steps_per_epoch
from sgdr.warmup import Warmup

Inner: TypeAlias = WarmRestarts | Formula
"""What is written as code, without a warm-up."""

LAST_STEP = 2**31 - 1
"""The last one that frameworks of 32 bits count."""
MOST_RESTARTS = 8
"""The most restarts that are listed."""
LOOPED = ("torch", "braintools")
"""Targets whose scheduler the training loop steps, once an epoch if need be. The others ask for a rate at
every optimizer update."""


@dataclass(frozen=True)
class Plan:
    """A schedule whose lengths count the steps of the code, and for how long it trains."""

    schedule: Any
    """A `WarmRestarts` or a formula, without its warm-up; whole lengths and T_mult are ints."""
    given: Any
    """The schedule as it was given, its lengths in epochs where `steps_per_epoch` is known."""
    steps_per_epoch: int | None
    budget: int | None
    """The budget in the unit of the given lengths."""
    interval: Interval | None = None
    """The interval that was given; None where lengths count whatever steps the code."""
    held: int = 1
    """Steps through which a rate is held: those of an epoch, where it changes once an epoch."""
    warmup: int = 0
    """The steps of the warm-up before the schedule."""

    @property
    def restarts(self) -> bool:
        """Whether it is a `WarmRestarts`."""
        return isinstance(self.schedule, WarmRestarts)

    @property
    def whole(self) -> bool:
        """Whether every cycle begins at a whole step."""
        return isinstance(self.schedule.T_0, int) and isinstance(self.schedule.T_mult, int)

    @property
    def bare(self) -> bool:
        """Whether no rate is held and none comes before the schedule, as in all that frameworks have."""
        return self.held == 1 and self.warmup == 0

    @property
    def plain(self) -> bool:
        """Whether four numbers and no option say it all, the cycles whole: what most frameworks have."""
        s = self.schedule
        return self.restarts and self.whole and s.peak_decay == 1.0 and s.cycles is None and self.bare

    @property
    def counted(self) -> str:
        """The lengths that a step is counted in, as the beginning of a sentence of T_0."""
        name = "T_0" if self.restarts else self.schedule.lengths[0]
        return f"{name} {'count' if name.endswith('s') else 'counts'}"

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
        schedule = Warmup(self.schedule, self.warmup) if self.warmup else self.schedule
        return schedule(steps - steps % self.held)

    def first_steps(self) -> Iterator[int]:
        """The first steps with the rates of the second cycle, the third and so on."""
        return (-(-(step + self.warmup) // self.held) * self.held for step in self.cycles.first_steps())

    def header(self, unit: str, *notes: str) -> str:
        """The comment at the top: the schedule, whose one step is called `unit`, and the notes."""
        return "\n".join(comment(line) for line in (self._described(unit), *notes))

    def _described(self, unit: str) -> str:
        fields = {name: value for name, value in self.given.to_dict().items() if name != "kind"}
        for name in lengths_of(self.given):
            fields[name] = self._in_epochs(getattr(self.given, name))
        if self.warmup:
            fields["warmup"] = self._in_epochs(self.warmup // (self.steps_per_epoch or 1))
        listed = ", ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        held = " Every epoch has one rate." if self.held > 1 else ""
        after = " after a warm-up" if self.warmup else ""
        return f"{self._what()}{after}: {listed}.{held}{self._restarts(unit)}"

    def _what(self) -> str:
        if not self.restarts:
            words = SHAPES[self.schedule.kind].words
            return words[0].upper() + words[1:]
        return "A constant rate" if self._is_constant() else "Cosine annealing with warm restarts (SGDR)"

    def _in_epochs(self, length: Any) -> str:
        if self.steps_per_epoch is None and self.interval is None:
            return repr(length)
        of = "" if self.steps_per_epoch is None else f" of {self.steps_per_epoch} steps"
        return f"{length!r} epoch{'s' * (length != 1)}{of}"

    def _is_constant(self) -> bool:
        return self.restarts and self.schedule.eta_min == self.schedule.base_lr

    def _restarts(self, unit: str) -> str:
        if not self.restarts or self._is_constant():
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
    schedule: Schedule,
    target: str,
    steps_per_epoch: int | None,
    budget: int | None,
    interval: Interval | None,
) -> Plan:
    """The plan for these arguments of `export.code`, which it checks but for the target."""
    given, warmup = _parts(schedule)
    steps_per_epoch = checked_steps_per_epoch(steps_per_epoch)
    if budget is not None:
        budget = checks.whole_count("budget", budget)
    interval = checked_interval(interval)
    if interval == "epoch" and target in LOOPED:
        steps_per_epoch = None  # its step is an epoch
    elif interval is not None and steps_per_epoch is None:
        raise _unknown(target, interval, given)
    stepped = given
    if steps_per_epoch is not None:
        stepped, warmup = _in_whole_numbers(given.scaled(steps_per_epoch)), warmup * steps_per_epoch
    held = steps_per_epoch if interval == "epoch" and steps_per_epoch is not None else 1
    return Plan(stepped, given, steps_per_epoch, budget, interval, held, warmup)


def lengths_of(schedule: Inner) -> tuple[str, ...]:
    """The fields that are in the unit of the steps."""
    return ("T_0",) if isinstance(schedule, WarmRestarts) else schedule.lengths


def _parts(schedule: Any) -> tuple[Inner, int]:
    """The schedule that is to be written, and the steps of the warm-up before it."""
    inner, warmup = schedule, 0
    if isinstance(schedule, Warmup):
        inner, warmup = schedule.schedule, schedule.steps
    if not isinstance(inner, (WarmRestarts, *FORMULAS)):
        known = ", ".join(kind.__name__ for kind in FORMULAS)
        raise ValueError(
            f"schedule must be a WarmRestarts, {known}, or a Warmup of one, got "
            f"{'a Warmup of ' * (inner is not schedule)}{type(inner).__name__}; give one of these, or use it "
            "as it is, by sgdr.adapters"
        )
    fields = {**vars(inner), "steps": warmup}
    arrays = [name for name, value in fields.items() if holds_array(value)]
    if arrays:
        raise ValueError(
            f"schedule must have numbers as fields, got arrays in {', '.join(arrays)}; export one schedule"
        )
    return _in_whole_numbers(inner), warmup


def _in_whole_numbers(schedule: Any) -> Inner:
    """The schedule with ints for lengths, and a T_mult, that are whole."""
    names = (*lengths_of(schedule), *("T_mult",) * isinstance(schedule, WarmRestarts))
    whole: Inner = replace(schedule, **{name: _whole(getattr(schedule, name)) for name in names})
    return whole


def _unknown(target: str, interval: Interval, schedule: Inner) -> ValueError:
    """The refusal of code in a unit that would be a guess."""
    once = "; or interval='epoch' (--interval epoch), if the rate changed once an epoch"
    return ValueError(
        f"steps_per_epoch must be known for {target}, which is stepped at every optimizer update: "
        f"{lengths_of(schedule)[0]} counts epochs; give the number of updates in an epoch as steps_per_epoch "
        f"(--steps-per-epoch){once if target in LOOPED and interval == 'step' else ''}"
    )


def script(*parts: str) -> str:
    """The parts in order, as a formatter would set them: two empty lines around definitions, else one."""
    text = parts[0]
    for before, part in pairwise(parts):
        apart = any(block.startswith(("def ", "class ", "@")) for block in (before, part))
        text += ("\n\n\n" if apart else "\n\n") + part
    return text + "\n"


def header(plan: Plan, per_batch: str, per_epoch: str, or_batch: str) -> str:
    """The comment at the top where a training loop steps the schedule, which says when.

    In what it says per epoch, {counted} stands for the lengths that count epochs.
    """
    if plan.steps_per_epoch is not None:
        return plan.header("step", per_batch)
    said = per_epoch + or_batch * (plan.interval is None)
    return plan.header("epoch", said.format(counted=plan.counted))


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


def _whole(length: Any) -> Any:
    if isinstance(length, tuple):
        return tuple(map(_whole, length))
    return int(length) if isinstance(length, float) and length.is_integer() else length
