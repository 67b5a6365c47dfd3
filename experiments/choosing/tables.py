"""The tables of one workload."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.bench import report
from experiments.choosing.grid import CONSTANT, CYCLES, FACTORS, ONE, closed_name, lengths, open_name
from experiments.choosing.reading import Found, Worth


def of(errors: Found, budget: int) -> str:
    """The tables as Markdown. A star: better than one cosine by its 95 % interval; a minus: worse."""
    parts = []
    for title, worth in (("its best epoch", errors.best), ("the end of the budget", errors.end)):
        rows = [
            [f"T_0 = {T_0}", *(_cell(worth, open_name(T_0, T_mult)) for T_mult in FACTORS)]
            for T_0 in lengths(budget)
        ]
        rows += [
            [f"{cycles} cycles, closed", *(_cell(worth, closed_name(cycles, T_mult)) for T_mult in FACTORS)]
            for cycles in CYCLES
        ]
        alone = f"one cosine {worth[ONE].mean:.4f}, constant {_cell(worth, CONSTANT)}"
        header = [f"error at {title}", *(f"T_mult = {T_mult}" for T_mult in FACTORS)]
        parts.append(f"{report.table(header, rows)}\n\nWithout restarts: {alone}.")
    return "\n\n".join(parts)


def _cell(worth: Mapping[str, Worth], name: str) -> str:
    if name not in worth:
        return report.ABSENT
    error = worth[name]
    sign = ""
    if error.difference is not None:
        sign = " *" if error.difference.high < 0 else " -" if error.difference.low > 0 else ""
    return f"{error.mean:.4f}{sign}"
