"""The schedules that are compared: all T_0 and T_mult, all closing ones, and those without restarts."""

from __future__ import annotations

from collections.abc import Sequence

from sgdr import WarmRestarts

SHARES = (1 / 48, 1 / 24, 1 / 12, 1 / 6, 1 / 3, 1 / 2)
"""The values of T_0 as shares of the budget."""
FACTORS = (1, 2, 3)
CYCLES = (2, 3, 4, 5)
ETA_RATIO = 0.01
ONE, CONSTANT = "one cosine", "constant"


def schedules(budget: int, peaks: Sequence[float]) -> dict[str, dict[float, WarmRestarts]]:
    """The schedules that are compared, by name and peak, in epochs."""
    named = {ONE: {peak: WarmRestarts(peak, budget, 1, ETA_RATIO * peak) for peak in peaks}}
    named[CONSTANT] = {peak: WarmRestarts(peak, budget, 1, peak) for peak in peaks}
    for T_0 in lengths(budget):
        for T_mult in FACTORS:
            named[open_name(T_0, T_mult)] = {
                peak: WarmRestarts(peak, T_0, T_mult, ETA_RATIO * peak) for peak in peaks
            }
    for cycles in CYCLES:
        for T_mult in FACTORS:
            if fits(budget, cycles, T_mult):
                named[closed_name(cycles, T_mult)] = {
                    peak: closed(budget, cycles, T_mult, peak) for peak in peaks
                }
    return named


def lengths(budget: int) -> list[int]:
    """The T_0 that are compared, in epochs."""
    return sorted({max(1, round(share * budget)) for share in SHARES})


def fits(budget: int, cycles: int, T_mult: int) -> bool:
    """Whether so many cycles have room in the budget."""
    return sum(int(T_mult**i) for i in range(cycles)) <= budget


def closed(budget: int, cycles: int, T_mult: int, peak: float) -> WarmRestarts:
    """The schedule whose last trough is the end of the budget; what is left over stays at the lowest rate."""
    T_0 = WarmRestarts.closing(budget, cycles, T_mult, base_lr=peak).T_0
    return WarmRestarts(peak, T_0, T_mult, ETA_RATIO * peak, cycles=cycles)


def open_name(T_0: int, T_mult: int) -> str:
    """The name of a schedule that the budget may cut off anywhere."""
    return f"T_0={T_0} T_mult={T_mult}"


def closed_name(cycles: int, T_mult: int) -> str:
    """The name of a schedule that ends at a trough."""
    return f"{cycles} cycles T_mult={T_mult}"
