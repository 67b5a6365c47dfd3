"""The rates of `sgdr.decays` and `sgdr.relatives` as text: their fields, what follows from these, the lines.

Lines are written once, in a dialect, as the formulas themselves are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sgdr.decays import Linear, Power, StableDecay
from sgdr.export.dialect import WIDTH, Dialect
from sgdr.formula import Formula
from sgdr.relatives import Cyclic, OneCycle, StepDecay


@dataclass(frozen=True)
class Text:
    """The text of a rate."""

    fields: tuple[str, ...]
    """The fields that have an effect."""
    lines: list[str]
    """What comes before the rate; `step` is the number of the step."""
    rate: str
    """The expression that is the rate."""
    derived: Mapping[str, str]
    """What follows from the fields, by name: an expression with {field} for each of them."""


def text(schedule: Formula, d: Dialect) -> Text:
    """The text of a formula's rate in that dialect. That of `Cyclic` takes `position`, the steps since its
    triangle began, and `index`, the number of that."""
    return _TEXTS[type(schedule)](schedule, d)


def _linear(s: Linear, d: Dialect) -> Text:
    return Text(("base_lr", "length", "eta_min"), _left(s, d), _between(d, "left"), {})


def _power(s: Power, d: Dialect) -> Text:
    lines = [*_left(s, d), f"height = left**{d.name('power')}"]
    return Text(("base_lr", "length", "power", "eta_min"), lines, _between(d, "height"), {})


def _stable_decay(s: StableDecay, d: Dialect) -> Text:
    lines, passed = d.since(d.name("begin"))
    lines += [
        f"done = {passed} / ({d.name('length')} - {d.name('begin')})",
        f"done = {d.clipped('done')}",
        "left = 1 - done" if s.fall == "linear" else f"left = 1 - {d.xp}.sqrt(done)",
    ]
    fields = ("base_lr", "length", "pct_decay", "eta_min")
    return Text(fields, lines, _between(d, "left"), {"begin": "{length} * (1 - {pct_decay})"})


def _one_cycle(s: OneCycle, d: Dialect) -> Text:
    lines, passed = d.since("begin")
    lines += [f"done = {passed} / (end - begin)", f"done = {d.clipped('done')}"]
    if s.anneal == "linear":
        lines.append("rate = rate * (1 - done) + after * done")
    else:
        lines += [
            "angle = math.pi / 2 * done",
            f"rate = rate * {d.xp}.cos(angle) ** 2 + after * {d.xp}.sin(angle) ** 2",
        ]
    points = [
        "0",
        "{pct_start} * {length}",
        *["{pct_final} * {length}"] * (s.pct_final is not None),
        "{length}",
    ]
    rates = ["{base_lr}", *["{first}"] * (s.pct_final is not None), "{first} / {final_div_factor}"]
    phases = [
        f"({begin}, {end}, {after})" for begin, end, after in zip(points, points[1:], rates, strict=False)
    ]
    return Text(
        ("base_lr", "length", "pct_start", "div_factor", "final_div_factor")
        + ("pct_final",) * (s.pct_final is not None),
        [
            f"rate = {d.name('first')}",
            f"for begin, end, after in {d.name('phases')}:",
            *(f"    {line}" for line in lines),
        ],
        "rate",
        {"first": "{base_lr} / {div_factor}", "phases": listed(phases)},
    )


def _step_decay(s: StepDecay, d: Dialect) -> Text:
    lowered = d.where("step < milestone", "rate", f"rate * {d.name('gamma')}")
    lines = [
        f"rate = {d.name('base_lr')}",
        f"for milestone in {d.name('milestones')}:",
        f"    rate = {lowered}",
    ]
    return Text(("base_lr", "milestones", "gamma"), lines, "rate", {})


def _cyclic(s: Cyclic, d: Dialect) -> Text:
    up, down, T_0, gamma = map(d.name, ("up", "down", "T_0", "gamma"))
    lines = [
        f"falling = ({T_0} - position) / {down}",
        f"height = {d.where(f'position < {up}', f'position / {up}', 'falling')}",
    ]
    if s.mode == "triangular2":
        index = d.real("index")
        lines.append(f"height = height * 0.5{'**' if index == 'index' else ' ** '}{index}")
    if decays(s):
        lines.append(f"height = height * {d.xp}.exp(math.log({gamma}) * {d.real('step')})")
    eta_min = d.name("eta_min")
    rate = f"{eta_min} + ({d.name('base_lr')} - {eta_min}) * height"
    fields = ("base_lr", "up", "down", "eta_min") + ("gamma",) * decays(s)
    return Text(fields, lines, rate, {"T_0": "{up} + {down}"})


def decays(schedule: Cyclic) -> bool:
    """Whether its triangles become lower with every step."""
    return schedule.mode == "exp_range" and schedule.gamma != 1.0


def listed(entries: Iterable[Any], brackets: str = "()") -> str:
    """A tuple or a list, with an entry a line where one line would be long."""
    first, last = brackets[0], brackets[1]
    texts = list(map(str, entries))
    line = f"{first}{', '.join(texts)}{',' * (len(texts) == 1 and brackets == '()')}{last}"
    if len(line) <= WIDTH // 2:
        return line
    return "\n".join([first, *(f"    {text}," for text in texts), last])


def arguments(values: Mapping[str, str]) -> list[str]:
    """The lines of a call's arguments."""
    return [f"    {line}" for name, value in values.items() for line in f"{name}={value},".splitlines()]


def _left(s: Linear | Power, d: Dialect) -> list[str]:
    lines, to_go = d.until("length", s.length)
    return [*lines, f"left = {d.most(to_go, '0')} / {d.name('length')}"]


def _between(d: Dialect, height: str) -> str:
    """The rate at a height from 0, the lowest rate, to 1, the peak."""
    return f"{d.name('base_lr')} * {height} + {d.name('eta_min')} * (1 - {height})"


_TEXTS: dict[type[Formula], Callable[[Any, Dialect], Text]] = {
    Linear: _linear,
    Power: _power,
    StableDecay: _stable_decay,
    OneCycle: _one_cycle,
    StepDecay: _step_decay,
    Cyclic: _cyclic,
}
FORMULAS = tuple(_TEXTS)
"""The formulas that are written as code."""
