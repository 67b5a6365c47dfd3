"""What runs on Ray: one worker of a launch, from the unpacking of its spec to its last report."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage

from sgdr.search.backend.devices import limit_cores, share_gpu_memory, use_all_cores
from sgdr.search.problem.arms import Places
from sgdr.search.problem.callback import Callback
from sgdr.search.problem.lookup import find
from sgdr.search.problem.workload import CallableWorkload, Workload
from sgdr.search.storage.connect import StorageError, open_storage, storage_errors
from sgdr.search.storage.retry import Retrying
from sgdr.search.sweeps.coordinator import Begun
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.session import work
from sgdr.search.sweeps.settings import Settings
from sgdr.search.sweeps.shared import Launch, SharedCoordinator, StopRequested
from sgdr.search.sweeps.worker import TooManyFailures

ENDINGS: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (ValueError, StorageError, TooManyFailures, MemoryError)
}
"""Errors that are the same when they are met again: they end the sweep, and no worker is started anew."""


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker is to do; it is the same for all of a launch."""

    packed: bytes
    """The workload, or its registered name, and the settings: they may come from a module of the user's."""
    path: tuple[str, ...]
    """The paths at which the launcher looks for modules."""
    cores: int
    gpus: float
    url: str
    study: str
    seed: int
    """The seed of the study."""
    launch: Launch
    places: Places
    checkpoints: Path | None


def train(config: dict[str, Any], spec: WorkerSpec) -> None:
    """The function that Ray Tune calls: `config["worker"]` is the place of the worker.

    Ends without an error where it is no use to start it again, and reports why.
    """
    from ray import tune

    kind = error_text = ""
    try:
        with suppress(StopRequested):
            _work(int(config["worker"]), spec)
    except tuple(ENDINGS.values()) as error:
        kind = next(name for name, ending in ENDINGS.items() if isinstance(error, ending))
        error_text = f"{error} (said by a worker on {socket.gethostname()})"
    tune.report({"kind": kind, "error": error_text})


def _work(place: int, spec: WorkerSpec) -> None:
    timer = PhaseTimer()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with timer.phase("setup"):
        workload, settings = _unpacked(spec)
        limit_cores(spec.cores)
        processes = settings.slots or spec.cores if isinstance(workload, CallableWorkload) else 1
        _share_gpu(spec.gpus, processes)
        use_all_cores()
    remarks: list[str] = []
    callback = Callback(on_remark=remarks.append)

    def begin(storage: BaseStorage) -> Begun:
        coordinator = SharedCoordinator(storage, spec.study, spec.launch, place, callback)
        coordinator.log.note(remarks=remarks)
        return Begun(coordinator, spec.seed, spec.places, place)

    def opening() -> BaseStorage:
        # A worker may be started again just when the database is.
        return Retrying(remarks.append)(lambda maybe_applied: open_storage(spec.url, create=True))

    with storage_errors(spec.url):
        work(workload, settings, opening, begin, spec.checkpoints, None, timer, callback)


def _unpacked(spec: WorkerSpec) -> tuple[Workload | CallableWorkload, Settings]:
    """The workload and the settings. Raises ValueError where they are not to be had on this machine."""
    from ray import cloudpickle

    sys.path[:0] = [entry for entry in spec.path if entry not in sys.path]
    try:
        workload, settings = cloudpickle.loads(spec.packed)
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(
            f"the workload cannot be imported on the worker at {os.uname().nodename} ({why}); install its "
            "package on every node"
        ) from error
    return find(workload) if isinstance(workload, str) else workload, settings


def _share_gpu(gpus: float, processes: int) -> None:
    """Makes JAX take this worker's share of a GPU's memory and no more, or no GPU at all.

    By environment, which the processes of a callable workload inherit.
    """
    if gpus:
        share_gpu_memory(min(gpus, 1.0) / processes)
        return
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax

    jax.config.update("jax_platforms", "cpu")  # it reads the environment when it is imported
