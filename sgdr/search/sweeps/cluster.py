"""How many workers a sweep has, and what each of them gets."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

from sgdr import checks
from sgdr.errors import ArgumentError
from sgdr.search.problem.arguments import one_of, whole

ENGINES = ("local", "ray")
MOST_WORKERS = 1000
LEAST = 0.01
"""The smallest share of a core or a GPU that a worker may be given."""


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


def checked_cluster(
    engine: str, workers: Any, cpus_per_worker: Any, gpus_per_worker: Any, address: str | None
) -> Cluster | None:
    """The cluster of engine="ray", None of engine="local". Raises ValueError for what cannot be.

    `address` None: `$SGDR_RAY_ADDRESS` where it is set.
    """
    one_of("engine", engine, ENGINES)
    given = {
        "workers": (workers, 1),
        "cpus_per_worker": (cpus_per_worker, 1),
        "gpus_per_worker": (gpus_per_worker, 0),
        "address": (address, None),
    }
    if engine == "local":
        for name, (value, default) in given.items():
            if value != default:
                raise ArgumentError(name, value, "is for engine='ray'", f"give that too, or leave {name} out")
        return None
    if (count := whole("workers", workers, 1)) > MOST_WORKERS:
        raise ArgumentError("workers", workers, f"must be at most {MOST_WORKERS}")
    return Cluster(
        count,
        _amount("cpus_per_worker", cpus_per_worker, LEAST),
        _amount("gpus_per_worker", gpus_per_worker, 0),
        address or os.environ.get("SGDR_RAY_ADDRESS") or None,
    )


def _amount(name: str, value: Any, least: float) -> float:
    number = checks.number(value)
    if number is None or not least <= number < math.inf:
        raise ArgumentError(name, value, f"must be a number from {least}")
    if 0 < number < LEAST:
        raise ArgumentError(name, value, f"must be at least {LEAST}")
    if number > 1 and number != int(number):
        raise ArgumentError(name, value, "must be a whole number, or a fraction below 1")
    return float(number)
