"""How many cycles close a budget, with a first cycle of one of the lengths that are searched."""

from __future__ import annotations

from collections.abc import Collection

from sgdr.errors import ArgumentError


def counts_of_all(T_0: tuple[int, int], factors: Collection[int], budgets: range) -> tuple[int, int]:
    """The fewest and the most cycles that close one of the budgets, by one of the factors T_mult.

    Raises ArgumentError where no number of cycles closes some budget by some factor.
    """
    bounds = [counts(T_0, factor, budget) for factor in factors for budget in budgets]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def counts(T_0: tuple[int, int], T_mult: int, budget: int) -> tuple[int, int]:
    """The fewest and the most cycles that close a budget in epochs, with a T_0 in that range.

    Raises ArgumentError where there is no such number.
    """
    shortest, longest = T_0
    if T_mult == 1:
        fewest, most = budget // (longest + 1) + 1, budget // shortest
    else:
        fewest, most, total = 1, 0, 1
        while budget // total >= shortest:
            fewest += budget // total > longest
            total += T_mult ** (most + 1)
            most += 1
    if fewest > most:
        reason, fix = f"with T_mult={T_mult} closes no budget of {budget} epochs", "widen T_0"
        message = f"T_0={shortest}:{longest} {reason}; {fix}"
        raise ArgumentError("T_0", (shortest, longest), reason, fix, message=message)
    return fewest, most
