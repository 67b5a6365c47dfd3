"""What is answered about trials: dictionaries whose entries are the columns that the library declares.

The rows stay as the study keeps them: ten thousand of them are neither checked nor converted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field
from pydantic.config import JsonDict
from typing_extensions import TypedDict

from sgdr.choices import State
from sgdr.search.study.columns import FIRST, REST, Column
from sgdr_service.documented import documented
from sgdr_service.schemas import SCHEDULE, Arm

TRIAL: JsonDict = {
    "number": 38,
    "state": "COMPLETE",
    "arm": "restarts",
    "value": 0.01163,
    **SCHEDULE,
    "hparams": {},
    "seed": 3217684,
    "epochs": 100,
    "diverged_at": None,
    "retry_of": None,
    "seconds": 1.2,
    "start": False,
    "started": "2026-11-21T09:12:46.104000",
    "error": None,
    "foreign": False,
}
CELLS: dict[str, Any] = {
    "number": int,
    "state": State,
    "arm": Arm | None,
    "real": float | None,
    "length": float | int | None,
    "whole": int | None,
    "text": str | None,
    "flag": bool,
}
"""What cells may be, by the form of their column."""
HPARAMS = (
    "What else is searched, by name: the workload's own values, the warm-up in epochs, and those of one "
    'shape. A number that is not finite is "inf", "-inf" or "nan".'
)


def _cells(columns: Iterable[Column]) -> dict[str, Any]:
    return {column.name: Annotated[CELLS[column.form], Field(description=column.words)] for column in columns}


class _Row(TypedDict):
    """A trial in short. T_0 is in epochs."""


if TYPE_CHECKING:
    TrialRow: TypeAlias = _Row
else:  # of columns that are known at run time alone
    TrialRow = documented(TRIAL)(
        TypedDict(
            "TrialRow",
            {
                **_cells(FIRST),
                "hparams": Annotated[dict[str, Any], Field(description=HPARAMS)],
                **_cells(REST),
            },
        )
    )
    TrialRow.__doc__, TrialRow.__module__ = _Row.__doc__, __name__


@documented(
    {
        **TRIAL,
        "curve": {"error": [0.31, 0.12, 0.09], "loss": [1.1, 0.5, 0.3]},
        "restarts": [4, 8],
        "troughs": [4, 8],
    }
)
class Trial(TrialRow):
    """A trial with its curves and cycles."""

    curve: dict[str, list[float | None]]
    """The curves by name, a value an epoch; empty until the trial has ended."""
    restarts: list[int]
    """The restarts within the epochs that were trained."""
    troughs: list[int]
