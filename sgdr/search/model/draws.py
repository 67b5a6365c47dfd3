"""What schedules are truly worth, drawn from the model: its numbers are not taken as known, but weighed.

The prior (`prior`) was learned on other workloads, on which the noise between seeds, and what shapes make of
a difference, may be another than here. So several of each are tried together with several units of the warp,
and the draws come from all of them, in the proportion of their likelihoods (Rasmussen & Williams, "Gaussian
Processes for Machine Learning", 2006, equations 2.23, 2.24, 2.30 and 5.2, on a grid). What trainings of one
schedule say of the noise counts too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from sgdr.search.model.candidates import Candidates
from sgdr.search.model.prior import PRIOR, Prior
from sgdr.search.model.surrogate import OFFSET, WEAKEST

if TYPE_CHECKING:
    from jaxtyping import Float64, Int

UNITS = np.geomspace(0.00125, 0.64, 10)
"""The units that are tried, in shares of the range of the losses."""
NOISES = (0.1, 0.3, 1.0)
"""The standard deviations between seeds that are tried, in those that were learned."""
FARTHEST = (WEAKEST, 1.0)
"""How much of the noise near the best is left far from it, as of `surrogate.WEAKEST`."""
SHAPES = (1.0, 3.0, 10.0)
"""How much what a schedule does makes of a difference, in what was learned."""
SURPRISE = 1.0
"""The standard deviation, in natural logarithms, of these from one workload to another."""
DRAWS = 4000
SEED = 0
JITTER = 1e-9
"""What is added to variances, so that rounding leaves them positive."""
WEIGHED = 80
"""Candidates by which the numbers are weighed, the first ones."""
LIGHTEST = 0.02
"""The weight below which a combination of numbers is left out, in that of the heaviest."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the trainings of each schedule gave: a row a schedule, of one training or several."""

    means: Float64[np.ndarray, " rows"]
    counts: Int[np.ndarray, " rows"]
    squares: Float64[np.ndarray, " rows"]
    """The sums of the squares of the deviations from the means."""

    @classmethod
    def of(cls, losses: Sequence[Sequence[float]]) -> Seen:
        """What these losses, which are finite, come to."""
        means = np.array([np.mean(of_row) for of_row in losses])
        squares = [np.sum((np.array(of_row) - mean) ** 2) for of_row, mean in zip(losses, means, strict=True)]
        return cls(means, np.array([len(of_row) for of_row in losses]), np.array(squares))

    def some(self, rows: Int[np.ndarray, " some"]) -> Seen:
        """Some of these rows."""
        return Seen(self.means[rows], self.counts[rows], self.squares[rows])


@dataclass(frozen=True, eq=False)
class Draws:
    """Losses that the schedules may truly have, some thousand times."""

    losses: Float64[np.ndarray, "draws rows"]
    deviation: float
    """The standard deviation between seeds, near the best."""


def drawn(candidates: Candidates, seen: Seen) -> Draws:
    """The true losses of all the candidates, drawn together; the same for the same trainings.

    The first candidates are to be the best.
    """
    few = np.arange(min(len(candidates), WEIGHED))
    kernels = {scale: _prior(scale).covariance(candidates, candidates) + OFFSET**2 for scale in SHAPES}
    numbers = [_Numbers(*each) for each in product(SHAPES, NOISES, FARTHEST, _units(seen))]
    first = {scale: kernel[np.ix_(few, few)] for scale, kernel in kernels.items()}
    mean = PRIOR.mean(candidates)
    fits = (_Fit(each, mean[few], first[each.scale], seen.some(few)) for each in numbers)
    weights = _weights(
        np.array([fit.likelihood + each.log_prior for fit, each in zip(fits, numbers, strict=True)])
    )
    counts = np.diff(np.rint(np.concatenate([[0.0], weights.cumsum()]) * DRAWS)).astype(int)
    random = np.random.default_rng(SEED)
    losses = [
        _Fit(each, mean, kernels[each.scale], seen).draw(random, count)
        for each, count in zip(numbers, counts, strict=True)
        if count
    ]
    deviations = np.array([PRIOR.noise * each.noise * each.unit for each in numbers])
    return Draws(np.concatenate(losses), float(weights @ deviations))


class _Numbers(NamedTuple):
    """One combination of the numbers of the model."""

    scale: float
    noise: float
    farthest: float
    unit: float

    @property
    def log_prior(self) -> float:
        """How likely these are before any trial, up to a constant: that much they differ from the learned."""
        return -0.5 * sum((math.log(factor) / SURPRISE) ** 2 for factor in (self.scale, self.noise))


def _prior(scale: float) -> Prior:
    return replace(PRIOR, shape=scale * PRIOR.shape, both=scale * PRIOR.both)


def _units(seen: Seen) -> Sequence[float]:
    """The units that are tried; where all losses are equal, a small share of them."""
    spread = float(np.ptp(seen.means) + 2 * np.sqrt((seen.squares / seen.counts).max()))
    return (spread * UNITS).tolist() if spread > 0 else [1e-9 + 1e-3 * abs(float(seen.means[0]))]


def _weights(logs: Float64[np.ndarray, " numbers"]) -> Float64[np.ndarray, " numbers"]:
    """What share of the draws each combination has."""
    weights = np.exp(logs - logs.max())
    weights = np.where(weights < LIGHTEST, 0.0, weights)
    return np.asarray(weights / weights.sum())


class _Fit:
    """The model with one combination of numbers."""

    def __init__(
        self,
        numbers: _Numbers,
        mean: Float64[np.ndarray, " rows"],
        kernel: Float64[np.ndarray, "rows rows"],
        seen: Seen,
    ) -> None:
        self._mean, self._kernel = mean, kernel
        self._unit, self._lowest = numbers.unit, seen.means.min()
        far = (seen.means - self._lowest) / self._unit
        slope = 1 / np.sqrt(1 + far**2)
        noise = PRIOR.noise * numbers.noise * np.maximum(slope, numbers.farthest)
        self._left = np.arcsinh(far) - mean
        self._factor = np.linalg.cholesky(kernel + np.diag(noise**2 / seen.counts))
        rest = solve_triangular(self._factor, self._left, lower=True)
        between = noise * self._unit / slope
        self.likelihood = float(
            -0.5 * rest @ rest
            - np.log(np.diag(self._factor)).sum()
            + np.log(slope / self._unit).sum()
            - ((seen.counts - 1) * np.log(between)).sum()
            - 0.5 * (seen.squares / between**2).sum()
        )

    def draw(self, random: np.random.Generator, count: int) -> Float64[np.ndarray, "count rows"]:
        """So many draws of the true losses."""
        mean = self._mean + self._kernel @ cho_solve((self._factor, True), self._left)
        explained = solve_triangular(self._factor, self._kernel, lower=True)
        covariance = self._kernel - explained.T @ explained
        factor = np.linalg.cholesky(covariance + JITTER * np.eye(len(mean)))
        warped = mean + random.standard_normal((count, len(mean))) @ factor.T
        return np.asarray(self._lowest + self._unit * np.sinh(warped))
