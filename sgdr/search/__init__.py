"""The search for the best schedule: `sweep`, `load`, `Space`, `workload` and what they return.

Names are imported when they are used: reading a study needs no JAX, and declaring a workload no Optuna.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from sgdr.search.workload import CallableWorkload, Run, Workload, find, registered

# The decorator takes the name of its module as an attribute of this package; imports by path still find both.
from sgdr.search.workload import workload as workload

if TYPE_CHECKING:
    from sgdr.search.best import Stepping as Stepping
    from sgdr.search.compared import Comparison as Comparison
    from sgdr.search.comparison import CompareProgress as CompareProgress
    from sgdr.search.comparison import compare as compare
    from sgdr.search.confirmation import confirm as confirm
    from sgdr.search.launch import Result as Result
    from sgdr.search.launch import sweep as sweep
    from sgdr.search.pruning import RestartAwarePruner as RestartAwarePruner
    from sgdr.search.rounds import ConfirmProgress as ConfirmProgress
    from sgdr.search.space import Space as Space
    from sgdr.search.spreadsheet import read_csv as read_csv
    from sgdr.search.storage import StorageError as StorageError
    from sgdr.search.study import Best as Best
    from sgdr.search.study import Study as Study
    from sgdr.search.study import delete as delete
    from sgdr.search.study import load as load
    from sgdr.search.study import studies as studies
    from sgdr.search.supervised import Supervised as Supervised
    from sgdr.search.tune import RestartAwareScheduler as RestartAwareScheduler
    from sgdr.search.tune import tune_space as tune_space
    from sgdr.search.tune.trainable import trainable as trainable
    from sgdr.search.verdict import Confirmed as Confirmed
    from sgdr.search.verdict import Verdict as Verdict
    from sgdr.search.worker import Progress as Progress
    from sgdr.search.worker import TooManyFailures as TooManyFailures

_HOME = {
    "Best": "study",
    "CompareProgress": "comparison",
    "Comparison": "compared",
    "Confirmed": "verdict",
    "ConfirmProgress": "rounds",
    "Progress": "worker",
    "RestartAwarePruner": "pruning",
    "Result": "launch",
    "Space": "space",
    "Stepping": "best",
    "StorageError": "storage",
    "Study": "study",
    "Supervised": "supervised",
    "TooManyFailures": "worker",
    "Verdict": "verdict",
    "compare": "comparison",
    "confirm": "confirmation",
    "delete": "study",
    "load": "study",
    "read_csv": "spreadsheet",
    "studies": "study",
    "sweep": "launch",
}

_TUNE = ("RestartAwareScheduler", "trainable", "tune_space")
"""They need Ray, an extra: hence not in `__all__`, which must be importable without."""

__all__ = [*_HOME, "CallableWorkload", "Run", "Workload", "find", "registered", "workload"]


def __getattr__(name: str) -> Any:
    home = "tune" if name in _TUNE else _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *(_TUNE if importlib.util.find_spec("ray") else ())])
