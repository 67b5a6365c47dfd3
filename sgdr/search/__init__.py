"""The search for the best schedule: `sweep`, `load`, `Space`, `workload` and what they return.

Names are imported when they are used: reading a study needs no JAX, and declaring a workload no Optuna.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from sgdr.extras import needed_by
from sgdr.search.problem.callback import Callback
from sgdr.search.problem.lookup import find, registered
from sgdr.search.problem.workload import CallableWorkload, Run, Workload

# The decorator takes the name of its module as an attribute of this package; imports by path still find both.
from sgdr.search.problem.workload import workload as workload

if TYPE_CHECKING:
    from sgdr.search.artifacts.snapshots import load_snapshot as load_snapshot
    from sgdr.search.evaluation.compare import CompareProgress as CompareProgress
    from sgdr.search.evaluation.compare import compare as compare
    from sgdr.search.evaluation.compare_study import compare_study as compare_study
    from sgdr.search.evaluation.comparison import Comparison as Comparison
    from sgdr.search.evaluation.confirm import confirm as confirm
    from sgdr.search.evaluation.race import ConfirmProgress as ConfirmProgress
    from sgdr.search.evaluation.study_comparison import StudyComparison as StudyComparison
    from sgdr.search.problem.ensembles import Independent as Independent
    from sgdr.search.problem.space import Space as Space
    from sgdr.search.problem.supervised import Supervised as Supervised
    from sgdr.search.storage.connect import StorageError as StorageError
    from sgdr.search.strategy.restart_aware import RestartAwarePruner as RestartAwarePruner
    from sgdr.search.strategy.staged.sampler import StagedSampler as StagedSampler
    from sgdr.search.study.answer import Answer as Answer
    from sgdr.search.study.best import Stepping as Stepping
    from sgdr.search.study.lookup import delete as delete
    from sgdr.search.study.lookup import load as load
    from sgdr.search.study.lookup import studies as studies
    from sgdr.search.study.spreadsheet import read_csv as read_csv
    from sgdr.search.study.study import Best as Best
    from sgdr.search.study.study import Study as Study
    from sgdr.search.study.verdict import Confirmed as Confirmed
    from sgdr.search.study.verdict import Verdict as Verdict
    from sgdr.search.sweeps.launch import Result as Result
    from sgdr.search.sweeps.launch import sweep as sweep
    from sgdr.search.sweeps.progress import Progress as Progress
    from sgdr.search.sweeps.worker import TooManyFailures as TooManyFailures
    from sgdr.search.tune import RestartAwareScheduler as RestartAwareScheduler
    from sgdr.search.tune import tune_space as tune_space
    from sgdr.search.tune.trainable import trainable as trainable

_HOME = {
    "Answer": "study.answer",
    "Best": "study.study",
    "CompareProgress": "evaluation.compare",
    "Comparison": "evaluation.comparison",
    "Confirmed": "study.verdict",
    "ConfirmProgress": "evaluation.race",
    "Independent": "problem.ensembles",
    "Progress": "sweeps.progress",
    "RestartAwarePruner": "strategy.restart_aware",
    "Result": "sweeps.launch",
    "Space": "problem.space",
    "StagedSampler": "strategy.staged.sampler",
    "Stepping": "study.best",
    "StorageError": "storage.connect",
    "Study": "study.study",
    "StudyComparison": "evaluation.study_comparison",
    "Supervised": "problem.supervised",
    "TooManyFailures": "sweeps.worker",
    "Verdict": "study.verdict",
    "compare": "evaluation.compare",
    "compare_study": "evaluation.compare_study",
    "confirm": "evaluation.confirm",
    "delete": "study.lookup",
    "load": "study.lookup",
    "load_snapshot": "artifacts.snapshots",
    "read_csv": "study.spreadsheet",
    "studies": "study.lookup",
    "sweep": "sweeps.launch",
}

_TUNE = ("RestartAwareScheduler", "trainable", "tune_space")
"""They need Ray, an extra: hence not in `__all__`, which must be importable without."""

__all__ = [*_HOME, "Callback", "CallableWorkload", "Run", "Workload", "find", "registered", "workload"]


def __getattr__(name: str) -> Any:
    home = "tune" if name in _TUNE else _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needed_by(f"sgdr.search.{name}"):
        return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *(_TUNE if importlib.util.find_spec("ray") else ())])
