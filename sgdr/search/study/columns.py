"""The columns of a table of trials, each declared once: tables, CSV, REST rows and the grid are made of them.

What is searched further has columns of its own (see `searched_names`), which come after `FIRST`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from sgdr.search.problem.warming import WARMUP
from sgdr.search.storage.schema import StudyAttributes
from sgdr.search.study.flat_names import flat_name
from sgdr.shapes import SHAPES

Form: TypeAlias = Literal["number", "state", "arm", "real", "length", "whole", "text", "flag"]
"""The form of a column's cells: a trial's number, state or arm, a float, a length in epochs (whole in
tables where all of the column are), an int, a text, or a flag. Only numbers, states and flags are never
None."""


class Column(NamedTuple):
    """One column."""

    name: str
    form: Form
    words: str | None = None
    """What it says, where its name does not."""


FIRST = (
    Column("number", "number"),
    Column("state", "state"),
    Column("arm", "arm"),
    Column("value", "real", "None unless complete."),
    Column("base_lr", "real"),
    Column("T_0", "length"),
    Column("T_mult", "length"),
    Column("eta_min", "real"),
)
REST = (
    Column("seed", "whole"),
    Column("epochs", "whole", "Trained."),
    Column("diverged_at", "whole", "The epoch after which something was not finite."),
    Column("retry_of", "whole", "The trial, cut off, whose place it takes."),
    Column("seconds", "real"),
    Column("start", "flag", "Whether it is of a schedule that the user had before the sweep."),
    Column("started", "text"),
    Column("error", "text"),
    Column(
        "foreign",
        "flag",
        "Whether somebody added it to the study who was no sweep: nothing is concluded from it.",
    ),
)
_FIRST = tuple(column.name for column in FIRST)
_REST = tuple(column.name for column in REST)
COLUMNS = (*_FIRST, *_REST)
"""The names of all, beside what is searched further."""


def searched_names(study: StudyAttributes) -> list[str]:
    """What a study searches beside the fields of restarts: what is of one shape, the warm-up, the workload's
    values."""
    own = [name for arm in study.arms for name in SHAPES[arm].own]
    shortest, longest = study.warmups
    return [*own, *([WARMUP] if shortest < longest else []), *study.space["hparams"]]


def searched_column(name: str) -> str:
    """The column of a searched value in a flat table of trials."""
    return flat_name("hparams", name, COLUMNS)


def trial_columns(study: StudyAttributes) -> list[str]:
    """The columns of the flat table of trials of that study."""
    return [*_FIRST, *map(searched_column, searched_names(study)), *_REST]


def flat_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `Study.rows` with its searched values beside the others, by the names of `trial_columns`."""
    searched = {searched_column(name): value for name, value in row["hparams"].items()}
    return {**{name: row[name] for name in _FIRST}, **searched, **{name: row[name] for name in _REST}}
