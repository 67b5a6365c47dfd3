"""How many workers a sweep has, and what each of them gets."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from sgdr.errors import ArgumentError
from sgdr.search.sweeps.config import OPTIONS, SweepConfig


@dataclass(frozen=True)
class Cluster:
    """The workers of a sweep on Ray."""

    workers: int
    cpus_per_worker: float
    """Cores: as many CPU devices has its population, or processes a callable workload."""
    gpus_per_worker: float
    """GPUs; a fraction is that share of one GPU and of its memory."""
    address: str | None
    """The address of a Ray cluster that is there; None: one on this machine, for the time of the sweep."""

    @property
    def cores(self) -> int:
        """Whole cores of a worker."""
        return max(1, math.floor(self.cpus_per_worker))


def cluster_of(config: SweepConfig) -> Cluster | None:
    """The cluster of engine="ray", None of engine="local". Raises ArgumentError for what is not for that.

    `address` None: `$SGDR_RAY_ADDRESS` where it is set.
    """
    if config.engine == "local":
        for name, about in OPTIONS.items():
            if about.for_ray and (value := getattr(config, name)) != about.default:
                raise ArgumentError(name, value, "is for engine='ray'", f"give that too, or leave {name} out")
        return None
    address = config.address or os.environ.get(OPTIONS["address"].variable) or None
    return Cluster(config.workers, float(config.cpus_per_worker), float(config.gpus_per_worker), address)
