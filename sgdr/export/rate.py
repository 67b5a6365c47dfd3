"""The rate as a function of the step: as text, in plain Python and for arrays of 32 bits.

Both find the cycle exactly, by ints and fractions; a logarithm, rounded, gives the wrong cycle at restarts.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from sgdr.cycles import Number
from sgdr.export.plan import LAST_STEP, Plan

MOST_CYCLES = 4096
"""The most cycles in a table that has no end of its own and no budget; with a budget 256 times as many."""
EXTREME = 1e28
"""Beyond it, or below its inverse, the lengths of cycles are too large or small for a float32."""


def constants(plan: Plan) -> str:
    """The fields as the constants that the function uses."""
    return "\n".join(f"{name.upper()} = {value}" for name, value in fields(plan).items())


def fields(plan: Plan) -> dict[str, str]:
    """The fields that have an effect, with their values as they are written."""
    s = plan.schedule
    written = {"base_lr": repr(s.base_lr), "T_0": number(s.T_0)}
    if s.T_mult != 1:
        written["T_mult"] = number(s.T_mult)
    written["eta_min"] = repr(s.eta_min)
    if s.peak_decay != 1.0:
        written["peak_decay"] = repr(s.peak_decay)
    if s.cycles is not None:
        written["cycles"] = repr(s.cycles)
    if plan.held > 1:
        written["steps_per_epoch"] = repr(plan.held)
    return written


def number(value: Number) -> str:
    """A length or factor as exact arithmetic takes it: a fraction where it is not whole."""
    return repr(value) if isinstance(value, int) else f"Fraction({value!r})"


def imports(plan: Plan) -> str:
    """What `python` needs."""
    s = plan.schedule
    growing = s.T_mult != 1
    return "\n".join(
        ["import math"]
        + ["from bisect import bisect_right"] * growing
        + ["from fractions import Fraction"] * (not plan.whole)
    )


def python(plan: Plan) -> tuple[str, ...]:
    """Constants and the function `learning_rate(step)` in plain Python, exact for every int step."""
    s = plan.schedule
    head = constants(plan)
    if s.T_mult == 1:
        cycle = ["index, position = divmod(step, T_0)", "remaining = (T_0 - position) / T_0"]
        if s.peak_decay == 1.0 and s.cycles is None:
            cycle[0] = "position = step % T_0"
    else:
        head += "\nSTARTS = [0]  # of the cycles, exact; as many as were needed so far"
        divide = "//" if plan.whole else "/"
        cycle = [
            "while STARTS[-1] <= step:",
            f"    STARTS.append(T_0 * (T_MULT ** len(STARTS) - 1) {divide} (T_MULT - 1))",
            "index = bisect_right(STARTS, step) - 1",
            "end, length = STARTS[index + 1], T_0 * T_MULT**index",
            # The quotient of two long fractions would be slow.
            f"remaining = {'(end - step) / length' if plan.whole else 'float(end - step) / float(length)'}",
        ]
    body = [*holding(plan, str.upper), *cycle]
    if s.cycles is not None:
        body += ["if index >= CYCLES:", "    return ETA_MIN"]
    peak = "BASE_LR"
    if s.peak_decay != 1.0:
        body.append("peak = max(ETA_MIN, BASE_LR * PEAK_DECAY**index)")
        peak = "peak"
    body += [
        "# (1 + cos(pi * position / length)) / 2, precise down to the trough",
        "weight = math.sin(math.pi / 2 * remaining) ** 2",
        f"return ETA_MIN + ({peak} - ETA_MIN) * weight",
    ]
    return head, function("def learning_rate(step):", "The rate at that step, from 0.", body)


def holding(plan: Plan, name: Callable[[str], str]) -> list[str]:
    """A line by which every update of an epoch has the rate of the first, where that is so."""
    return [f"step = step - step % {name('steps_per_epoch')}"] if plan.held > 1 else []


def function(signature: str, docstring: str, body: list[str]) -> str:
    """A definition as text."""
    return "\n".join([signature, f'    """{docstring}"""', *("    " + line for line in body)])


def equal_cycles(plan: Plan) -> bool:
    """Whether the cycle is a quotient of ints of 32 bits; else it is looked up in a table."""
    return plan.whole and plan.schedule.T_mult == 1 and plan.schedule.T_0 <= LAST_STEP


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
            f"budget must not hold more than {256 * MOST_CYCLES} cycles of T_0={plan.T_0!r} where they are "
            f"not whole steps, got {needed}; lengthen T_0 or make it whole"
        )
    return max(MOST_CYCLES, needed)


def table_note(plan: Plan) -> str | None:
    """What to say where the table ends before the last step of 32 bits."""
    count = table_length(plan)
    if plan.cycles.locate(LAST_STEP)[0] < count:
        return None
    end = next(islice(plan.cycles.first_steps(), count - 1, None))
    return f"The table holds {count} cycles: it is right before step {end}."


def falling(plan: Plan, xp: str, name: Callable[[str], str], index: str) -> list[str]:
    """Lines from `remaining`, the share of the cycle that is to go, to the rate; `xp` is the namespace.

    `index` is the number of the cycle as a float.
    """
    s = plan.schedule
    base_lr, eta_min = name("base_lr"), name("eta_min")
    lines = []
    peak = base_lr
    if s.peak_decay != 1.0:
        lines += [
            "# A power of a rounded factor would be wrong after many cycles.",
            f"decay = {xp}.exp(math.log({name('peak_decay')}) * {index})",
            f"peak = {xp}.maximum({eta_min}, {base_lr} * decay)",
        ]
        peak = "peak"
    lines += [
        "# (1 + cos(pi * position / length)) / 2, precise down to the trough",
        f"weight = {xp}.sin(math.pi / 2 * remaining) ** 2",
    ]
    rate = f"{eta_min} + ({peak} - {eta_min}) * weight"
    if s.cycles is None:
        return [*lines, f"return {rate}"]
    return [*lines, f"rate = {rate}", f"return {xp}.where(index < {name('cycles')}, rate, {eta_min})"]


def check_float32(plan: Plan) -> None:
    """Raises ValueError for fields with which float32 cannot do."""
    s = plan.schedule
    for field, value in (("base_lr", s.base_lr), ("T_0", s.T_0), ("T_mult", s.T_mult)):
        if not 1 / EXTREME <= value <= EXTREME:
            raise ValueError(
                f"{field} must be from {1 / EXTREME:g} to {EXTREME:g} for a framework that computes in "
                f"float32, got {value!r}; give a number in that range"
            )
