"""Schedules of any kind side by side: each is trained on the same seeds, nothing searched, nothing pruned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution

from sgdr import checks
from sgdr.choices import Objective
from sgdr.errors import ArgumentError, bad_field
from sgdr.search.backend.allocation import SlotAllocator
from sgdr.search.backend.devices import use_all_cores
from sgdr.search.backend.interrupts import terminate_as_interrupt
from sgdr.search.backend.population import Population
from sgdr.search.backend.rate_table import rates
from sgdr.search.backend.slots import FINITE, Slots
from sgdr.search.evaluation.comparison import Compared, Comparison
from sgdr.search.evaluation.ensemble import Ensemble
from sgdr.search.evaluation.fixed_runs import Job, Trained, retrain, worth
from sgdr.search.problem import hparams as numbers
from sgdr.search.problem.arguments import one_of, whole
from sgdr.search.problem.callback import SILENT, Callback, takes_functions
from sgdr.search.problem.ensembles import Independent, trained_for
from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.lookup import find
from sgdr.search.problem.objective import MEMBERS, OBJECTIVES, troughs_within
from sgdr.search.problem.seeds import comparison_seed
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.workload import CallableWorkload, State, Workload, check_declaration


@dataclass(frozen=True)
class CompareProgress:
    """How far a comparison is."""

    epochs: int
    """Epochs trained, over all runs."""
    planned: int
    """Epochs to be trained, where no run diverges."""


@takes_functions
def compare(
    workload: Workload | CallableWorkload | str,
    schedules: Mapping[str, Schedule],
    *,
    budget: int | None = None,
    seeds: int = 16,
    seed: int = 0,
    objective: str = "best-epoch",
    hparams: Mapping[str, Any] | None = None,
    slots: int | str = "auto",
    ensembles: Sequence[int | None] = (),
    callback: Callback = SILENT,
) -> Comparison:
    """Trains every schedule on the same seeds, each run to its end, and returns what they are worth.

    Args:
        workload: what is trained: an object, or a registered name.
        schedules: by name, in epochs: a `WarmRestarts`, one of `sgdr.relatives`, or any callable from steps
            to rates for NumPy arrays. `scaled(steps_per_epoch)` makes it one of steps; one that has none is
            called with fractions of epochs.
        budget: epochs of every run; None: the workload's own.
        seeds: how many runs of each schedule. With more, the first stay the same.
        seed: decides everything random: the same seed gives the same table, with as many slots. With other
            numbers of them, sums are rounded in another order, from which trainings may drift apart.
        objective: best-epoch, best-trough, final, anytime or ensemble. Under best-trough, a schedule without
            a trough before the end of the budget is read at its best epoch: one look would be no match for
            many. Under ensemble, `search.Independent` makes of a schedule the control whose models are
            trained apart.
        hparams: the values of what the workload takes further, by name.
        slots: runs trained side by side; "auto" suits them to the devices.
        ensembles: numbers of models, those at a run's last troughs, whose mean prediction is scored; None:
            those at all its troughs. Each is a column of the table, empty for schedules with fewer troughs.
        callback: hears how far it is, and what the user should know; see `Callback`.

    Raises ValueError for bad arguments; RuntimeError where training fails (to diverge is no failure, see
    `Comparison`); KeyboardInterrupt on Ctrl-C, with nothing left behind.
    """
    use_all_cores()  # before a workload that is read by its name puts anything on a device
    workload = find(workload) if isinstance(workload, str) else workload
    check_declaration(workload)
    hparams = checks.mapping("hparams", {} if hparams is None else hparams)
    hparams = {name: checks.plain(value) for name, value in hparams.items()}
    ensembles = checks.plain(ensembles)
    budget = workload.budget if budget is None else whole("budget", budget, 1)
    count = None if slots == "auto" else whole("slots", slots, 1, " or 'auto'")
    one_of("objective", objective, OBJECTIVES)
    _check(workload, schedules, hparams, ensembles)
    as_trained = trained_for(objective, workload)
    _check_independent(schedules, objective, budget)
    drawn: dict[str, BaseDistribution] = {}
    if not isinstance(workload, CallableWorkload):
        drawn = {name: numbers.fixed(name, value) for name, value in hparams.items()}
        numbers.check(workload, drawn)
        check_functions(workload, numbers.examples(numbers.dtypes(workload, drawn)))
        for schedule in schedules.values():
            rates(schedule, budget, workload.steps_per_epoch)  # so that what gives none is known before all
    seed, seeds = whole("seed", seed, 0), whole("seeds", seeds, 1)
    run_seeds = [comparison_seed(seed, index) for index in range(seeds)]
    jobs = [
        _job(number, schedule, budget, run_seed, hparams, objective, bool(ensembles))
        for run_seed in run_seeds
        for number, schedule in enumerate(schedules.values())
    ]
    on_epochs = progress_of(jobs, callback.on_progress)
    with terminate_as_interrupt():
        driven = SlotAllocator(as_trained, count, len(jobs), drawn, callback, any_schedule=True).finish()
        try:
            models = _Models(workload, driven, ensembles)
            trained = retrain(driven, jobs, on_epochs, models.watch)
        finally:
            driven.close()
    names = list(schedules)
    runs = [_read(run, names[run.job.number], workload, models) for run in trained]
    labels = tuple(map(_label, ensembles))
    return Comparison(tuple(runs), workload.metric, workload.direction, objective, budget, labels)


def progress_of(jobs: Sequence[Job], tell: Callable[[CompareProgress], None]) -> Callable[[int], None]:
    """Counts the epochs of jobs that it is told of, and tells how far they are."""
    epochs, planned = 0, sum(job.budget for job in jobs)

    def on_epochs(more: int) -> None:
        nonlocal epochs
        epochs += more
        tell(CompareProgress(epochs, planned))

    return on_epochs


class _Models:
    """Keeps the models of runs at their last troughs, and scores their ensembles when a run is over."""

    def __init__(self, workload: Any, slots: Slots, sizes: Sequence[int | None]) -> None:
        self._workload, self._slots, self._sizes = workload, slots, sizes
        self._ensemble = Ensemble(workload) if sizes else None
        self._states: dict[tuple[int, int], list[State]] = {}
        self.scores: dict[tuple[int, int], dict[str, float]] = {}
        """The values of a run's ensembles by label, by the number of its schedule and its seed."""

    def watch(self, slot: int, trained: Trained) -> None:
        """Hears of a run after every epoch; keeps its models at its last troughs, scores them at its end."""
        assert self._ensemble is not None and isinstance(self._slots, Population)
        job, run = trained.job, (trained.job.number, trained.job.seed)
        most = max((size for size in self._sizes if size is not None), default=1)
        ends = troughs_within(job.schedule, job.budget)
        if trained.epochs in (ends if None in self._sizes else ends[-most:]):
            self._states.setdefault(run, []).append(self._slots.model(slot))
        if trained.epochs < job.budget:
            return
        states = self._states.pop(run)
        self.scores[run] = {
            _label(size): self._ensemble.score(states[-(size or 0) :])[self._workload.metric]
            for size in self._sizes
            if size is None or size <= len(states)
        }


def _job(
    number: int,
    schedule: Schedule,
    budget: int,
    seed: int,
    hparams: Mapping[str, Any],
    objective: str,
    ensembles: bool,
) -> Job:
    one_look = not troughs_within(schedule, budget - 1)
    read_by = Objective.BEST_EPOCH.value if objective == Objective.BEST_TROUGH and one_look else objective
    watched = ensembles and bool(troughs_within(schedule, budget))
    return Job(number, schedule, budget, seed, hparams, read_by, watched)


def _label(size: int | None) -> str:
    return f"ensemble of {'all' if size is None else size}"


def _read(trained: Trained, name: str, workload: Workload | CallableWorkload, models: _Models) -> Compared:
    """What a run has given. Raises RuntimeError where it failed."""
    job, curves = trained.job, {name: curve for name, curve in trained.curves.items() if name != FINITE}
    if trained.error is not None:
        why = trained.error.splitlines()[0]
        raise RuntimeError(f"schedule {name!r} could not be trained on seed {job.seed}: {why}")
    if trained.diverged_at is not None:
        return Compared(name, job.seed, curves, None)
    chosen_by = getattr(workload, "select_metric", None) or workload.metric
    value, epoch = worth(trained, workload.metric, chosen_by, workload.direction)
    ensembles = models.scores.get((job.number, job.seed), {})
    return Compared(name, job.seed, curves, epoch, value, ensembles)


def _check_independent(schedules: Mapping[str, Schedule], objective: str, budget: int) -> None:
    """Raises ArgumentError where models are to be trained apart, and are no ensemble."""
    for name, schedule in schedules.items():
        if isinstance(schedule, Independent):
            many = len(schedule.troughs(budget=budget))
            if objective != Objective.ENSEMBLE:
                reason = f"does not suit {name!r}, whose models begin anew at each restart"
                raise ArgumentError("objective", objective, reason, "give ensemble")
            if not 1 <= many <= MEMBERS:
                reason = f"has {many} cycles in {budget} epochs, and an ensemble 1 to {MEMBERS} models"
                raise ArgumentError(name, schedule, reason, "change T_0", within="schedules")


def _check(
    workload: Workload | CallableWorkload,
    schedules: Mapping[str, Schedule],
    hparams: Mapping[str, Any],
    ensembles: Sequence[int | None],
) -> None:
    """Raises ValueError where they cannot be."""
    if not isinstance(schedules, Mapping) or not schedules:
        fix = "give e.g. {'cosine': …}"
        raise bad_field("schedules", schedules, "must be at least one by name", fix)
    for name, schedule in schedules.items():
        if not isinstance(name, str) or not callable(schedule):
            shown = f"{name!r}: {schedule!r}"
            fix = "give e.g. a WarmRestarts"
            raise bad_field("schedules", schedule, "must be callables by name", fix, shown=shown)
    declared = sorted(getattr(workload, "hparams", None) or {})
    if sorted(hparams) != declared:
        takes = ", ".join(declared) or "none"
        reason = f"must have a value for each of the workload's: {takes}"
        raise ArgumentError("hparams", dict(hparams), reason, "give those")
    if not isinstance(ensembles, list | tuple):
        reason = "must be a list of numbers of models"
        raise ArgumentError("ensembles", ensembles, reason, "give e.g. [3, None]")
    for size in ensembles:
        if size is not None:
            whole("ensembles", size, 1)
    if ensembles and isinstance(workload, CallableWorkload):
        reason = f"need a workload with predict() and score(), {workload.name!r} is a function"
        raise ArgumentError("ensembles", tuple(ensembles), reason, "give ensembles=()")
