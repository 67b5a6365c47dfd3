"""What schedules are truly worth, drawn from the model: its numbers are not taken as known, but weighed.

The prior (`prior`) was learned on other workloads, on which the noise between seeds, and what shapes make of
a difference, may be another than here. So several of each are tried together with several units of the warp,
and with or without something that each schedule has of its own, and the draws come from all of them, in the
proportion of their likelihoods (Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2006,
equations 2.23, 2.24, 2.30 and 5.2, on a grid). What trainings of one schedule say of the noise counts too.
The grids were chosen by `experiments/tables/calibration.py`: of the noise they reach far up, since else what
is luck would be taken for a difference, and the best of many be believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdr.search.model.candidates import Candidates
from sgdr.search.model.prior import PRIOR, Prior
from sgdr.search.model.surrogate import OFFSET, WEAKEST

if TYPE_CHECKING:
    from jaxtyping import Float64, Int

UNITS = np.geomspace(0.01, 0.64, 7)
"""The units that are tried, in shares of the range of the losses."""
LONGEST = 30.0
"""The longest range that counts, in middling distances from the best: a schedule that came to nothing is to
make no difference between those that did not."""
NOISES = np.array([0.17, 0.3, 0.55, 1.0, 1.7, 3.0])
"""The standard deviations between seeds that are tried, in those that were learned."""
NOISE_SURPRISE = 0.7
"""How far these differ from one workload to another: their standard deviation in natural logarithms."""
FARTHEST = np.array([WEAKEST, 1.0])
"""How much of the noise near the best is left far from it, as of `surrogate.WEAKEST`."""
SHAPES = (1.0, 3.0, 10.0)
"""How much what a schedule does makes of a difference, in what was learned."""
SHAPE_SURPRISE = 1.0
"""How far `SHAPES` differ from one workload to another, as of `NOISE_SURPRISE`."""
OWN = (0.0, 1.0)
"""The standard deviations of what a schedule has of its own, which no other tells of, in `Prior.both`."""
DRAWS = 4000
SEED = 0
JITTER = 1e-8
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


def drawn(candidates: Candidates, seen: Seen, prior: Prior = PRIOR) -> Draws:
    """The true losses of all the candidates, drawn together; the same for the same trainings.

    The first candidates, by which the numbers are weighed, are to be the starts and then the best.
    """
    mean = prior.mean(candidates)
    fits = [
        _Fits(
            mean, _kernel(candidates, prior, scale, own), seen, prior.noise, _log_prior(scale, SHAPE_SURPRISE)
        )
        for scale, own in product(SHAPES, OWN)
    ]
    weights = _weights(np.concatenate([fit.logs for fit in fits]))
    counts = np.diff(np.rint(np.concatenate([[0.0], weights.cumsum()]) * DRAWS)).astype(int)
    random = np.random.default_rng(SEED)
    losses = [
        fit.draw(place, random, count)
        for fit, counts_of in zip(fits, np.split(counts, len(fits)), strict=True)
        for place, count in enumerate(counts_of)
        if count
    ]
    deviations = np.concatenate([fit.deviations for fit in fits])
    return Draws(np.concatenate(losses), float(weights @ deviations))


def _kernel(
    candidates: Candidates, prior: Prior, scale: float, own: float
) -> Float64[np.ndarray, "rows rows"]:
    """The covariance where shapes make `scale` times as much of a difference; `own` as of `OWN`."""
    scaled = replace(prior, shape=scale * prior.shape, both=scale * prior.both)
    alone = (own * scaled.both) ** 2 * np.eye(len(candidates))
    return np.asarray(scaled.covariance(candidates, candidates) + OFFSET**2 + alone)


def _log_prior(factor: Any, surprise: float) -> Any:
    """How likely numbers are before any trial that are so many times the learned ones, up to a constant."""
    return -0.5 * (np.log(factor) / surprise) ** 2


def _units(seen: Seen) -> Float64[np.ndarray, " units"]:
    """The units that are tried; where all losses are equal, a small share of them."""
    luck = 2 * np.sqrt((seen.squares / seen.counts).max())
    spread = float(np.ptp(seen.means) + luck)
    typical = float(np.median(seen.means) - seen.means.min() + luck)
    spread = min(spread, LONGEST * typical) if typical > 0 else spread
    return spread * UNITS if spread > 0 else np.array([1e-9 + 1e-3 * abs(float(seen.means[0]))])


def _weights(logs: Float64[np.ndarray, " numbers"]) -> Float64[np.ndarray, " numbers"]:
    """What share of the draws each combination has."""
    weights = np.exp(logs - logs.max())
    weights = np.where(weights < LIGHTEST, 0.0, weights)
    return np.asarray(weights / weights.sum())


class _Fits:
    """The model with one covariance, and every noise and every unit that is tried: a combination a place."""

    def __init__(
        self,
        mean: Float64[np.ndarray, " rows"],
        kernel: Float64[np.ndarray, "rows rows"],
        seen: Seen,
        noise: float,
        log_prior: float,
    ) -> None:
        """`noise` is that which was learned, `log_prior` how likely the covariance is before any trial."""
        self._mean, self._kernel, self._seen = mean, kernel, seen
        self._lowest = seen.means.min()
        factor, self._farthest, self._unit = (
            grid.ravel() for grid in np.meshgrid(NOISES, FARTHEST, _units(seen), indexing="ij")
        )
        self._noise = noise * factor
        self.deviations: Float64[np.ndarray, " places"] = self._noise * self._unit
        """The standard deviation between seeds near the best."""
        self.logs: Float64[np.ndarray, " places"] = (
            self._likelihood() + log_prior + _log_prior(factor, NOISE_SURPRISE)
        )
        """How likely each is, up to a constant."""

    def _warped(
        self, places: slice, seen: Seen
    ) -> tuple[Float64[np.ndarray, "places rows"], Float64[np.ndarray, "places rows"], Any]:
        """The warped means, the noise of a training in units of the warp, and the warp's slope."""
        far = (seen.means - self._lowest) / self._unit[places, None]
        slope = 1 / np.sqrt(1 + far**2)
        noise = self._noise[places, None] * np.maximum(slope, self._farthest[places, None])
        return np.arcsinh(far), noise, slope

    def _likelihood(self) -> Float64[np.ndarray, " places"]:
        few = np.arange(min(len(self._mean), WEIGHED))
        seen, unit = self._seen.some(few), self._unit[:, None]
        warped, noise, slope = self._warped(slice(None), seen)
        alone = (noise**2 / seen.counts)[:, :, None] * np.eye(len(few))
        factor = np.linalg.cholesky(self._kernel[np.ix_(few, few)] + alone)
        rest = np.linalg.solve(factor, (warped - self._mean[few])[:, :, None])[:, :, 0]
        between = noise * unit / slope
        return np.asarray(
            -0.5 * (rest**2).sum(1)
            - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(1)
            + np.log(slope / unit).sum(1)
            - ((seen.counts - 1) * np.log(between)).sum(1)
            - 0.5 * (seen.squares / between**2).sum(1)
        )

    def draw(self, place: int, random: np.random.Generator, count: int) -> Float64[np.ndarray, "count rows"]:
        """So many draws of the true losses with the combination at that place."""
        warped, noise, _ = self._warped(slice(place, place + 1), self._seen)
        covariance = self._kernel + np.diag(noise[0] ** 2 / self._seen.counts)
        factor = np.linalg.cholesky(covariance)
        rest = np.linalg.solve(factor, warped[0] - self._mean)
        explained = np.linalg.solve(factor, self._kernel)
        mean = self._mean + explained.T @ rest
        left = self._kernel - explained.T @ explained
        factor = np.linalg.cholesky(left + JITTER * np.eye(len(mean)))
        draws = mean + random.standard_normal((count, len(mean))) @ factor.T
        return np.asarray(self._lowest + self._unit[place] * np.sinh(draws))
