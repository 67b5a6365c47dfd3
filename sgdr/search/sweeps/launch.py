"""A sweep: everything is checked first, then one worker here, or several on Ray, see it through."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage

from sgdr.errors import ArgumentError
from sgdr.search.artifacts.snapshots import study_folder
from sgdr.search.backend.devices import use_all_cores
from sgdr.search.backend.interrupts import terminate_as_interrupt
from sgdr.search.problem import hparams
from sgdr.search.problem.arms import DEFAULT_SHARE, planned
from sgdr.search.problem.callback import SILENT, Callback, takes_functions
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.space import Space
from sgdr.search.problem.workload import CallableWorkload, Workload, check_functions, find
from sgdr.search.storage.connect import default_url, open_storage, storage_errors
from sgdr.search.study.study import Best, Study, load
from sgdr.search.sweeps.cluster import checked_cluster
from sgdr.search.sweeps.config import Settings, checked
from sgdr.search.sweeps.coordinator import AloneCoordinator, Begun
from sgdr.search.sweeps.create_study import create_study, going_on, open_existing, study_name
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.session import places, work


@dataclass(frozen=True)
class Result:
    """How a sweep went."""

    study: Study
    reached: bool
    """Whether it has its number of trials, or its sampler has nothing more to try; else it stopped at its
    timeout, and can be resumed."""
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
        steps, seconds = self.study.attributes["steps_per_epoch"], self.timing.get("train")
        return self.epochs * steps / seconds if steps and seconds else None


@takes_functions
def sweep(
    workload: Workload | CallableWorkload | str,
    *,
    trials: int = 64,
    budget: int | None = None,
    storage: str | None = None,
    study: str | None = None,
    space: Space | None = None,
    objective: str = "best-epoch",
    pruner: str | BasePruner = "restart-aware",
    sampler: str | BaseSampler = "tpe",
    slots: int | str = "auto",
    engine: str = "local",
    workers: int = 1,
    cpus_per_worker: float = 1,
    gpus_per_worker: float = 0,
    address: str | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    controls: float = DEFAULT_SHARE,
    relatives: Sequence[str] = (),
    seed: int = 0,
    timeout: float | None = None,
    resume: bool = False,
    callback: Callback = SILENT,
) -> Result:
    """Searches the schedule that is best for a workload, and returns how it went.

    Args:
        workload: an object, or a registered name.
        trials: how many trials are to be finished (completed or pruned), those of earlier runs included.
        budget: epochs of one trial; None: the workload's own.
        storage: URL of an Optuna storage; None: `$SGDR_STORAGE`, else `sqlite:///sgdr.db`.
        study: its name in the storage; None: the workload's.
        space: what is searched; None: see `Space`.
        objective: what a trial is worth: best-epoch, best-trough or final.
        pruner: restart-aware, hyperband, median, none, or any Optuna pruner.
        sampler: tpe, random, or any Optuna sampler. Where one ends the study, as a GridSampler and a
            BruteForceSampler do when all is tried, the sweep ends and says so; to them a value that the
            space fixes is a choice of one.
        slots: trials trained side by side, by each worker; "auto" suits them to the devices.
        engine: local, one worker in this process, or ray, several as trials of Ray Tune.
        workers: how many; this and the next three are for engine="ray".
        cpus_per_worker: cores of a worker.
        gpus_per_worker: GPUs of a worker; a fraction is that share of one, and of its memory.
        address: of a Ray cluster; None: `$SGDR_RAY_ADDRESS`, else Ray is started on this machine.
        checkpoints: a folder, which all workers have, for the states of trials at their last troughs: a trial
            that was cut off begins there again; None: it begins anew.
        controls: the share of the trials that goes to schedules without restarts, half of it to one cosine
            cycle and half to a constant rate; 0 for none.
        relatives: further arms without restarts, names of `sgdr.shapes.RELATIVES`, each with as many trials
            as one of the controls; a resumed sweep keeps those of its study.
        seed: decides everything random: the same seed gives the same sweep.
        timeout: seconds after which it stops; what is being trained then is trained again on `resume`.
        resume: go on with the study where there is one, with its own seed.
        callback: hears how far it is, and what the user should know; see `Callback`.

    Raises ValueError for bad arguments, before anything is written; StorageError when the storage fails;
    TooManyFailures when the workload does; KeyboardInterrupt, after everything is written, on Ctrl-C.
    """
    timer, began = PhaseTimer(), time.monotonic()
    cluster = checked_cluster(engine, workers, cpus_per_worker, gpus_per_worker, address)
    if cluster is not None:
        if importlib.util.find_spec("ray") is None:
            raise ArgumentError("engine", "ray", "needs Ray: pip install 'sgdr[ray]'")
        # A GPU of this machine is the workers', should JAX look at it here.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with timer.phase("setup"):
        use_all_cores()  # before a workload that is read by its name puts anything on a device
        found = find(workload) if isinstance(workload, str) else workload
        settings = checked(
            Declaration.of(found),
            trials=trials,
            budget=budget,
            space=space,
            objective=objective,
            pruner=pruner,
            sampler=sampler,
            slots=slots,
            controls=controls,
            relatives=relatives,
            seed=seed,
            timeout=timeout,
        )
        if not isinstance(found, CallableWorkload):
            check_functions(found, hparams.examples(hparams.dtypes(found, settings.space.hparams)))
        url = default_url() if storage is None else storage
        name = study_name(found.name if study is None else study)
        opened = open_existing(url, name, settings, resume)
        if opened is not None:
            settings = going_on(opened, name, settings)
        opening = partial(open_storage, url, create=True) if opened is None else lambda: opened
        folder = None if checkpoints is None else study_folder(_folder(checkpoints), name)
    for arm in _without_trials(settings):
        callback.on_remark(
            f"of {settings.trials} trials none is left for {arm}: give more trials, or more controls"
        )

    def begin(storage: BaseStorage) -> Begun:
        of_study = create_study(storage, name, settings, resume)
        coordinator = AloneCoordinator(storage, name, callback)
        return Begun(coordinator, of_study, places(settings, coordinator))

    deadline = None if settings.timeout is None else began + settings.timeout
    with storage_errors(url), terminate_as_interrupt():
        if cluster is None:
            did = work(found, settings, opening, begin, folder, deadline, timer, callback)
        else:
            from sgdr.search.sweeps.ray.launcher import work_on_ray

            did = work_on_ray(workload, settings, cluster, url, opening, begin, folder, deadline, callback)
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
    """The relatives that were asked for and have no trial, where trials are few."""
    if not settings.relatives:
        return []
    arms = planned(settings.controls, settings.trials, settings.relatives)
    return [arm for arm in settings.relatives if arm not in arms]


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
