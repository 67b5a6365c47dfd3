"""Tables as CSV, a piece at a time: a study's curves may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from sgdr.search.study.columns import flat_row, trial_columns
from sgdr.search.study.spreadsheet import csv_text
from sgdr.search.study.study import Study
from sgdr.search.study.tables import CURVE_COLUMNS, metric_column

CHUNK = 1000
"""Trials."""


def trials_csv(study: Study, rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The rows of `Study.rows`, with a heading."""
    columns = trial_columns(study.stored)
    for start in range(0, max(len(rows), 1), CHUNK):
        # As objects: a missing whole number must not turn the others into 1.0.
        flat = map(flat_row, rows[start : start + CHUNK])
        table = pd.DataFrame(list(flat), columns=columns, dtype=object)
        yield csv_text(table, header=start == 0)


def curves_csv(study: Study, numbers: Sequence[int]) -> Iterator[str]:
    """The curves of these trials: number, epoch from 1, and a column for each value, with a heading."""
    names: list[str] = []
    for start in range(0, len(numbers), CHUNK):
        for number, curve in study.curves_of(numbers[start : start + CHUNK]):
            first = not names
            names = names or sorted(curve)
            epochs = range(1, max(map(len, curve.values()), default=0) + 1)
            metrics = {metric_column(name): values for name, values in curve.items()}
            table = pd.DataFrame({"number": number, "epoch": epochs, **metrics})
            columns = [*CURVE_COLUMNS, *map(metric_column, names)]
            yield csv_text(table.reindex(columns=columns), header=first)
    if not names:
        yield "number,epoch\n"
