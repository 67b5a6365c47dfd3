"""How people search by hand, replayed: peaks under one cosine, then shapes, then seeds.

Each strategy spends at most a cost, in full trainings, and names the row that it would use. A trial costs the
share of the budget that it was trained for; one that diverges ends there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from experiments.tables.table import Table
from sgdr.schedule import WarmRestarts

STAGED = ((4, 2), (4, 3), (2, 3), (1, 2))
"""(T_0, T_mult) of the restarts that are tried at the best peak; T_0 for a budget of 60 epochs."""
STAGED_BUDGET = 60


class Replay:
    """The trials of one search on a table: each schedule is trained once on each seed, in the order given."""

    def __init__(self, table: Table, seeds: Sequence[int]) -> None:
        """`seeds` are those that the search may see, in the order in which it comes to them."""
        self.table, self._seeds = table, seeds
        self.cost = 0.0
        self._values: dict[int, list[float]] = {}

    def train(self, row: int) -> float:
        """Train a schedule to its end on the next seed that it has not had, and return what it is worth.

        Raises ValueError where the search has had all its seeds of it.
        """
        values = self._values.setdefault(row, [])
        if len(values) == len(self._seeds):
            raise ValueError(f"row={row} has had all {len(self._seeds)} seeds")
        seed = self._seeds[len(values)]
        finite = np.isfinite(self.table.losses[row, seed])
        self.cost += (finite.size if finite.all() else int(finite.argmin()) + 1) / finite.size
        values.append(float(self.table.worth[row, seed]))
        return values[-1]

    def mean(self, row: int) -> float:
        """The mean of what a schedule was worth so far."""
        return float(np.mean(self._values[row]))

    def best(self, rows: Iterable[int] | None = None) -> int:
        """The row with the lowest mean, of `rows` or of all that were trained; of equals the first."""
        return min(self._values if rows is None else rows, key=self.mean)


def rows_of(table: Table, shape: str, variant: str) -> list[int]:
    """The rows of a shape's variant, from the lowest peak to the highest."""
    return [
        row for row, entry in enumerate(table.entries) if (entry.shape, entry.variant) == (shape, variant)
    ]


def by_hand(replay: Replay, peaks: int, seeds: int = 0, top: int = 3) -> int:
    """One cosine at so many peaks on a geometric grid, then the best `top` of them on so many more seeds."""
    cosines = rows_of(replay.table, "cosine", "0")
    tried = [cosines[place] for place in _spread(len(cosines), peaks)]
    for row in tried:
        replay.train(row)
    finalists = sorted(tried, key=replay.mean)[:top] if seeds else tried
    for row in finalists * seeds:
        replay.train(row)
    return replay.best(finalists)


def staged(replay: Replay, peaks: int = 8, seeds: int = 3) -> int:
    """One cosine at so many peaks, four restarts at the best, then the best two and the cosine on seeds."""
    table = replay.table
    cosine = by_hand(replay, peaks)
    place = rows_of(table, "cosine", "0").index(cosine)
    restarts = [rows_of(table, "restarts", name)[place] for name in staged_variants(table)]
    for row in restarts:
        replay.train(row)
    finalists = [cosine, *sorted(restarts, key=replay.mean)[:2]]
    for row in finalists * seeds:
        replay.train(row)
    return replay.best(finalists if seeds else [cosine, *restarts])


def staged_variants(table: Table) -> list[str]:
    """The variants of the table that are nearest to `STAGED`, each once."""
    known = {
        entry.variant: entry.schedule
        for entry in table.entries
        if isinstance(entry.schedule, WarmRestarts)
        and entry.shape == "restarts"
        and not entry.schedule.eta_min
    }
    share = table.about.budget / STAGED_BUDGET
    variants = []
    for T_0, T_mult in STAGED:
        off = {
            variant: abs(math.log(schedule.T_0 / (T_0 * share)))
            for variant, schedule in known.items()
            if schedule.T_mult == T_mult
        }
        variants.append(min(off, key=lambda variant: off[variant]))
    return list(dict.fromkeys(variants))


def _spread(count: int, chosen: int) -> list[int]:
    """So many places of `count`, evenly apart and as far from the ends as from each other's middle."""
    ends: Any = np.linspace(0, count, chosen + 1)
    return [int(middle) for middle in (ends[:-1] + ends[1:]) / 2]
