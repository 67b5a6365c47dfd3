"""Warm-restart learning-rate schedules (SGDR), exact at every restart, and the search for the best one."""

from sgdr import relatives as relatives
from sgdr.cycles import Cycle
from sgdr.errors import ArgumentError
from sgdr.schedule import WarmRestarts
from sgdr.scheduler_state import SchedulerState
from sgdr.snapshot_ensembles import Snapshot, ensemble, snapshots
from sgdr.stateful import CosineAnnealingWarmRestarts
from sgdr.warmup import Warmup

__all__ = [
    "ArgumentError",
    "CosineAnnealingWarmRestarts",
    "Cycle",
    "SchedulerState",
    "Snapshot",
    "WarmRestarts",
    "Warmup",
    "__version__",
    "ensemble",
    "snapshots",
]
__version__ = "0.1.0"
