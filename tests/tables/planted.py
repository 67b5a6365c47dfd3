"""A table whose best schedule is known."""

import functools

import numpy as np

from experiments.tables.grid import Entry, entries, peaks
from experiments.tables.table import About, Table

ABOUT = About("planted", "error", "minimize", 60, (1e-3, 1.0))
BEST = peaks(ABOUT.base_lr)[7]


def table(helps: str, noise: float = 0.0, seed: int = 0, seeds: int = 8) -> Table:
    """The loss is a parabola of the peak's logarithm, and lower by 0.05 for the variant that helps.

    It is the same after every epoch; `noise` is the standard deviation between seeds.
    """
    grid = _grid()
    losses = np.array(
        [
            0.3
            + 0.05 * np.log10(entry.schedule.base_lr / BEST) ** 2  # type: ignore[union-attr]
            - 0.05 * (f"{entry.shape}/{entry.variant}" == helps)
            for entry in grid
        ]
    )
    values = losses[:, None] + noise * np.random.default_rng(seed).standard_normal((len(grid), seeds))
    curves = np.repeat(values[..., None], ABOUT.budget, axis=2).astype(np.float32)
    return Table(ABOUT, curves, curves.copy())


@functools.cache
def _grid() -> list[Entry]:
    return entries(ABOUT.base_lr, ABOUT.budget)
