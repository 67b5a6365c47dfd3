"""Arguments that several functions take alike, or one line that says what to give."""

from __future__ import annotations

from typing import Any

from sgdr import checks


def whole(name: str, given: Any, least: int) -> int:
    """The whole number that is given, as a Python int.

    Raises ValueError where it is none, or below `least`.
    """
    number = checks.number(given)
    if not isinstance(number, int) or number < least:
        also = " or 'auto'" if name == "slots" else ""
        raise ValueError(f"{name}={given!r} must be a whole number of at least {least}{also}")
    return number
