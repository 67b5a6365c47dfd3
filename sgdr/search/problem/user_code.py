"""Errors of the user's code: what they say, and at which of the user's own lines."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

_HERE = str(Path(__file__).parents[1])
_LIBRARIES = re.compile(rf"[/\\](?:site-packages|importlib)[/\\]|^<|^{re.escape(_HERE)}[/\\]")


def told(error: Exception) -> str:
    """An error of the user's code in one line: what, and the innermost of their lines that led there."""
    frame = own_frame(error)
    where = f" ({frame.filename}, line {frame.lineno})" if frame else ""
    return f"{type(error).__name__}: {error}{where}"


def own_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost of the user's own lines that led to an error; None where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame for frame in reversed(frames) if not _LIBRARIES.search(frame.filename)), None)
