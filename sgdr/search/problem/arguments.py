"""Arguments that several functions take alike, or one line that says what to give."""

from __future__ import annotations

from typing import Any

from sgdr import checks
from sgdr.errors import ArgumentError


def whole(name: str, value: Any, least: int) -> int:
    """The whole number that is given, as a Python int.

    Raises ArgumentError where it is none, or below `least`.
    """
    number = checks.number(value)
    if not isinstance(number, int) or number < least:
        also = " or 'auto'" if name == "slots" else ""
        raise ArgumentError(name, value, f"must be a whole number of at least {least}{also}")
    return number


def one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Raises ArgumentError where it is none of those that are known."""
    if value not in known:
        raise ArgumentError(name, value, f"must be one of {', '.join(known)}")
