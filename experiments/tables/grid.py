"""The schedules of a table: every shape at every peak."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from sgdr.decays import Linear, Power, StableDecay
from sgdr.formula import Formula
from sgdr.relatives import Cyclic, OneCycle, StepDecay
from sgdr.schedule import WarmRestarts

PEAKS = 13
"""Peaks a table, evenly on the logarithm of the workload's range."""
MILESTONES = (0.3, 0.6, 0.8)
CLOSED = {1: (10, 5, 3, 2), 2: (6, 5, 4, 3, 2), 3: (4, 3, 2)}
"""The numbers of cycles that end with the budget, by T_mult."""
OPEN = {1: (0.02, 0.05, 0.15, 0.4, 0.7), 2: (0.1, 0.2, 0.45), 3: (0.03, 0.12)}
"""Shares of the budget that are T_0, by T_mult, with which the budget ends within a cycle: who draws T_0 at
random meets such ones mostly."""
HIGH_FLOOR = ((1, 5), (2, 4), (2, 3), (3, 3))
"""(T_mult, cycles) of restarts that are trained with an eta_min of a tenth of the peak too."""

Schedule = WarmRestarts | Formula


@dataclass(frozen=True)
class Entry:
    """One schedule of a table."""

    shape: str
    """The name of the family."""
    variant: str
    """What distinguishes it from others of the family, its peak aside."""
    schedule: Schedule
    """The schedule, in epochs."""


def peaks(base_lr: tuple[float, float], count: int = PEAKS) -> list[float]:
    """So many peak rates, from the lowest to the highest of a range."""
    return [float(f"{rate:.4g}") for rate in np.geomspace(*base_lr, count)]


def entries(base_lr: tuple[float, float], budget: int, count: int = PEAKS) -> list[Entry]:
    """All schedules of a table, for a budget in epochs, shape by shape."""
    return [
        Entry(shape, variant, make(peak))
        for name, make in _makers(budget).items()
        for shape, variant in [name.split("/")]
        for peak in peaks(base_lr, count)
    ]


def _makers(budget: int) -> Mapping[str, Callable[[float], Schedule]]:
    """Functions from a peak to a schedule, by the shape and the variant with a stroke between."""
    makers: dict[str, Callable[[float], Schedule]] = {
        "cosine/0": lambda peak: WarmRestarts(peak, budget),
        "cosine/0.1": lambda peak: WarmRestarts(peak, budget, 1, 0.1 * peak),
        "linear/0": lambda peak: Linear(peak, budget),
        "wsd/linear": lambda peak: StableDecay(peak, budget, 0.2),
        "wsd/sqrt": lambda peak: StableDecay(peak, budget, 0.2, fall="sqrt"),
        "power/2": lambda peak: Power(peak, budget, 2.0),
        "one-cycle/0.3": lambda peak: OneCycle(peak, budget, 0.3),
        "step-decay/0.1": lambda peak: StepDecay(peak, tuple(budget * share for share in MILESTONES), 0.1),
        "step-decay/0.3": lambda peak: StepDecay(peak, tuple(budget * share for share in MILESTONES), 0.3),
        "cyclic/4": lambda peak: Cyclic(peak, budget / 8),
        "constant/1": lambda peak: WarmRestarts(peak, budget, 1, peak),
    }
    for T_mult, T_0, ratio in _cycles(budget):
        name = f"restarts/{T_0}x{T_mult} {ratio:g}"
        makers[name] = partial(_restarts, T_0=T_0, T_mult=T_mult, ratio=ratio)
    return makers


def _restarts(peak: float, T_0: int, T_mult: int, ratio: float) -> Schedule:
    return WarmRestarts(peak, T_0, T_mult, ratio * peak)


def _cycles(budget: int) -> Iterator[tuple[int, int, float]]:
    """(T_mult, T_0, eta_min as a share of the peak) of all restarts, for a budget in epochs."""
    for T_mult, counts in CLOSED.items():
        for cycles in counts:
            T_0 = max(1, budget // sum(T_mult**index for index in range(cycles)))
            for ratio in (0.0, 0.1) if (T_mult, cycles) in HIGH_FLOOR else (0.0,):
                yield T_mult, T_0, ratio
    for T_mult, shares in OPEN.items():
        for share in shares:
            yield T_mult, max(1, round(share * budget)), 0.0
