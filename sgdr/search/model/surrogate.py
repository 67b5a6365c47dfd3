"""A model of what schedules are worth: a Gaussian process over the peak and what a schedule does.

Losses are seen through arcsinh((loss - lowest) / unit): near the best they count as they are, far away by
their logarithm. The unit is that of the likeliest; all else is a prior that was learned on other workloads
(`prior`), so that a handful of trials is enough (Rasmussen & Williams, "Gaussian Processes for Machine
Learning", 2006, equations 2.23, 2.24 and 2.42; Snelson, Rasmussen & Ghahramani, "Warped Gaussian Processes",
2003, equation 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sgdr.search.model.candidates import Candidates
from sgdr.search.model.prior import Prior

if TYPE_CHECKING:
    from jaxtyping import Float64, Int

UNITS = np.geomspace(0.005, 0.64, 8)
"""The units that are tried, in shares of the range of the losses that were seen."""
NOISES = np.array([0.1, 0.3, 1.0, 2.0])
"""The noises between seeds that are tried, in shares of the prior's."""
EXPECTED = 0.3
"""The noise that is expected, in the same. A handful of trials, each at another peak, cannot tell noise from
a steep rise: left to them, the best peak would count as luck where the next one is far too high."""
SURPRISE = 1.0
"""The standard deviation, in natural logarithms, of the noise about that."""
WEAKEST = 0.15
"""Noise far from the best, where differences count little, is at least this share of that near it."""
OFFSET = 3.0
"""Standard deviation of what all schedules have in common."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of every candidate: losses in units of the warp, the lower the better."""

    mean: Float64[np.ndarray, " rows"]
    noise: float
    """Standard deviation between seeds."""
    unit: float
    """The unit of the warp, in that of the losses."""
    lowest: float
    """The loss at which the warp is 0."""
    _left: _Left

    @cached_property
    def deviation(self) -> Float64[np.ndarray, " rows"]:
        """The standard deviation of each."""
        return np.asarray(np.sqrt(np.maximum(self._left.variance(), 1e-12)))

    def covariance(self, rows: Int[np.ndarray, " some"]) -> Float64[np.ndarray, "some some"]:
        """The covariance of some candidates."""
        return self._left.covariance(rows)


class Surrogate:
    """The model over a set of candidates, before anything is seen of them."""

    def __init__(self, candidates: Candidates, prior: Prior) -> None:
        self._prior = prior
        self._mean = prior.mean(candidates)
        self._kernel = _Kernel(candidates, prior)

    def posterior(
        self, rows: Sequence[int], losses: Sequence[float], running: Sequence[int] = ()
    ) -> Posterior:
        """What is known after these rows, one an observation, had these losses, while others are running.

        The losses are finite. A row that is running is taken to end as is expected of it.
        """
        seen, values = np.asarray(rows, int), np.asarray(losses, float)
        if not rows:
            noise = self._prior.noise
            return Posterior(self._mean, noise, 1.0, 0.0, self._left(seen, values, running, noise))
        fits = self._fits(seen, values)
        shares = fits.noise / self._prior.noise
        best = int(np.argmax(fits.likelihood - 0.5 * (np.log(shares / EXPECTED) / SURPRISE) ** 2))
        noises, offset = fits.noises[best], fits.offset[best]
        mean = self._mean + offset + self._kernel.columns(seen) @ fits.weights[best]
        noise, unit = float(fits.noise[best]), float(fits.unit[best])
        left = self._left(seen, noises, running, noise)
        return Posterior(mean, noise, unit, float(values.min()), left)

    def likelihood(self, rows: Sequence[int], losses: Sequence[float]) -> float:
        """The logarithm of how likely such losses are, in shares of their range, whatever unit and noise."""
        values = np.asarray(losses, float)
        likelihood = self._fits(np.asarray(rows, int), values / np.ptp(values)).likelihood
        return float(np.logaddexp.reduce(likelihood) - np.log(len(likelihood)))

    def _fits(self, seen: Int[np.ndarray, " seen"], values: Float64[np.ndarray, " seen"]) -> _Fits:
        """The model with every unit and every noise that is tried."""
        above, spread = values - values.min(), float(np.ptp(values))
        units = spread * UNITS if spread > 0 else np.array([1e-9 + 1e-3 * abs(float(values[0]))])
        noise, unit = (grid.ravel() for grid in np.meshgrid(self._prior.noise * NOISES, units))
        slope = 1 / np.sqrt(1 + (above / unit[:, None]) ** 2)
        noises = noise[:, None] * np.maximum(slope, WEAKEST)
        left = np.arcsinh(above / unit[:, None]) - self._mean[seen]
        factor = np.linalg.cholesky(self._kernel.among(seen) + noises[:, :, None] ** 2 * np.eye(len(seen)))
        solved = np.linalg.solve(factor, np.stack([np.ones_like(left), left], 2))
        ones, rest = solved[:, :, 0], solved[:, :, 1]
        precision = (ones**2).sum(1) + OFFSET**-2
        offset = (ones * rest).sum(1) / precision
        likelihood = (
            -0.5 * ((rest**2).sum(1) - offset**2 * precision + np.log(precision))
            - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(1)
            + np.log(slope / unit[:, None]).sum(1)
        )
        transposed = np.swapaxes(factor, 1, 2)
        weights = np.linalg.solve(transposed, (rest - offset[:, None] * ones)[:, :, None])[:, :, 0]
        return _Fits(likelihood, unit, noise, offset, weights, noises)

    def _left(
        self,
        seen: Int[np.ndarray, " seen"],
        noises: Float64[np.ndarray, " seen"],
        running: Sequence[int],
        noise: float,
    ) -> _Left:
        known = np.concatenate([seen, np.asarray(running, int)])
        noises = np.concatenate([noises, np.full(len(running), noise)])
        columns = self._kernel.columns(known)
        factor = np.linalg.cholesky(columns[known] + np.diag(noises**2))
        explained = np.linalg.solve(factor, columns.T)
        ones = np.linalg.solve(factor, np.ones(len(known)))
        return _Left(self._kernel, explained, 1 - explained.T @ ones, float(ones @ ones) + OFFSET**-2)


class _Kernel:
    """The covariance of all candidates before anything is seen, of which only what is asked for is worked
    out: where much is searched, the whole of it would fill the memory."""

    def __init__(self, candidates: Candidates, prior: Prior) -> None:
        self._candidates, self._prior = candidates, prior
        self._columns: dict[int, Float64[np.ndarray, " rows"]] = {}
        self.variance = float(self.among(np.array([0]))[0, 0])
        """The variance of every candidate, for the covariance depends on distances alone."""

    def columns(self, rows: Int[np.ndarray, " some"]) -> Float64[np.ndarray, "rows some"]:
        """The columns of some candidates.

        Each is worked out alone, so that it is the same to the last bit whatever else was asked for.
        """
        for row in rows.tolist():
            if row not in self._columns:
                one = self._candidates.some(np.array([row]))
                self._columns[row] = self._prior.covariance(self._candidates, one)[:, 0]
        columns = np.empty((len(self._candidates), len(rows)))
        for place, row in enumerate(rows.tolist()):
            columns[:, place] = self._columns[row]
        return columns

    def among(self, rows: Int[np.ndarray, " some"]) -> Float64[np.ndarray, "some some"]:
        """The covariance of some candidates."""
        some = self._candidates.some(rows)
        return self._prior.covariance(some, some)


@dataclass(frozen=True, eq=False)
class _Left:
    """The covariance that is left, when those that are running have ended too."""

    kernel: _Kernel
    explained: Float64[np.ndarray, "known rows"]
    offset: Float64[np.ndarray, " rows"]
    """How much of the offset, what all have in common, is in each."""
    precision: float
    """The precision of the offset."""

    def variance(self) -> Float64[np.ndarray, " rows"]:
        """The variance of each row."""
        return np.asarray(self.kernel.variance - (self.explained**2).sum(0) + self.offset**2 / self.precision)

    def covariance(self, rows: Int[np.ndarray, " some"]) -> Float64[np.ndarray, "some some"]:
        """The covariance of some rows."""
        explained, offset = self.explained[:, rows], self.offset[rows]
        common = np.outer(offset, offset) / self.precision
        return np.asarray(self.kernel.among(rows) - explained.T @ explained + common)


@dataclass(frozen=True, eq=False)
class _Fits:
    """The model with units of the warp and noises, one of each a row."""

    likelihood: Float64[np.ndarray, " fits"]
    unit: Float64[np.ndarray, " fits"]
    noise: Float64[np.ndarray, " fits"]
    """Standard deviations between seeds near the best."""
    offset: Float64[np.ndarray, " fits"]
    weights: Float64[np.ndarray, "fits seen"]
    noises: Float64[np.ndarray, "fits seen"]
    """The noise of each that was seen."""
