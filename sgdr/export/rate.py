"""The rate as a function of the step, as text: its constants, the step that it takes, and what it gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from sgdr.export import cycles, formulas
from sgdr.export.dialect import PYTHON, Dialect
from sgdr.export.plan import LAST_STEP, Plan, lengths_of
from sgdr.relatives import Cyclic

EXTREME = 1e28
"""Beyond it, or below its inverse, the lengths of cycles are too large or small for a float32."""
STANDARD = {
    "import math": ("math.",),
    "from bisect import bisect_right": ("bisect_right(",),
    "from fractions import Fraction": ("Fraction(",),
    "from itertools import islice, takewhile": ("islice(", "takewhile("),
    "from itertools import islice": ("islice(",),
    "from itertools import takewhile": ("takewhile(",),
}
"""Imports of the standard library, and what all has to stand in code that needs them."""


def imports(*parts: str) -> str:
    """What these parts of the code import of the standard library."""
    text = "\n".join(parts)
    needed = [line for line, uses in STANDARD.items() if all(use in text for use in uses)]
    both = "from itertools import islice, takewhile"
    return "\n".join(line for line in needed if line == both or both not in needed or "itertools" not in line)


def fields(plan: Plan) -> dict[str, str]:
    """The fields that have an effect, with their values as they are written."""
    if plan.restarts:
        written = cycles.fields(plan)
    else:
        s = plan.schedule
        written = {name: _value(getattr(s, name)) for name in formulas.text(s, PYTHON).fields}
    if plan.warmup:
        written["warmup"] = repr(plan.warmup)
    if plan.held > 1:
        written["steps_per_epoch"] = repr(plan.held)
    return written


def _value(value: Any) -> str:
    if not isinstance(value, tuple):
        return repr(value)
    # A whole step is at a milestone, or beyond, where it is at the next whole one.
    return formulas.listed(map(math.ceil, value))


def derived(plan: Plan, name: Callable[[str], str], own: Callable[[str], str]) -> dict[str, str]:
    """What follows from the fields, by name, as expressions.

    In them `name` gives the name of a field, and `own` that of what follows from it.
    """
    if plan.restarts:
        return {}
    expressions = formulas.text(plan.schedule, PYTHON).derived
    names = {**{field: name(field) for field in fields(plan)}, **{field: own(field) for field in expressions}}
    return {field: expression.format(**names) for field, expression in expressions.items()}


def constants(plan: Plan) -> str:
    """The fields, and what follows from them, as the constants that the function uses."""
    values = {**fields(plan), **derived(plan, str.upper, str.upper)}
    return "\n".join(f"{name.upper()} = {value}" for name, value in values.items())


def python(plan: Plan) -> tuple[str, str]:
    """Constants and the function `learning_rate(step)` in plain Python, exact for every int step."""
    head, lines, rate = _python(plan)
    body = [*opening(plan, PYTHON), *lines, *closing(plan, rate)]
    return "\n".join([constants(plan), *head]), function(body)


def _python(plan: Plan) -> tuple[list[str], list[str], str]:
    if plan.restarts:
        return cycles.python(plan)
    text = formulas.text(plan.schedule, PYTHON)
    return [], [*equal_triangles(plan, PYTHON), *text.lines], text.rate


def equal_triangles(plan: Plan, d: Dialect) -> list[str]:
    """Lines that find the triangle of a step by a division, where the schedule has some."""
    if not isinstance(plan.schedule, Cyclic):
        return []
    T_0 = d.name("T_0")
    index = [f"index = step // {T_0}"] * (plan.schedule.mode == "triangular2")
    return [*index, f"position = {d.real(f'step % {T_0}')}"]


def opening(plan: Plan, d: Dialect) -> list[str]:
    """Lines by which every update of an epoch has the rate of the first, where that is so, and by which the
    schedule begins after its warm-up: in that it has its first rate, of which `warm` is the share."""
    lines = [f"step = step - step % {d.name('steps_per_epoch')}"] * (plan.held > 1)
    if plan.warmup:
        warmup = d.name("warmup")
        share = f"{d.real('step')} / {warmup}"
        lines += [f"warm = {d.least(share, '1.0')}", f"step = {d.most(f'step - {warmup}', '0')}"]
    return lines


def closing(plan: Plan, rate: str) -> list[str]:
    """Lines that give the rate, of which there is a share in the warm-up."""
    if not plan.warmup:
        return [f"return {rate}"]
    return [*[f"rate = {rate}"] * (rate != "rate"), "return warm * rate"]


def function(body: Iterable[str]) -> str:
    """The definition of `learning_rate(step)` as text."""
    lines = ("def learning_rate(step):", '"""The rate at that step, from 0."""', *body)
    return "\n    ".join(lines)


def check_float32(plan: Plan) -> None:
    """Raises ValueError for fields with which float32, and steps of 32 bits, cannot do."""
    s = plan.schedule
    checked = {"base_lr": s.base_lr}
    if plan.restarts:
        checked |= {"T_0": s.T_0, "T_mult": s.T_mult}
    for field, value in checked.items():
        if not 1 / EXTREME <= value <= EXTREME:
            raise ValueError(
                f"{field} must be from {1 / EXTREME:g} to {EXTREME:g} for a framework that computes in "
                f"float32, got {value!r}; give a number in that range"
            )
    lengths = {} if plan.restarts else {name: getattr(s, name) for name in lengths_of(s)}
    for field, length in {**lengths, "warmup": plan.warmup}.items():
        longest = max(length, default=0) if isinstance(length, tuple) else length
        if longest > LAST_STEP:
            raise ValueError(
                f"{field} must be at most {LAST_STEP} steps for a framework that counts in 32 bits, got "
                f"{longest!r}; give a shorter one"
            )
