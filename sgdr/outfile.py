"""Files that commands write: each whole in the end, or as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sgdr.atomic_write import replacing


def write_whole(out: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a file beside `out`, which then takes the place of `out`.

    Raises ValueError where it cannot be written.
    """
    try:
        if not out.parent.is_dir():
            raise ValueError(f"--out {str(out)!r}: there is no folder {str(out.parent)!r}; make it first")
        with replacing(out) as unfinished:
            write(unfinished)
    except OSError as error:
        raise ValueError(f"--out {str(out)!r} cannot be written: {error.strerror}") from error
