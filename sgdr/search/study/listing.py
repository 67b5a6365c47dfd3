"""Rows of trials in an order, and what has become of each: for the command, REST and the dashboard alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from sgdr.choices import Outcome
from sgdr.errors import ArgumentError
from sgdr.search.storage.schema import StudyAttributes
from sgdr.search.study.columns import COLUMNS, searched_names
from sgdr.search.study.summary import outcome

Row = TypeVar("Row")

OF_SEARCHED = "hparams."
"""What stands before the name of a searched value, where a column is named."""


def ordered(rows: Sequence[Row], value: Callable[[Row], Any], descending: bool) -> list[Row]:
    """The rows in the order of a column; empty cells come last in either order, and equals keep theirs."""
    filled = [row for row in rows if value(row) is not None]
    empty = [row for row in rows if value(row) is None]
    return sorted(filled, key=value, reverse=descending) + empty


def cells(study: StudyAttributes, name: str) -> Callable[[Mapping[str, Any]], Any]:
    """What gives the cell in that column of a row of `Study.rows`, as something that has an order.

    Raises ArgumentError where the study has no such column.
    """
    if name in COLUMNS:
        return itemgetter(name)
    searched, own = searched_names(study), name.removeprefix(OF_SEARCHED)
    if own == name or own not in searched:
        known = ", ".join((*COLUMNS, *(f"{OF_SEARCHED}{hparam}" for hparam in searched)))
        raise ArgumentError("sort", name, "is no column of this study", f"there are {known}")

    def cell(row: Mapping[str, Any]) -> Any:
        value = row["hparams"][own]
        value = {"inf": math.inf, "-inf": -math.inf}.get(value, value) if isinstance(value, str) else value
        # Choices may be of several kinds, which have no order among each other.
        return value if value is None else (isinstance(value, str), value)

    return cell


def row_outcome(row: Mapping[str, Any]) -> Outcome:
    """What has become of the trial of a row of `Study.rows`, as of `Study.outcomes`."""
    if row.get("foreign"):
        return Outcome.FOREIGN
    diverged, failed = row["diverged_at"] is not None, row["error"] is not None
    return outcome(row["state"], diverged=diverged, failed=failed)
