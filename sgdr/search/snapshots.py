"""The earlier home of `sgdr.search.load_snapshot`: it goes with the next release."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from sgdr.search.artifacts.snapshots import load_snapshot
from sgdr.search.problem.workload import Workload


def load(path: Path, workload: Workload) -> Any:
    """See `sgdr.search.load_snapshot`."""
    warnings.warn("use sgdr.search.load_snapshot", DeprecationWarning, stacklevel=2)
    return load_snapshot(path, workload)
