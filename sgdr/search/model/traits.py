"""What a schedule does to a training, in a few numbers by which schedules of all shapes are alike or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdr.search.problem.types import Schedule
from sgdr.warmup import unwarmed

if TYPE_CHECKING:
    from jaxtyping import Float64

TRAITS = ("mean rate", "lowest rate", "descent", "restarts", "end", "last rate")
POINTS = 240
"""Points of the budget at which the rate is looked at."""
WINDOW = POINTS // 60
"""Points over which the rate is smoothed."""
LOWEST = 1e-2
"""The share of the peak below which rates are alike."""
SCALES = np.array([0.5, 0.8, 0.35, 0.9, 0.3, 0.8])
"""A step of each trait that makes about as much of a difference as that of another."""


def traits(schedule: Schedule, budget: int) -> Float64[np.ndarray, " traits"]:
    """The traits of a schedule in epochs, in the order of `TRAITS`, each divided by its scale.

    The model that is kept is mostly that of the end: the last point where the rate is about as low as it ever
    is. Up to there: the logarithm of the mean rate, that of the lowest, and the square root of the share of
    the budget in which it fell at last, all in shares of the peak; the logarithm of one more than the number
    of restarts. Then the share of the budget that this is, and the logarithm of the rate at the last epoch.
    A warm-up is not looked at: what comes after it has the traits that it has without, in what is left.
    """
    schedule, warmup = unwarmed(schedule)
    budget = max(budget - warmup, 1)
    steps = (np.arange(POINTS) + 0.5) / POINTS * budget
    rates = np.maximum(np.asarray(schedule(steps), float), 0.0)
    rates = rates / max(rates.max(), np.finfo(float).tiny)
    smooth = np.convolve(rates, np.ones(WINDOW) / WINDOW, "valid")
    lowest = smooth.min()
    end = int(np.flatnonzero(smooth <= lowest + 0.05 * (1 - lowest) + 1e-9)[-1]) + WINDOW
    until = rates[:end]
    rises = np.flatnonzero(np.diff(until) > 1e-6)
    descent = until[int(rises[-1]) + 1 if len(rises) else 0 :]
    falling = descent < 0.999 * descent.max()
    measured = [
        np.log(until.mean()),
        np.log10(max(until[-WINDOW:].mean(), LOWEST)),
        np.sqrt(falling.sum() / POINTS),
        np.log1p((np.diff(until) > 0.3).sum()),
        end / POINTS,
        np.log10(max(rates[-2 * WINDOW :].mean(), LOWEST)),
    ]
    return np.asarray(np.array(measured) / SCALES)
