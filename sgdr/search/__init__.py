"""The search for the best schedule: `sweep`, `load`, `Space`, `workload` and what they return.

Names are imported when they are used: reading a study needs no JAX, and declaring a workload no Optuna.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sgdr.search.workload import CallableWorkload, Run, Workload, registered

# The decorator takes the name of its module as an attribute of this package; imports by path still find both.
from sgdr.search.workload import workload as workload

if TYPE_CHECKING:
    from sgdr.search.launch import Result as Result
    from sgdr.search.launch import sweep as sweep
    from sgdr.search.space import Space as Space
    from sgdr.search.storage import StorageError as StorageError
    from sgdr.search.study import Best as Best
    from sgdr.search.study import Study as Study
    from sgdr.search.study import delete as delete
    from sgdr.search.study import load as load
    from sgdr.search.study import studies as studies
    from sgdr.search.supervised import Supervised as Supervised
    from sgdr.search.worker import Progress as Progress
    from sgdr.search.worker import TooManyFailures as TooManyFailures

_HOME = {
    "Best": "study",
    "Progress": "worker",
    "Result": "launch",
    "Space": "space",
    "StorageError": "storage",
    "Study": "study",
    "Supervised": "supervised",
    "TooManyFailures": "worker",
    "delete": "study",
    "load": "study",
    "studies": "study",
    "sweep": "launch",
}

__all__ = [*_HOME, "CallableWorkload", "Run", "Workload", "registered", "workload"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
