"""The folder on disk of what takes long to make."""

import os
from pathlib import Path


def directory() -> Path:
    """`$SGDR_CACHE`, else `$XDG_CACHE_HOME/sgdr`, else `~/.cache/sgdr`.

    Raises RuntimeError where the user has no home.
    """
    if chosen := os.environ.get("SGDR_CACHE"):
        return Path(chosen).expanduser()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "sgdr"
    return Path("~/.cache/sgdr").expanduser()
