"""The staged search of the product as a strategy on tables, its prior learned on all others.

python -m experiments.tables.replay --also staged-search=experiments.tables.staged:search
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from experiments.tables.learn import candidates, learned
from experiments.tables.peers import rows_of
from experiments.tables.table import Table, names, read
from experiments.tables.trials import Replay
from sgdr.search.model.candidates import Candidates
from sgdr.search.model.policy import allowed_rows, best_row, gradients
from sgdr.search.model.surrogate import Surrogate


def search(replay: Replay) -> Iterator[int]:
    """The row that the model would use, after each trial; every trial is trained to its end."""
    return planned(replay, *_model(replay.table))


def planned(replay: Replay, model: Surrogate, schedules: Candidates) -> Iterator[int]:
    """The row as of `search`, by a given model of the table's schedules."""
    first = np.array(rows_of(replay.table, "cosine", "0"))
    rows, losses = list[int](), list[float]()
    while True:
        posterior = model.posterior(rows, losses)
        allowed = allowed_rows(posterior, schedules.peaks, first, rows)
        hopeful, gains = gradients(posterior, allowed)
        order = hopeful[np.argsort(-gains, kind="stable")]
        row = next(int(row) for row in order if replay.seeds_left(int(row)))
        trial = replay.begin(row)
        trial.train()
        rows.append(row)
        losses.append(trial.worth)
        yield best_row(model.posterior(rows, losses), rows)


@functools.cache
def _model(table: Table) -> tuple[Surrogate, Candidates]:
    others = [read(name) for name in names() if name != table.about.name]
    schedules = candidates(table)
    return Surrogate(schedules, learned(others)), schedules
