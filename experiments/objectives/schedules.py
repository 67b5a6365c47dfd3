"""The schedules that are compared: with restarts, and without at equal training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sgdr import WarmRestarts
from sgdr.search import Independent

MODELS = 5
"""Cycles of equal length, and models that are trained apart."""
ETA_RATIO = 0.01


def _one(peak: float, budget: int) -> WarmRestarts:
    return WarmRestarts(peak, budget, 1, ETA_RATIO * peak)


def _equal(peak: float, budget: int) -> WarmRestarts:
    return WarmRestarts(peak, budget // MODELS, 1, ETA_RATIO * peak)


def _doubling(peak: float, budget: int) -> WarmRestarts:
    return WarmRestarts.closing(budget, 4, 2, base_lr=peak, eta_min=ETA_RATIO * peak)


def _apart(peak: float, budget: int) -> Independent:
    return Independent(_equal(peak, budget))


RESTARTS: Mapping[str, Callable[[float, int], Any]] = MappingProxyType(
    {f"{MODELS} equal cycles": _equal, "4 cycles, T_mult = 2": _doubling}
)
CONTROLS: Mapping[str, Callable[[float, int], Any]] = MappingProxyType(
    {"one cosine": _one, f"{MODELS} models trained apart": _apart}
)
FAMILIES: Mapping[str, Callable[[float, int], Any]] = MappingProxyType({**RESTARTS, **CONTROLS})


def controls(objective: str) -> list[str]:
    """The controls of an objective: models that begin anew are none of a single training's."""
    return [name for name in CONTROLS if objective == "ensemble" or FAMILIES[name] is not _apart]
