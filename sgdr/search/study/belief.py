"""What is believed of the schedules that a study has tried: draws of what each is truly worth."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sgdr.search.model.draws import Seen, drawn
from sgdr.search.model.prior import PRIOR, Prior
from sgdr.search.study.evidence import Evidence, Tried
from sgdr.shapes import SHAPES
from sgdr.warmup import unwarmed

if TYPE_CHECKING:
    from jaxtyping import Float64

QUANTILES = (0.025, 0.5, 0.975)
"""The ends of an interval of 95 %, and the median."""
SURE = (0.01, 0.5, 0.99)
"""The ends of an interval of 98 %, and the median. It decides whether restarts help: at 95 % one verdict of
twelve on planted truths was wrong, since where there is nothing to decide the wrong ones are decided."""


class Belief:
    """The losses of the schedules that were trained to their end, drawn together from the model.

    A schedule is named by its row. There must be one at least; those that failed on a fresh seed are left
    out where there are others.
    """

    def __init__(self, evidence: Evidence, prior: Prior = PRIOR) -> None:
        whole = [row for row, one in enumerate(evidence.tried) if np.isfinite(one.best)]
        rows = [row for row in whole if not evidence.tried[row].has_failed] or whole
        draws = drawn(evidence.candidates, Seen.of(evidence.losses), prior)
        self.tried = [evidence.tried[row] for row in rows]
        self.complete = evidence.complete
        """How many schedules were trained to their end, with those that the model has not seen."""
        self.trainings = sum(map(len, evidence.losses))
        """How many trainings were seen."""
        self.deviation = draws.deviation
        """The standard deviation between seeds, near the best."""
        self._draws: Float64[np.ndarray, "draws rows"] = draws.losses[:, rows]
        self.medians: Float64[np.ndarray, " rows"] = np.median(self._draws, axis=0)

    @property
    def leader(self) -> int:
        """The row of the lowest median."""
        return int(self.medians.argmin())

    def simplest(self, margin: float) -> int:
        """The simplest of the rows whose medians are within the margin of the lowest.

        That has the fewest searched parameters, a warm-up among them, then the fewest restarts, then the
        lowest median.
        """
        near = np.flatnonzero(self.medians <= self.medians.min() + margin)
        return int(min(near, key=lambda row: (*_complexity(self.tried[row]), self.medians[row])))

    def best(self, shapes: Collection[str]) -> int | None:
        """The row of the lowest median of some shapes; None where there is none of them."""
        return self._best(lambda one: one.shape in shapes)

    @property
    def best_start(self) -> int | None:
        """The row of the lowest median of what the user had before; None where there is none."""
        return self._best(lambda one: one.is_start)

    def _best(self, counts: Callable[[Tried], bool]) -> int | None:
        rows = [row for row, one in enumerate(self.tried) if counts(one)]
        return min(rows, key=lambda row: self.medians[row], default=None)

    def probability(self, row: int) -> float:
        """How likely that is the best of all."""
        return float((self._draws.argmin(1) == row).mean())

    def interval(self, row: int) -> tuple[float, float]:
        """The 95 % interval of the true loss."""
        low, _, high = np.quantile(self._draws[:, row], QUANTILES).tolist()
        return low, high

    def difference(
        self, row: int, other: int, quantiles: Sequence[float] = QUANTILES
    ) -> tuple[float, float, float]:
        """The true loss of one minus that of another: the low end of the interval, median and high end."""
        low, median, high = np.quantile(self._draws[:, row] - self._draws[:, other], quantiles).tolist()
        return low, median, high

    def equal(self, row: int) -> list[int]:
        """The others of which it is not clear, at 97.5 %, that they are worse, by their medians."""
        is_better = self._draws < self._draws[:, [row]]
        others = np.flatnonzero(is_better.mean(0) > QUANTILES[0])
        return sorted(others.tolist(), key=lambda other: self.medians[other])


def _complexity(schedule: Tried) -> tuple[int, int]:
    shape, (_, warmup) = SHAPES[schedule.shape], unwarmed(schedule.schedule)
    parameters = len(shape.shared) + len(shape.own) + (warmup > 0)
    return parameters, len(schedule.schedule.restarts(until=schedule.budget))
