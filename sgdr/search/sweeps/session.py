"""One worker from its start to its end: slots, the coordinator of the study, and the search of every arm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import TrialState

from sgdr.search.artifacts.checkpoints import Checkpoints
from sgdr.search.backend.allocation import SlotAllocator
from sgdr.search.backend.compilations import compilations
from sgdr.search.backend.slots import Slots
from sgdr.search.problem.arms import Places, is_of
from sgdr.search.problem.callback import SILENT, Callback
from sgdr.search.problem.ensembles import trained_for
from sgdr.search.problem.seeds import sampler_seed
from sgdr.search.problem.workload import CallableWorkload, Workload
from sgdr.search.storage.schema import BEGUN, ENQUEUED, RETRY_OF
from sgdr.search.strategy.samplers import Arm
from sgdr.search.sweeps.coordinator import Begun, Coordinator
from sgdr.search.sweeps.enqueued import placed
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.progress import Progress
from sgdr.search.sweeps.settings import Settings
from sgdr.search.sweeps.worker import Worker


@dataclass(frozen=True)
class Worked:
    """What a worker did, or several together."""

    reached: bool
    """Whether the study has its number of trials or its cost, or the sampler has nothing more to try."""
    epochs: int
    """Trained in this run, over all trials."""
    slots: int
    devices: str
    compilations: int
    timing: dict[str, float]
    """Seconds by phase."""


def work(
    workload: Workload | CallableWorkload,
    settings: Settings,
    opening: Callable[[], BaseStorage],
    begin: Callable[[BaseStorage], Begun],
    checkpoints: Path | None,
    deadline: float | None,
    timer: PhaseTimer,
    callback: Callback,
) -> Worked:
    """Trains until the study has its trials or its cost, or the deadline of `time.monotonic` is there.

    `opening` gives the storage, while the slots are compiled; `begin` is called when they are known to fit.
    `checkpoints` is the folder of the study's.
    """
    compiled_before = compilations()
    with timer.phase("setup"):
        workload = trained_for(settings.objective, workload)
        hparams = settings.space.hparams
        allocator = SlotAllocator(
            workload, settings.slots, settings.most_at_once, hparams, callback, settings.any_schedule
        )
        last_troughs = None
        if checkpoints is not None and not isinstance(workload, CallableWorkload):
            last_troughs = Checkpoints(checkpoints, workload, callback)
    with ThreadPoolExecutor(1) as pool:
        # XLA compiles on one core what keeps Python free to set up the storage on another.
        compiling = pool.submit(allocator.finish)
        with timer.phase("setup"):
            storage = opening()
        with timer.phase("compile"):
            slots = compiling.result()

    def described() -> dict[str, Any]:
        compiled = compilations() - compiled_before
        return {"slots": slots.slots, "devices": allocator.devices, "compilations": compiled}

    try:
        with timer.phase("setup"):
            begun = begin(storage)

        def progressed(progress: Progress) -> None:
            begun.coordinator.log.note(epochs=progress.epochs, timing=dict(timer.seconds), **described())
            callback.on_progress(progress)

        noting = Callback(progressed, callback.on_remark)
        reached, epochs = run(settings, begun, slots, timer, deadline, last_troughs, noting)
    finally:
        slots.close()
    return Worked(reached=reached, epochs=epochs, timing=dict(timer.seconds), **described())


def run(
    settings: Settings,
    begun: Begun,
    slots: Slots,
    timer: PhaseTimer,
    deadline: float | None = None,
    checkpoints: Checkpoints | None = None,
    callback: Callback = SILENT,
) -> tuple[bool, int]:
    """Lets a worker drive the slots to its end, whatever that is, and gives the study up.

    Returns whether the search has come to its end, and how many epochs were trained.
    """
    try:
        with timer.phase("setup"):
            arms = _arms(settings, begun)
        worker = Worker(slots, begun, arms, settings, timer, deadline, checkpoints, callback)
        return worker.run(), worker.epochs
    finally:
        begun.coordinator.interrupt()


def places(settings: Settings, coordinator: Coordinator) -> Places:
    """The arms of the trials to come, after those that the study has."""
    begun: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    searched = {name: settings.space.distributions(settings.budget, name) for name in settings.arms}
    again = {trial.number for trial in coordinator.queue.again}
    for trial in coordinator.log.own:
        if trial.state == TrialState.WAITING:
            with suppress(ValueError):  # it will be refused
                begun[placed(trial, searched)[0]] += 1
            continue
        for arm, distributions in searched.items():
            if is_of(arm, distributions, trial.params, trial.user_attrs.get(BEGUN)):
                begun[arm] += trial.state != TrialState.FAIL or trial.number in again
                drawn[arm] += trial.user_attrs.keys().isdisjoint({RETRY_OF, ENQUEUED})
    return Places(begun, drawn, settings.controls, settings.whole_trials, settings.arms)


def _arms(settings: Settings, begun: Begun) -> dict[str, Arm]:
    """The search of every arm, with the trials that the study has already.

    Samplers are seeded anew where there are some: else they would draw the first ones again.
    """
    log, seed = begun.coordinator.log, begun.seed
    before = len(log.trials)
    arms = {
        name: settings.arm(name, seed, sampler_seed(seed, place, before, begun.worker))
        for place, name in enumerate(settings.arms)
    }
    for trial in log.known():
        for arm in arms.values():
            if arm.searches(trial):
                arm.add(trial)
    return arms
