"""Arguments that several functions take alike, or one line that says what to give."""

from __future__ import annotations

from typing import Any


def whole(name: str, given: Any, least: int) -> int:
    """The whole number that is given. Raises ValueError where it is none, or below `least`."""
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        also = " or 'auto'" if name == "slots" else ""
        raise ValueError(f"{name}={given!r} must be a whole number of at least {least}{also}")
    return given
