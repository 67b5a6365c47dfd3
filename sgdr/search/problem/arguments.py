"""Arguments that several functions take alike, or one line that says what to give."""

from __future__ import annotations

from typing import Any

from sgdr import checks
from sgdr.errors import ArgumentError


def whole(name: str, given: Any, least: int) -> int:
    """The whole number that is given, as a Python int.

    Raises ArgumentError where it is none, or below `least`.
    """
    number = checks.number(given)
    if not isinstance(number, int) or number < least:
        also = " or 'auto'" if name == "slots" else ""
        raise ArgumentError(name, given, f"must be a whole number of at least {least}{also}")
    return number


def one_of(name: str, given: Any, known: tuple[str, ...]) -> None:
    """Raises ArgumentError where it is none of those that are known."""
    if given not in known:
        raise ArgumentError(name, given, f"must be one of {', '.join(known)}")
