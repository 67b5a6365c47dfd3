"""How people search by hand, replayed: peaks under one cosine, then shapes, then seeds; or one epoch of each.

Each is a `Strategy` once its numbers are given: it yields the row that it would use after every trial.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.tables.table import Table
from experiments.tables.trials import Replay
from sgdr.schedule import WarmRestarts

STAGED = ((4, 2), (4, 3), (2, 3), (1, 2))
"""(T_0, T_mult) of the restarts that are tried at the best peak; T_0 for a budget of 60 epochs."""
STAGED_BUDGET = 60
STAGES = ((8, 3), (6, 3), (6, 2))
"""(peaks, seeds) of staging, the dearest first."""


def rows_of(table: Table, shape: str, variant: str) -> list[int]:
    """The rows of a shape's variant, from the lowest peak to the highest."""
    return [
        row for row, entry in enumerate(table.entries) if (entry.shape, entry.variant) == (shape, variant)
    ]


def by_hand(replay: Replay, peaks: int, seeds: int = 0, top: int = 3) -> Iterator[int]:
    """One cosine at so many peaks on a geometric grid, then the best `top` of them on so many more seeds."""
    cosines = rows_of(replay.table, "cosine", "0")
    tried = [cosines[place] for place in _spread(len(cosines), peaks)]
    for row in tried:
        replay.train(row)
        yield replay.best()
    yield from _on_seeds(replay, sorted(tried, key=replay.mean)[:top], seeds)


def staged(replay: Replay, peaks: int = 8, seeds: int = 3) -> Iterator[int]:
    """One cosine at so many peaks, four restarts at the best, then the best two and the cosine on seeds."""
    table = replay.table
    yield from by_hand(replay, peaks)
    cosine = replay.best()
    place = rows_of(table, "cosine", "0").index(cosine)
    restarts = [rows_of(table, "restarts", name)[place] for name in staged_variants(table)]
    for row in restarts:
        replay.train(row)
        yield replay.best()
    yield from _on_seeds(replay, [cosine, *sorted(restarts, key=replay.mean)[:2]], seeds)


def staged_within(replay: Replay) -> Iterator[int]:
    """Staged with as many peaks and seeds as the cost allows, of those in `STAGES`."""
    restarts = len(staged_variants(replay.table))
    sizes = [(peaks, seeds) for peaks, seeds in STAGES if peaks + restarts + 3 * seeds <= replay.cost]
    return staged(replay, *(sizes or STAGES)[0])


def staged_once(replay: Replay) -> Iterator[int]:
    """Staged without new seeds, at as many peaks as the cost allows, up to eight."""
    return staged(replay, min(8, int(replay.cost) - len(staged_variants(replay.table))), seeds=0)


def first_epochs(replay: Replay, rows: Sequence[int]) -> Iterator[int]:
    """One epoch of every row, then the best after it to the end, the best first, on one seed.

    Egele et al., "Is one epoch all you need for multi-fidelity hyperparameter optimization?", 2023.
    """
    trials = [replay.begin(row) for row in rows]
    for trial in trials:
        trial.train(1)
    trials.sort(key=lambda trial: trial.worth)
    yield trials[0].row
    for trial in trials:
        trial.train()
        yield replay.best()


def first_epochs_of_peaks(replay: Replay) -> Iterator[int]:
    """One epoch of one cosine at every peak, then the best to the end."""
    return first_epochs(replay, rows_of(replay.table, "cosine", "0"))


def first_epochs_of_any(replay: Replay) -> Iterator[int]:
    """One epoch of schedules that are drawn from the whole table, for half of the cost, then the best."""
    rows = np.random.default_rng([replay.number, 1]).permutation(len(replay.table.losses))
    return first_epochs(replay, rows[: int(replay.cost / 2 * replay.table.about.budget)].tolist())


def _on_seeds(replay: Replay, finalists: Sequence[int], seeds: int) -> Iterator[int]:
    """Train each of a few on so many more seeds, or all that are left, and name the best by the mean."""
    for _ in range(min(seeds, *(replay.seeds_left(row) for row in finalists))):
        for row in finalists:
            replay.train(row)
        yield replay.best(finalists)


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
