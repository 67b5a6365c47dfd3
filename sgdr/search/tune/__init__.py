"""The search space, the trainable of a workload, and the restart-aware scheduler for users of Ray Tune."""

from sgdr.extras import install

try:
    import ray.tune as _installed  # noqa: F401
except ImportError as error:
    raise ImportError(f"sgdr.search.tune needs Ray Tune: {install('ray')} ({error})") from error

from sgdr.search.tune.scheduler import RestartAwareScheduler
from sgdr.search.tune.space import tune_space
from sgdr.search.tune.trainable import trainable

__all__ = ["RestartAwareScheduler", "trainable", "tune_space"]
