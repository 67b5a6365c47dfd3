"""The attributes by which a study is known to be a sweep's, and whether it can be read by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sgdr.search.problem.objective import OBJECTIVES

MARKS = {"workload", "space", "objective", "direction"}
"""The attributes by which a study is known to be a sweep's; anybody's study may have one of them."""

SAID_LATER = ("steps_per_epoch", "interval")
"""What a study may have been made without, and be told when it goes on; then it must stay the same too."""


def made_by_sweep(attributes: Mapping[str, Any]) -> bool:
    """Whether a study's attributes are those of a sweep, all written."""
    return attributes.keys() >= MARKS


def fault(attributes: Mapping[str, Any]) -> str | None:
    """What of a sweep's study keeps it from being read, in words; None where nothing does."""
    for name, fits in _FORMS.items():
        if name not in attributes:
            return f"its attribute {name!r} is missing"
        if not fits(attributes[name]):
            text = repr(attributes[name])
            return f"its attribute {name!r} is {text if len(text) <= 60 else text[:57] + '...'}"
    return None


def is_readable(attributes: Mapping[str, Any]) -> bool:
    """Whether a study was made by a sweep and can be read."""
    return made_by_sweep(attributes) and fault(attributes) is None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_space(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("hparams"), Mapping)


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


_FORMS: dict[str, Callable[[Any], bool]] = {
    "workload": _is_text,
    "budget": _is_count,
    "space": _is_space,
    "objective": lambda value: value in OBJECTIVES,
    "metric": _is_text,
    "direction": lambda value: value in ("minimize", "maximize"),
    "select_metric": _or_none(_is_text),
    "steps_per_epoch": _or_none(_is_count),
    "seed": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
}
