"""A sweep: everything is checked first, then one worker here, or several on Ray, see it through."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage

from sgdr.errors import ArgumentError
from sgdr.extras import install
from sgdr.search.artifacts.snapshots import study_folder
from sgdr.search.backend.devices import use_all_cores
from sgdr.search.backend.interrupts import terminate_as_interrupt
from sgdr.search.problem import hparams
from sgdr.search.problem.arms import planned
from sgdr.search.problem.callback import SILENT, Callback, takes_functions
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.lookup import find
from sgdr.search.problem.options import KEY, Kind, Option, option
from sgdr.search.problem.signatures import taking
from sgdr.search.problem.space import Space
from sgdr.search.problem.workload import CallableWorkload, Workload
from sgdr.search.storage.connect import default_url, open_storage, storage_errors
from sgdr.search.strategy.named import STAGED
from sgdr.search.study.lookup import load
from sgdr.search.study.study import Best, Study
from sgdr.search.sweeps.cluster import cluster_of
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.coordinator import AloneCoordinator, Begun
from sgdr.search.sweeps.create_study import create_study, going_on, open_existing, study_name
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.session import places, work
from sgdr.search.sweeps.settings import Settings, resolve
from sgdr.search.sweeps.starts import widening


@dataclass(frozen=True)
class Result:
    """How a sweep went."""

    study: Study
    reached: bool
    """Whether it has its trials, has spent its cost, or its sampler has nothing more to try.

    Else it stopped at its timeout, and can be resumed."""
    timing: dict[str, float]
    """Seconds by phase (setup, compile, sampler, storage, train), of several workers the mean, and the `wall`
    of all."""
    compilations: int
    slots: int
    """The number of slots of each worker."""
    devices: str
    epochs: int
    """Epochs trained in this run, over all trials."""

    @property
    def best(self) -> Best:
        """The best completed trial. Raises ValueError when there is none."""
        return self.study.best

    @property
    def trial_steps_per_second(self) -> float | None:
        """Optimizer steps, over all slots, per second of training; None where these are not counted."""
        steps, seconds = self.study.stored.steps_per_epoch, self.timing.get("train")
        return self.epochs * steps / seconds if steps and seconds else None


@dataclass(frozen=True, kw_only=True)
class SweepArguments(SweepConfig):
    """All that `sweep` takes."""

    start: Sequence[Any] = option(
        (), Kind.SCHEDULES, "Schedules that you have today, beside those of the space", unset="see `Space`"
    )

    workload: Workload | CallableWorkload | str = field(
        kw_only=False, metadata={KEY: Option(Kind.OBJECT, "An object, or a registered name")}
    )
    callback: Callback = option(
        SILENT, Kind.OBJECT, "Hears how far it is, and what the user should know; see `Callback`"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start and isinstance(self.space, Space | None):
            space = self.space or Space()
            object.__setattr__(self, "space", replace(space, start=(*self.start, *space.start)))


@takes_functions
@taking(SweepArguments)
def sweep(said: SweepArguments) -> Result:
    """Search the schedule that is best for a workload, and return how it went.

    Raises ValueError for bad arguments, before anything is written; StorageError when the storage fails;
    TooManyFailures when the workload does; KeyboardInterrupt, after everything is written, on Ctrl-C.
    """
    timer, began = PhaseTimer(), time.monotonic()
    cluster = cluster_of(said)
    if cluster is not None:
        if importlib.util.find_spec("ray") is None:
            raise ArgumentError("engine", "ray", f"needs Ray: {install('ray')}")
        # A GPU of this machine is the workers', should JAX look at it here.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with timer.phase("setup"):
        use_all_cores()  # before a workload that is read by its name puts anything on a device
        workload = find(said.workload) if isinstance(said.workload, str) else said.workload
        settings = resolve(Declaration.of(workload), said)
        if not isinstance(workload, CallableWorkload):
            check_functions(workload, hparams.examples(hparams.dtypes(workload, settings.space.hparams)))
        url = default_url() if said.storage is None else str(said.storage)
        name = study_name(workload.name if said.study is None else said.study)
        opened = open_existing(url, name, settings, said.resume)
        changes: list[str] = []
        if opened is not None:
            settings, changes = going_on(opened, name, settings)
        if wider := widening(settings.asked, settings.space):
            changes.append(wider)
        opening = partial(open_storage, url, create=True) if opened is None else lambda: opened
        folder = None if said.checkpoints is None else study_folder(_folder(said.checkpoints), name)
    asked = said.shapes or said.relatives
    for remark in (*changes, *(_without_trials(settings) if asked else [])):
        said.callback.on_remark(remark)

    def begin(storage: BaseStorage) -> Begun:
        of_study = create_study(storage, name, settings, said.resume)
        coordinator = AloneCoordinator(storage, name, said.callback)
        return Begun(coordinator, of_study, places(settings, coordinator))

    deadline = None if settings.timeout is None else began + settings.timeout
    with storage_errors(url), terminate_as_interrupt():
        if cluster is None:
            did = work(workload, settings, opening, begin, folder, deadline, timer, said.callback)
        else:
            from sgdr.search.sweeps.ray.launcher import work_on_ray

            did = work_on_ray(
                said.workload, settings, cluster, url, opening, begin, folder, deadline, said.callback
            )
    return Result(
        study=load(name, url),
        reached=did.reached,
        timing={**did.timing, "wall": timer.wall()},
        compilations=did.compilations,
        slots=did.slots,
        devices=did.devices,
        epochs=did.epochs,
    )


def _without_trials(settings: Settings) -> list[str]:
    """A sentence for each of the shapes that has no trial, where trials are few."""
    if settings.sampler == STAGED:  # which shares them out by itself
        return []
    trials, more = settings.whole_trials, "trials" if settings.cost is None else "cost"
    arms = planned(settings.controls, trials, settings.arms)
    return [
        f"of {trials} trials none is left for {arm}: give more {more}, or more controls"
        for arm in settings.arms
        if arm not in arms
    ]


def _folder(checkpoints: str | os.PathLike[str]) -> Path:
    path = Path(checkpoints).absolute()
    if path.exists() and not path.is_dir():
        raise ArgumentError("checkpoints", str(checkpoints), "is a file", "name a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError("it cannot be written to")
    except OSError as error:
        why = error.strerror or str(error)
        reason = f"cannot be used: {why}"
        raise ArgumentError("checkpoints", str(checkpoints), reason, "name another") from error
    return path
