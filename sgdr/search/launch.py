"""A sweep in this process: everything is checked first, then one worker is driven to its end."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from sgdr.search.arms import ARMS, DEFAULT_SHARE
from sgdr.search.compilations import compilations
from sgdr.search.declaration import Declaration
from sgdr.search.devices import use_all_cores
from sgdr.search.fitting import Fitting
from sgdr.search.interrupts import terminate_as_interrupt
from sgdr.search.opening import create_study, open_existing, study_name
from sgdr.search.record import Record
from sgdr.search.sampling import Arm
from sgdr.search.settings import Settings, checked
from sgdr.search.space import Space
from sgdr.search.stopwatch import Stopwatch
from sgdr.search.storage import default_url, open_storage, storage_errors
from sgdr.search.study import Best, Study, load
from sgdr.search.worker import Plan, Progress, Worker, arm_seed
from sgdr.search.workload import CallableWorkload, Workload, check_functions, find


@dataclass(frozen=True)
class Result:
    """How a sweep went."""

    study: Study
    reached: bool
    """Whether it has its number of trials; else it stopped at its timeout, and can be resumed."""
    timing: dict[str, float]
    """Seconds by phase (setup, compile, sampler, storage, train), and the `wall` of all."""
    compilations: int
    slots: int
    devices: str
    epochs: int
    """Epochs trained in this run, over all trials."""

    @property
    def best(self) -> Best:
        """The best completed trial. Raises ValueError when there is none."""
        return self.study.best

    @property
    def trial_steps_per_second(self) -> float | None:
        """Optimizer steps, over all slots, per second of training; None for a callable workload."""
        steps, seconds = self.study.attributes["steps_per_epoch"], self.timing.get("train")
        return self.epochs * steps / seconds if steps and seconds else None


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
    controls: float = DEFAULT_SHARE,
    seed: int = 0,
    timeout: float | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_remark: Callable[[str], None] = lambda remark: None,
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
        sampler: tpe, random, or any Optuna sampler.
        slots: trials trained side by side; "auto" suits them to the devices.
        engine: local.
        controls: the share of the trials that goes to schedules without restarts, half of it to one cosine
            cycle and half to a constant rate; 0 for none.
        seed: decides everything random: the same seed gives the same sweep.
        timeout: seconds after which it stops; what is being trained then is trained again on `resume`.
        resume: go on with the study where there is one, with its own seed.
        on_progress: called as it goes, some times a second.
        on_remark: called with what the user should know, a sentence each.

    Raises ValueError for bad arguments, before anything is written; StorageError when the storage fails;
    TooManyFailures when the workload does; KeyboardInterrupt, after everything is written, on Ctrl-C.
    """
    stopwatch, began = Stopwatch(), time.monotonic()
    compiled_before = compilations()
    with stopwatch.phase("setup"):
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
            engine=engine,
            controls=controls,
            seed=seed,
            timeout=timeout,
        )
        if not isinstance(found, CallableWorkload):
            check_functions(found, dict.fromkeys(settings.space.hparams, 0.0))
        url = default_url() if storage is None else storage
        name = study_name(found.name if study is None else study)
        opened = open_existing(url, name, settings, resume)
        fitting = Fitting(found, settings.slots, trials, list(settings.space.hparams), on_remark)
    with storage_errors(url), terminate_as_interrupt(), ThreadPoolExecutor(1) as pool:
        # XLA compiles on one core what keeps Python free to set up the storage on another.
        compiling = pool.submit(fitting.finish)
        with stopwatch.phase("setup"):
            if opened is None:
                opened = open_storage(url, create=True)
        with stopwatch.phase("compile"):
            driven = compiling.result()
        with stopwatch.phase("setup"):
            seed = create_study(opened, name, settings, resume)
            record = Record(opened, name)
            arms = _arms(settings, record, seed)
        worker = Worker(driven, record, arms, _plan(settings, seed, began), stopwatch, on_progress)
        try:
            reached = worker.run()
        finally:
            try:
                driven.close()
            finally:
                record.interrupt()
    return Result(
        study=load(name, url),
        reached=reached,
        timing={**stopwatch.seconds, "wall": stopwatch.wall()},
        compilations=compilations() - compiled_before,
        slots=driven.slots,
        devices=fitting.devices,
        epochs=worker.epochs,
    )


def _arms(settings: Settings, record: Record, seed: int) -> dict[str, Arm]:
    """The search of every arm, with the trials that the study has already.

    Samplers are seeded anew where there are some: else they would draw the first ones again.
    """
    begun = len(record.trials)
    arms = {name: settings.arm(name, seed, arm_seed(seed, place, begun)) for place, name in enumerate(ARMS)}
    for trial in record.trials:
        for arm in arms.values():
            if arm.searches(trial.params):
                curve = trial.user_attrs.get("curve", {}).get(settings.workload.metric, [])
                known = copy.copy(trial)
                known.intermediate_values = dict(enumerate(curve, 1))
                arm.add(known)
    return arms


def _plan(settings: Settings, seed: int, began: float) -> Plan:
    workload = settings.workload
    return Plan(
        trials=settings.trials,
        budget=settings.budget,
        space=settings.space,
        objective=settings.objective,
        metric=workload.metric,
        select_metric=workload.select_metric,
        direction=workload.direction,
        controls=settings.controls,
        seed=seed,
        deadline=None if settings.timeout is None else began + settings.timeout,
    )
