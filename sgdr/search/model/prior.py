"""What is expected of schedules before any trial.

The numbers were learned on tables of curves, by `experiments/tables/learn.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdr.search.model.candidates import Candidates

if TYPE_CHECKING:
    from jaxtyping import Float64


@dataclass(frozen=True)
class Prior:
    """Standard deviations are in units of the warp, lengths of rates in natural logarithms."""

    rate: float
    """How much the mean rate, whatever the shape, makes of a difference."""
    rate_length: float
    peak: float
    """How much the peak does beyond that."""
    peak_length: float
    shape: float
    """How much what a schedule does, whatever the peak, makes of a difference."""
    shape_length: float
    both: float
    """How much it does at one peak and not at another."""
    both_shape_length: float
    both_peak_length: float
    noise: float
    """Standard deviation between seeds."""
    bowl: float
    """How much worse the ends of the range of peaks are than its best place."""
    place: float
    """The best place of a peak in its range, from 0 to 1."""
    slopes: tuple[float, ...]
    """How much worse a schedule is by each of its traits."""
    hparam: float = 1.0
    hparam_length: float = 0.5

    def mean(self, candidates: Candidates) -> Float64[np.ndarray, " rows"]:
        """The expected loss of each."""
        bowl = 8 * self.bowl * (candidates.places - self.place) ** 2
        return np.asarray(bowl + candidates.traits @ np.array(self.slopes))

    def covariance(self, left: Candidates, right: Candidates) -> Float64[np.ndarray, "left right"]:
        """How far two are alike."""
        mean_rates = [both.peaks + both.traits[:, 0] * MEAN_RATE for both in (left, right)]
        rates = _apart(mean_rates[0][:, None], mean_rates[1][:, None])
        peaks = _apart(left.peaks[:, None], right.peaks[:, None])
        shapes = _apart(left.traits, right.traits)
        hparams = _apart(left.hparams, right.hparams)
        alike = (
            self.rate**2 * np.exp(-0.5 * rates / self.rate_length**2)
            + self.peak**2 * _matern(peaks / self.peak_length**2)
            + self.shape**2 * _matern(shapes / self.shape_length**2)
            + self.both**2
            * _matern(peaks / self.both_peak_length**2)
            * _matern(shapes / self.both_shape_length**2)
        )
        if left.hparams.shape[1]:
            alike = alike + self.hparam**2 * _matern(hparams / self.hparam_length**2)
        return np.asarray(alike)


MEAN_RATE = 0.5
"""The scale of the first of a schedule's traits, the logarithm of its mean rate."""


def _apart(left: Any, right: Any) -> Float64[np.ndarray, "left right"]:
    """The squares of the distances between the rows."""
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * left @ right.T
    return np.asarray(np.maximum(squares, 0.0))


def _matern(squares: Any) -> Any:
    """The Matérn covariance of order 3/2 (Rasmussen & Williams 2006, equation 4.17)."""
    distance = np.sqrt(3 * squares)
    return (1 + distance) * np.exp(-distance)


PRIOR = Prior(
    rate=0.883,
    rate_length=1.081,
    peak=0.825,
    peak_length=1.439,
    shape=0.513,
    shape_length=2.209,
    both=0.543,
    both_shape_length=0.979,
    both_peak_length=0.973,
    noise=0.596,
    bowl=1.17,
    place=0.582,
    slopes=(-0.159, -0.021, 0.09, -0.017, 0.101, 0.041),
)
