"""Arrays that take long to make, kept on disk."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sgdr.atomic_write import replacing

Arrays = dict[str, np.ndarray]


def directory() -> Path:
    """`$SGDR_CACHE`, else `$XDG_CACHE_HOME/sgdr`, else `~/.cache/sgdr`.

    Raises RuntimeError where the user has no home.
    """
    if chosen := os.environ.get("SGDR_CACHE"):
        return Path(chosen).expanduser()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "sgdr"
    return Path("~/.cache/sgdr").expanduser()


def cached(key: str, make: Callable[[], Arrays]) -> Arrays:
    """What `make()` returned when it was first called under `key`, which names a file.

    A file that cannot be read is made again; where none can be written, the arrays are made every time.
    """
    # Home may be unknown (RuntimeError), the directory read-only or full (OSError), the file cut short.
    unreadable = contextlib.suppress(OSError, RuntimeError, ValueError, EOFError, zipfile.BadZipFile)
    with unreadable, (directory() / f"{key}.npz").open("rb") as file:
        return dict(np.load(file, allow_pickle=False))
    arrays = make()
    with contextlib.suppress(OSError, RuntimeError):
        path = directory() / f"{key}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    return arrays
