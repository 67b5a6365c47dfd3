"""Arguments that several functions take alike, or one line that says what to give."""

from __future__ import annotations

from typing import Any

from sgdr import checks
from sgdr.errors import ArgumentError


def whole(name: str, value: Any, least: float | None = None, also: str = "") -> int:
    """The whole number that is given, as a Python int.

    Raises ArgumentError where it is none, or below `least`; `also`: what else would do, for its message.
    """
    number = checks.number(value)
    if not isinstance(number, int) or (least is not None and number < least):
        bound = "" if least is None else f" of at least {least}"
        raise ArgumentError(name, value, f"must be a whole number{bound}{also}")
    return number


def one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Raises ArgumentError where it is none of those that are known."""
    if value not in known:
        raise ArgumentError(name, value, f"must be one of {', '.join(known)}")
