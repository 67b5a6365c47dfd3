"""A schedule as the expression that makes it in Python, by this library."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from sgdr.formula import Formula
from sgdr.schedule import WarmRestarts
from sgdr.warmup import Warmup


def expression(schedule: Any) -> str:
    """The expression, in which `sgdr` is this library: names of fields, and those that are no defaults.

    >>> expression(Warmup(WarmRestarts(0.1, T_0=10, T_mult=2), steps=5))
    'sgdr.Warmup(schedule=sgdr.WarmRestarts(base_lr=0.1, T_0=10, T_mult=2), steps=5)'
    """
    if isinstance(schedule, tuple):
        return f"({', '.join(map(expression, schedule))}{',' * (len(schedule) == 1)})"
    if not isinstance(schedule, WarmRestarts | Warmup | Formula):
        return repr(schedule)
    parts: Any = schedule
    values = ((field, getattr(parts, field.name)) for field in fields(parts))
    told = (
        f"{field.name}={expression(value)}"
        for field, value in values
        if field.default is MISSING or value != field.default
    )
    home = type(schedule).__module__ if isinstance(schedule, Formula) else "sgdr"
    return f"{home}.{type(schedule).__name__}({', '.join(told)})"
