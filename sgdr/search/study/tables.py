"""The trials of a study as plain rows, and trials and curves as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import TrialState

from sgdr.schedule import FIELDS
from sgdr.search.storage.reader import Content, Curve, Reader
from sgdr.search.storage.schema import BEGUN, EPOCHS, START, TRIAL
from sgdr.search.storage.statements import CHUNK
from sgdr.search.study.columns import FIRST, REST, Column, searched_column, searched_names, trial_columns
from sgdr.search.study.flat_names import flat_name
from sgdr.search.study.stated import stated
from sgdr.warmup import unwarmed_fields

if TYPE_CHECKING:
    import pandas as pd
    from optuna.trial import FrozenTrial

CURVE_COLUMNS = ("number", "epoch")
"""The columns of the table of curves, beside the metrics."""
_TYPES = {"length": "Int64", "whole": "Int64", "real": "float64"}
"""The types of pandas, by the form of a column; see `_type`."""

_NOTHING = dict.fromkeys([*(column.name for column in FIRST), "hparams", *(column.name for column in REST)])
"""A row of which nothing is known, in the order of rows."""
_STORED = tuple(name for name in _NOTHING if name in TRIAL)
"""The cells that are attributes of the trial."""

Row = dict[str, Any]


class TrialRows:
    """The rows of one content, by number; those of trials that did not change come from an earlier one."""

    def __init__(self, content: Content, reader: Reader, before: TrialRows | None = None) -> None:
        self.content = content
        searched = searched_names(content.stored)
        places = _changed(content, before)
        fresh = [content.trials[place] for place in places]
        own = [trial for trial in fresh if trial._trial_id not in content.foreign]
        epochs = dict.fromkeys((trial.number for trial in fresh), 0)
        epochs |= _epochs(own, content.stored.metric, reader)
        self.rows: list[Row] = [] if before is None else before.rows[: len(content.trials)]
        for place, trial in zip(places, fresh, strict=True):
            foreign = trial._trial_id in content.foreign
            row = _row(trial, epochs[trial.number], searched, foreign)
            self.rows[place : place + 1] = [row]
        self.places = {trial.number: place for place, trial in enumerate(content.trials)}
        """The place of each row, by the number of its trial."""


def metric_column(name: str) -> str:
    """The column of a metric in the table of curves."""
    return flat_name("metrics", name, CURVE_COLUMNS)


def _changed(content: Content, before: TrialRows | None) -> list[int]:
    """The places of trials that are not those of before; of two contents, only what had not ended differs."""
    trials = content.trials
    if before is None:
        return list(range(len(trials)))
    known = min(len(before.rows), len(trials))
    then = before.content
    open_ = {*then.unfinished.values(), *content.unfinished.values()}
    again = sorted(place for place in open_ if place < known and trials[place] is not then.trials[place])
    return [*again, *range(known, len(trials))]


def _epochs(trials: Sequence[FrozenTrial], metric: str, reader: Reader) -> dict[int, int]:
    """How many epochs each has trained. Where a study is older than that attribute, its curves are read."""
    begun = [trial for trial in trials if trial.state != TrialState.WAITING]
    epochs = {trial.number: trial.user_attrs.get(EPOCHS, 0) for trial in begun}
    unsaid = [trial for trial in begun if trial.state.is_finished() and EPOCHS not in trial.user_attrs]
    epochs.update((number, len(curve.get(metric, ()))) for number, curve in reader.curves(unsaid))
    return epochs


def _row(trial: FrozenTrial, epochs: int, searched: Sequence[str], foreign: bool) -> Row:
    # Attributes that somebody else has given may be of any type.
    theirs = foreign or trial.state == TrialState.WAITING
    attributes, params = {} if theirs else trial.user_attrs, trial.params
    schedule, _ = unwarmed_fields(attributes.get(BEGUN, {}))
    started = trial.datetime_start
    return {
        **_NOTHING,
        **{name: attributes[name] for name in _STORED if name in attributes},
        **{name: schedule.get(name) for name in FIELDS},
        "number": trial.number,
        "state": trial.state.name,
        "value": _finite(_value(trial)),
        "hparams": {name: stated(params.get(name)) for name in searched},
        "epochs": epochs,
        "started": None if started is None else started.astimezone().isoformat(),
        "start": START in attributes,
        "foreign": foreign,
    }


def _value(trial: FrozenTrial) -> float | None:
    """The value of a completed trial; None where a foreign one has several."""
    return trial.values[0] if trial.state is TrialState.COMPLETE and len(trial.values or ()) == 1 else None


def _finite(value: Any) -> Any:
    """None for a number that JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def trials_table(rows: TrialRows) -> pd.DataFrame:
    """A row a trial; values and starts as Optuna has them."""
    import pandas as pd

    columns, searched = trial_columns(rows.content.stored), searched_names(rows.content.stored)
    table = [
        {
            **row,
            **{searched_column(name): trial.params.get(name) for name in searched},
            "value": _value(trial),
            "started": trial.datetime_start,
        }
        for row, trial in zip(rows.rows, rows.content.trials, strict=True)
    ]
    types = {
        column.name: _type(column, [row[column.name] for row in rows.rows])
        for column in (*FIRST, *REST)
        if column.form in _TYPES
    }
    return pd.DataFrame(table, columns=columns).astype(types).set_index("number")


def _type(column: Column, cells: Iterable[Any]) -> str:
    """The type of that column: a search tries whole lengths, but a start may have one that is not."""
    broken = column.form == "length" and any(isinstance(cell, float) and cell % 1 for cell in cells)
    return _TYPES["real" if broken else column.form]


def curves_table(curves: Iterable[tuple[int, Curve]]) -> pd.DataFrame:
    """A row an epoch of a trial: number, epoch (from 1), and a column for each metric (`metric_column`)."""
    import pandas as pd

    whole = ((number, curve) for number, curve in curves if curve)
    tables = []
    while chunk := list(islice(whole, CHUNK)):
        tables.append(_stacked(chunk))
    if not tables:
        return pd.DataFrame({"number": pd.Series(dtype="int64"), "epoch": pd.Series(dtype="int64")})
    return pd.concat(tables, ignore_index=True)


def _stacked(curves: Sequence[tuple[int, Curve]]) -> pd.DataFrame:
    """The table of a few trials, made column by column: a table a trial takes a hundred times as long."""
    import pandas as pd

    epochs = [len(next(iter(curve.values()))) for _, curve in curves]
    columns: dict[str, Any] = {
        "number": np.repeat(np.array([number for number, _ in curves], "int64"), epochs),
        "epoch": np.concatenate([np.arange(1, count + 1, dtype="int64") for count in epochs]),
    }
    for name in dict.fromkeys(name for _, curve in curves for name in curve):
        parts = [
            np.asarray(curve.get(name, [math.nan] * count), "float64")
            for (_, curve), count in zip(curves, epochs, strict=True)
        ]
        columns[metric_column(name)] = np.concatenate(parts)
    return pd.DataFrame(columns)
