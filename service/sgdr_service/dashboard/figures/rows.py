"""What the rows of `Study.rows` say of trials."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeGuard

from sgdr.choices import State
from sgdr.schedule import FIELDS, WarmRestarts
from sgdr.search.problem.arms import ALL_ARMS, arm_of
from sgdr.search.problem.objective import sign

Row: TypeAlias = Mapping[str, Any]

UNKNOWN = "unknown"
"""The arm of a trial whose schedule is not known."""


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def completed(rows: Iterable[Row]) -> list[Row]:
    """The completed trials of the sweep that have a value, in their order."""
    return [
        row
        for row in rows
        if row["state"] == State.COMPLETE and is_number(row["value"]) and not row.get("foreign")
    ]


def ranked(rows: Iterable[Row], direction: str) -> list[Row]:
    """The completed ones, the best first; of equals the earlier."""
    losses = sign(direction)
    return sorted(completed(rows), key=lambda row: (losses * row["value"], row["number"]))


def arm(row: Row) -> str:
    """One of `ALL_ARMS`, or `UNKNOWN`. Rows of older studies do not name it, and their schedule tells."""
    if row["arm"] is not None:
        return str(row["arm"])
    known = {name: row[name] for name in FIELDS}
    if not all(map(is_number, known.values())):
        return UNKNOWN
    return arm_of(WarmRestarts(**known), row["epochs"] or 0)


def by_arm(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by arm, in the order of `ALL_ARMS`, without arms that have none."""
    arms: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        arms[arm(row)].append(row)
    return {name: arms[name] for name in (*ALL_ARMS, UNKNOWN) if name in arms}


def eta_ratio(row: Row) -> float | None:
    """eta_min / base_lr; None where either is not known."""
    peak, lowest = row["base_lr"], row["eta_min"]
    if not is_number(peak) or not is_number(lowest) or peak <= 0:
        return None
    return float(f"{lowest / peak:.9g}")  # the product was rounded: a fixed ratio is to come back as one
