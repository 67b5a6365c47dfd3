"""Cycles as text: the one of a step, and the rate of warm restarts in it.

Cycles are found exactly, by ints and fractions; a logarithm, rounded, gives the wrong cycle at restarts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from sgdr.cycles import Number
from sgdr.export.dialect import Dialect
from sgdr.export.plan import LAST_STEP, Plan
from sgdr.schedule import WarmRestarts

MOST_CYCLES = 4096
"""The most cycles in a table that has no end of its own and no budget; with a budget 256 times as many."""


def fields(plan: Plan) -> dict[str, str]:
    """The fields of warm restarts that have an effect, with their values as they are written."""
    s = plan.schedule
    written = {"base_lr": repr(s.base_lr), "T_0": number(s.T_0)}
    if s.T_mult != 1:
        written["T_mult"] = number(s.T_mult)
    written["eta_min"] = repr(s.eta_min)
    if s.peak_decay != 1.0:
        written["peak_decay"] = repr(s.peak_decay)
    if s.cycles is not None:
        written["cycles"] = repr(s.cycles)
    return written


def number(value: Number) -> str:
    """A length or factor as exact arithmetic takes it: a fraction where it is not whole."""
    return repr(value) if isinstance(value, int) else f"Fraction({value!r})"


def python(plan: Plan) -> tuple[list[str], list[str], str]:
    """The rate in plain Python, exact for every int step: constants beside the fields, lines, the rate."""
    s = plan.schedule
    head = []
    if s.T_mult == 1:
        cycle = ["index, position = divmod(step, T_0)", "remaining = (T_0 - position) / T_0"]
        if s.peak_decay == 1.0 and s.cycles is None:
            cycle[0] = "position = step % T_0"
    else:
        head = ["STARTS = [0]  # of the cycles, exact; as many as were needed so far"]
        divide = "//" if plan.whole else "/"
        cycle = [
            "while STARTS[-1] <= step:",
            f"    STARTS.append(T_0 * (T_MULT ** len(STARTS) - 1) {divide} (T_MULT - 1))",
            "index = bisect_right(STARTS, step) - 1",
            "end, length = STARTS[index + 1], T_0 * T_MULT**index",
            # The quotient of two long fractions would be slow.
            f"remaining = {'(end - step) / length' if plan.whole else 'float(end - step) / float(length)'}",
        ]
    if s.cycles is not None:
        cycle += ["if index >= CYCLES:", "    return ETA_MIN"]
    peak = "BASE_LR"
    if s.peak_decay != 1.0:
        cycle.append("peak = max(ETA_MIN, BASE_LR * PEAK_DECAY**index)")
        peak = "peak"
    cycle += [
        "# (1 + cos(pi * position / length)) / 2, precise down to the trough",
        "weight = math.sin(math.pi / 2 * remaining) ** 2",
    ]
    return head, cycle, f"ETA_MIN + ({peak} - ETA_MIN) * weight"


def are_equal(plan: Plan) -> bool:
    """Whether the cycle is a quotient of ints of 32 bits; else it is looked up in a table."""
    return plan.whole and plan.schedule.T_mult == 1 and plan.schedule.T_0 <= LAST_STEP


def are_counted(plan: Plan) -> bool:
    """Whether the rate asks for the number of the cycle."""
    return plan.schedule.peak_decay != 1.0 or plan.schedule.cycles is not None


def of_triangles(plan: Plan) -> Plan:
    """The plan of warm restarts whose cycles are the triangles of the plan's `Cyclic`."""
    s, given = plan.schedule, plan.given
    as_restarts = (WarmRestarts(1.0, triangles.up + triangles.down) for triangles in (s, given))
    return replace(plan, schedule=next(as_restarts), given=next(as_restarts))


def starts(plan: Plan, name: Callable[[str], str], variable: str) -> list[str]:
    """Lines that make the list `variable` of the exact starts of cycles; `name` gives the name of a field."""
    T_0, T_mult = name("T_0"), name("T_mult")
    start = f"{T_0} * ({T_mult}**i - 1) {'//' if plan.whole else '/'} ({T_mult} - 1)"
    if plan.schedule.T_mult == 1:
        start = f"i * {T_0}"
    return [
        f"{variable} = list(",
        "    takewhile(",
        "        lambda start: start < 2**31,",
        f"        ({start} for i in range({table_length(plan)})),",
        "    )",
        ")  # of the cycles, exact",
    ]


def table_length(plan: Plan) -> int:
    """The most cycles that a table may hold: all that begin in the budget. Raises ValueError for too many."""
    needed = 0 if plan.steps is None else plan.cycles.locate(min(plan.steps, LAST_STEP))[0] + 1
    if needed > 256 * MOST_CYCLES:
        raise ValueError(
            f"budget must not hold more than {256 * MOST_CYCLES} cycles of T_0={plan.given.T_0!r} where they "
            f"are not whole steps, got {needed}; lengthen T_0 or make it whole"
        )
    return max(MOST_CYCLES, needed)


def table_note(plan: Plan) -> str | None:
    """What to say where the table ends before the last step of 32 bits."""
    count = table_length(plan)
    if plan.cycles.locate(LAST_STEP)[0] < count:
        return None
    end = next(islice(plan.cycles.first_steps(), count - 1, None)) + plan.warmup
    return f"The table holds {count} cycles: it is right before step {end}."


def falling(plan: Plan, d: Dialect) -> tuple[list[str], str]:
    """Lines from `remaining`, the share of the cycle that is to go, to the rate, and the rate.

    `index` is the number of the cycle.
    """
    s = plan.schedule
    base_lr, eta_min = d.name("base_lr"), d.name("eta_min")
    lines = []
    peak = base_lr
    if s.peak_decay != 1.0:
        lines += [
            "# A power of a rounded factor would be wrong after many cycles.",
            f"decay = {d.xp}.exp(math.log({d.name('peak_decay')}) * {d.real('index')})",
            f"peak = {d.most(eta_min, f'{base_lr} * decay')}",
        ]
        peak = "peak"
    lines += [
        "# (1 + cos(pi * position / length)) / 2, precise down to the trough",
        f"weight = {d.xp}.sin(math.pi / 2 * remaining) ** 2",
    ]
    rate = f"{eta_min} + ({peak} - {eta_min}) * weight"
    if s.cycles is None:
        return lines, rate
    return [*lines, f"rate = {rate}"], f"{d.xp}.where(index < {d.name('cycles')}, rate, {eta_min})"
