"""The warm-up of a trial: the schedule after it has what it leaves of the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sgdr.errors import ArgumentError
from sgdr.search.problem.types import Schedule
from sgdr.warmup import Warmup

WARMUP = "warmup"
"""The name of the searched parameter, in epochs."""

Params = Mapping[str, Any]


def warmed(
    make: Callable[[Params, int], tuple[Schedule, int]], params: Params, budget: int, warmup: int
) -> tuple[Schedule, int]:
    """A schedule in epochs after so many of warm-up, and how many epochs its trial trains.

    `make` gives the same of parameters for a budget. The first cycle of the schedule is never longer than
    what is left of the budget, so that one cosine ends where the budget does.
    """
    if not warmup:
        return make(params, budget)
    left = budget - warmup
    within = {**params, "T_0": min(params["T_0"], left)} if "T_0" in params else params
    schedule, epochs = make(within, left)
    return Warmup(schedule, warmup), warmup + epochs


def check_fits(warmup: Any, longest: int, budget: int) -> None:
    """Raises ArgumentError where the longest warm-up leaves no epoch of the budget."""
    if longest >= budget:
        raise ArgumentError(WARMUP, warmup, f"leaves no epoch of the budget of {budget}", "lower it")
