"""What to train next, and what to use: by the knowledge gradient, for all candidates at once.

The gradient of a candidate is how much lower the lowest mean is expected to be once its next trial has ended
(Frazier, Powell & Dayanik, "The knowledge-gradient policy for correlated normal beliefs", 2009, equation 16).
A new seed of what leads is a candidate like any other: what is best to know next, the model says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sgdr.search.model.surrogate import Posterior

if TYPE_CHECKING:
    from jaxtyping import Float64, Int

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
PEAK_TRIALS = 5
"""Trials of one cosine cycle, which has no more than a peak to find, before those of other shapes."""
NEAR = 1.3
"""How far from the best peak others are looked at then, in natural logarithms."""
HOPEFUL = 150
"""How many candidates are looked at: those that may be lowest."""
OPTIMISM = 1.5
"""Standard deviations below its mean at which a candidate may lie, in the eyes of an optimist."""


def allowed_rows(
    posterior: Posterior,
    peaks: Float64[np.ndarray, " rows"],
    first: Int[np.ndarray, " first"],
    tried: Sequence[int],
) -> Int[np.ndarray, " allowed"]:
    """The rows that may be trained next, after trials of the rows `tried`: the stages of the search.

    `peaks` are the logarithms of the peak rates; `first` are the rows with which the search begins.
    """
    if len(tried) < min(PEAK_TRIALS, len(np.unique(peaks[first]))):
        return first
    rows = np.unique(np.asarray(tried, int))
    best = peaks[rows[np.argmin(posterior.mean[rows])]]
    return np.flatnonzero(np.abs(peaks - best) < NEAR)


def gradients(
    posterior: Posterior, allowed: Int[np.ndarray, " allowed"]
) -> tuple[Int[np.ndarray, " hopeful"], Float64[np.ndarray, " hopeful"]]:
    """The hopeful rows among those allowed, and the knowledge gradient of each, in units of the warp."""
    optimistic = posterior.mean[allowed] - OPTIMISM * posterior.deviation[allowed]
    rows = allowed[np.argsort(optimistic, kind="stable")[:HOPEFUL]]
    means, covariance = posterior.mean[rows], posterior.covariance(rows)
    effects = covariance / np.sqrt(np.diag(covariance) + posterior.noise**2)
    after = (means[:, None, None] + effects[:, :, None] * NODES).min(0) @ WEIGHTS
    return rows, means.min() - after


def next_row(posterior: Posterior, allowed: Int[np.ndarray, " allowed"]) -> int:
    """The row to train next, of those allowed."""
    rows, gains = gradients(posterior, allowed)
    return int(rows[np.argmax(gains)])


def best_row(posterior: Posterior, seen: Sequence[int]) -> int:
    """The row of the lowest mean, of those that were trained to their end; of equals the first.

    Raises ValueError where there is none.
    """
    if not len(seen):
        raise ValueError("no candidate was trained to its end")
    rows = np.unique(np.asarray(seen, int))
    return int(rows[np.argmin(posterior.mean[rows])])
