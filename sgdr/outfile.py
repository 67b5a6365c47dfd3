"""Files that commands write: each whole in the end, or as it was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path


def write_whole(out: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a file beside `out`, of the same suffix, which then takes the place of `out`.

    Raises ValueError where it cannot be written.
    """
    try:
        if not out.parent.is_dir():
            raise ValueError(f"--out {str(out)!r}: there is no folder {str(out.parent)!r}; make it first")
        unfinished = out.with_name(f".{out.stem}.{os.getpid()}{out.suffix}")
        try:
            write(unfinished)
            unfinished.replace(out)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ValueError(f"--out {str(out)!r} cannot be written: {error.strerror}") from error
