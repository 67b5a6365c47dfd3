"""Schedules of which is known what they are truly worth: planted ones, and those of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.tables.grid import entries
from experiments.tables.judging import SEEN
from experiments.tables.table import About, Table

Floats = np.ndarray[Any, np.dtype[np.float64]]

ABOUT = About("planted", "error", "minimize", 60, (1e-3, 1.0))
SEEDS = 40
"""Seeds on which every planted schedule can be trained."""
DEPTH, CONSTANT, UNEVEN = 0.1, 0.05, 0.03
"""How much worse a peak is that is e squared times the best; what a constant rate loses; and the most that
one variant loses to another where they are uneven."""


@dataclass(frozen=True)
class Planted:
    """A quadratic in the logarithm of the peak; restarts differ from all others by a constant."""

    gain: float
    """The loss of restarts minus that of all others."""
    noise: float
    """The standard deviation between seeds."""
    uneven: bool = False
    """Whether every variant of a shape loses something of its own."""

    @property
    def name(self) -> str:
        return f"{self.gain:+g} ± {self.noise:g}{' uneven' * self.uneven}"

    def truth(self, number: int) -> Truth:
        """The truth of a repeat: where the best peak lies is drawn at random."""
        random = np.random.default_rng([number, 1])
        best = random.uniform(-5, -1)
        grid = entries(ABOUT.base_lr, ABOUT.budget)
        own = dict.fromkeys((entry.shape, entry.variant) for entry in grid)
        lost = {each: UNEVEN * random.random() * self.uneven for each in own}
        means = np.array(
            [
                0.3
                + DEPTH * ((np.log(entry.schedule.base_lr) - best) / 2) ** 2  # type: ignore[union-attr]
                + lost[entry.shape, entry.variant]
                + {"restarts": self.gain, "constant": CONSTANT}.get(entry.shape, 0.0)
                for entry in grid
            ]
        )
        losses = means[:, None] + self.noise * random.standard_normal((len(means), SEEDS))
        curves = np.broadcast_to(losses[..., None], (*losses.shape, ABOUT.budget))
        return Truth(Table(ABOUT, curves, curves), SEEDS, means, 0 * means, means)


PLANTED = {
    planted.name: planted
    for planted in (
        Planted(-0.03, 0.01),
        Planted(0.0, 0.01),
        Planted(0.0, 0.003),
        Planted(0.03, 0.01),
        Planted(0.03, 0.02),
        Planted(0.01, 0.01, uneven=True),
        Planted(-0.02, 0.005, uneven=True),
    )
}
"""Restarts that help, make no difference or do harm, under small and large noise, by name."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What a search may see, and what is true."""

    table: Table
    seeds: int
    """How many a search may see: the first ones."""
    means: Floats
    """The true loss of each row."""
    luck: Floats
    """The standard error of each of these; 0 where it is planted."""
    guide: Floats
    """The loss of each row by which the best is chosen: not the means where these are partly luck."""

    def best(self, rows: Sequence[int] | None = None) -> int:
        """The best of these rows, or of all."""
        among = range(len(self.guide)) if rows is None else rows
        return min(among, key=lambda row: self.guide[row])

    def apart(self, row: int, other: int) -> tuple[float, float]:
        """The true loss of one row minus that of another, and its standard error."""
        if row == other:
            return 0.0, 0.0
        return float(self.means[row] - self.means[other]), float(np.hypot(self.luck[row], self.luck[other]))


def hidden(table: Table, number: int) -> Truth:
    """The truth of a table in a repeat: the mean over the seeds that the search may not see.

    Which seeds those are is drawn anew for each row, since the trials of a sweep share no seeds. The best row
    is that of the lowest mean over the seeds that may be seen, so that its mean over the others is no luck.
    """
    random = np.random.default_rng([number, 2])
    order = random.permuted(np.tile(np.arange(table.worth.shape[1]), (len(table.worth), 1)), axis=1)
    losses, select = (
        np.take_along_axis(curves, order[..., None], 1) for curves in (table.losses, table.select)
    )
    shuffled = Table(table.about, losses, select)
    seen = min(SEEN, order.shape[1] // 2)
    unseen = shuffled.worth[:, seen:].astype(float)
    luck = shuffled.worth.std(1, ddof=1) / unseen.shape[1] ** 0.5
    return Truth(shuffled, seen, unseen.mean(1), luck, shuffled.worth[:, :seen].mean(1))
