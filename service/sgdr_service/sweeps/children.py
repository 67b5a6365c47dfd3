"""The processes that the service starts: where the code of workloads runs, and JAX."""

from __future__ import annotations

import os
import sys

SECRETS = "SGDR_TOKEN"
"""Variables that begin so are the service's alone."""
NICENESS = 10
"""Added to that of the service, which is to answer quickly meanwhile."""
TRY_LATER = 75
"""The exit code of a sweep's process that could not begin, and has written nothing."""


def python(module: str) -> list[str]:
    """The command that runs a module; files in the current folder are not taken for it."""
    return [sys.executable, "-P", "-m", module]


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a child: the service's own without its secrets and its storage, and `more`."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(SECRETS) and name.upper() != "SGDR_STORAGE"
    }
    return {**inherited, **more}
