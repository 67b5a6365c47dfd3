"""The schedules that the paper compares, for any budget.

Its own are of 200 epochs: the default of Zagoruyko and Komodakis, which drops the rate to a fifth after 60,
120 and 160 of them, and warm restarts. Other budgets keep the shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.paper.published import EPOCHS
from sgdr.relatives import StepDecay
from sgdr.schedule import WarmRestarts

RATES = (0.1, 0.05)
"""The rates of the step decays. The other schedules have the one of these as their peak that was better with
steps: in the paper the second."""
PEAK = 0.05
DROPS = (60, 120, 160)
FACTOR = 0.2
RESTARTS = ((50, 1), (100, 1), (200, 1), (1, 2), (10, 2))
"""T_0 and T_mult."""


@dataclass(frozen=True)
class Setting:
    """One of the schedules that are compared."""

    key: str
    """The key by which it is chosen, and its file is named."""
    name: str
    """What the paper would call it, in its own 200 epochs."""
    schedule: Any
    """The schedule, in epochs of the budget here."""


def settings(budget: int, rates: tuple[float, float] = RATES, peak: float = PEAK) -> dict[str, Setting]:
    """All schedules of the comparison by their keys, for so many epochs; `rates` from high to low."""
    compared = [
        Setting("decay-high", f"step decay, lr {rates[0]:g}", _decay(budget, rates[0])),
        Setting("decay-low", f"step decay, lr {rates[1]:g}", _decay(budget, rates[1])),
        Setting("constant", f"constant, lr {peak:g}", StepDecay(peak, ())),
    ]
    for T_0, T_mult in RESTARTS:
        schedule = WarmRestarts(peak, _scaled(T_0, budget), T_mult)
        compared.append(
            Setting(f"t{T_0}{'-double' * (T_mult == 2)}", f"T_0 = {T_0}, T_mult = {T_mult}", schedule)
        )
    return {setting.key: setting for setting in compared}


def _decay(budget: int, rate: float) -> StepDecay:
    # In a budget of a few epochs, drops fall together; each epoch has one at most.
    drops = sorted({_scaled(drop, budget) for drop in DROPS})
    return StepDecay(rate, milestones=tuple(drops), gamma=FACTOR)


def _scaled(epochs: int, budget: int) -> int:
    """The epochs that are as large a share of the budget as so many are of the paper's: whole, since models
    are evaluated at the ends of epochs, and so at least one."""
    return max(1, round(epochs * budget / EPOCHS))
