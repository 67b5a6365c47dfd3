"""CSV that spreadsheets may open: a text that they would run as a formula stands behind an apostrophe."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""The characters with which, after spaces or at once, a text begins that a spreadsheet runs, unless it is a
number; the wide ones are those of East Asian keyboards."""


def csv_text(table: pd.DataFrame, header: bool = True) -> str:
    """The table as CSV, without its index, with what `read_csv` takes off again.

    Numbers are inf, -inf and nan where they are not finite, and what is None is empty.
    """
    columns = {name: table[name].map(guarded) for name in _texts(table)}
    safe = table.assign(**columns)
    safe.columns = safe.columns.map(guarded)
    cells = [
        *safe.columns,
        *(cell for name in _texts(safe) for cell in safe[name]),
    ]
    # By itself the writer quotes no carriage return, at which readers would end the line.
    returns = any(isinstance(cell, str) and "\r" in cell for cell in cells)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    return safe.to_csv(index=False, header=header, lineterminator="\n", quoting=quoting)


def read_csv(path: Any, **options: Any) -> pd.DataFrame:
    """The table of a CSV that `sgdr export` or the service wrote, with texts as they were.

    There, a text that begins with = + - @, a tab or an end of line, also after spaces, and is no number
    stands behind an apostrophe, so that no spreadsheet runs it, and one that begins with an apostrophe has
    got another.

    Args:
        path: a path, an address or a file, as `pandas.read_csv` takes it.
        options: further arguments of `pandas.read_csv`.
    """
    import pandas as pd

    table: pd.DataFrame = pd.read_csv(path, **options)
    for name in _texts(table):
        table[name] = table[name].map(_bare)
    table.columns = table.columns.map(_bare)
    return table


def _texts(table: pd.DataFrame) -> list[str]:
    """The columns that may hold texts."""
    return [str(name) for name, dtype in table.dtypes.items() if dtype.kind == "O"]


def guarded(value: Any) -> Any:
    """A cell: of a text, what no spreadsheet runs; all else as it is."""
    return f"'{value}" if isinstance(value, str) and _is_run(value) and not _is_number(value) else value


def _bare(value: Any) -> Any:
    """The cell of which `guarded` made that one."""
    is_guarded = isinstance(value, str) and value[:1] == "'" and _is_run(value[1:])
    return value[1:] if is_guarded else value


def _is_run(text: str) -> bool:
    """Whether a text begins as what a spreadsheet runs, or as what `guarded` makes of that."""
    return text.lstrip(" ").startswith(STARTS) or text.startswith("'")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[0] in "+-"
