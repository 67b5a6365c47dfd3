"""Warm-restart learning-rate schedules (SGDR), exact at every restart, and the search for the best one."""

from sgdr.cycles import Cycle
from sgdr.schedule import WarmRestarts
from sgdr.warmup import Warmup

__all__ = ["Cycle", "WarmRestarts", "Warmup", "__version__"]
__version__ = "0.1.0"
