"""Searches replayed on tables of complete learning curves: what each would recommend, and at what cost.

All sides sample from the same continuous space, and get the table's nearest schedule; all train 16 trials at
a time in lockstep; all see one seed. A schedule's true value is its mean over seeds that no side has seen.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from experiments.bench.tables import BASE_LR, METRICS, Table
from sgdr.choices import Direction, Objective
from sgdr.schedule import WarmRestarts
from sgdr.search.backend.slots import FINITE, LONGEST_CALL, Ended
from sgdr.search.evaluation.finalists import Candidate
from sgdr.search.evaluation.race import Rounds
from sgdr.search.problem.arms import DEFAULT_SHARE, Places, arm_of
from sgdr.search.problem.callback import SILENT
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.objective import value
from sgdr.search.problem.seeds import sampler_seed
from sgdr.search.problem.space import Space
from sgdr.search.storage.schema import StudyAttributes
from sgdr.search.strategy.restart_aware import RestartAwarePruner
from sgdr.search.study.study import Best
from sgdr.search.sweeps.coordinator import AloneCoordinator, Begun
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.settings import Settings
from sgdr.search.sweeps.worker import Worker
from sgdr.shapes import EARLIER

SLOTS = 16
FACTOR = 3
"""The factor by which the peers' rungs grow."""
HALF_STEP = (BASE_LR[1] / BASE_LR[0]) ** 0.5


@dataclass(frozen=True)
class Replayed:
    """The trials of one search, by number."""

    rows: np.ndarray
    """The schedule of each, as a row of the table."""
    epochs: np.ndarray
    """The epochs that each was trained for."""
    complete: np.ndarray
    """Whether it was trained to the end."""

    def cost(self, trials: int, budget: int) -> float:
        """The cost of its first so many trials, in full trials.

        A search of fewer trials is the beginning of a longer one: that its last ones then compete with a few
        that come after them is the only difference.
        """
        return float(self.epochs[:trials].sum() / budget)

    def finalists(self, trials: int, worth: np.ndarray) -> list[int]:
        """The rows that were completed of its first so many trials, each once, the best by `worth` first."""
        rows = dict.fromkeys(self.rows[:trials][self.complete[:trials]].tolist())
        return sorted(rows, key=lambda row: worth[row])


@functools.cache
def worths_of(table: Table, objective: str = "best-epoch") -> np.ndarray:
    """What every schedule is worth on every seed, float [schedules, seeds]; 1.0 where it diverged."""
    error, select = table.curves["error"], table.curves["select_error"]
    worth = np.ones(error.shape[:2])
    for row, schedule in enumerate(table.schedules):
        for seed in range(table.seeds):
            if np.isfinite(error[row, seed]).all():
                worth[row, seed] = value(
                    objective, error[row, seed].tolist(), schedule, "minimize", select[row, seed].tolist()
                )
    return worth


class Grid:
    """The rows of a table by what is sampled."""

    def __init__(self, table: Table) -> None:
        self._rows = {_key(schedule): row for row, schedule in enumerate(table.schedules)}
        self._lengths = np.array(sorted({schedule.T_0 for schedule in table.schedules}))
        self.budget = table.budget
        self.space = Space(
            base_lr=(BASE_LR[0] / HALF_STEP, BASE_LR[-1] * HALF_STEP),
            T_0=(1, table.budget),
            T_mult=(1, 2),
            eta_ratio=(0.0, 0.1),
        )

    def row(self, schedule: WarmRestarts) -> int:
        """The nearest schedule of the table."""
        base_lr = BASE_LR[int(np.argmin(np.abs(np.log(np.array(BASE_LR) / schedule.base_lr))))]
        T_0 = int(self._lengths[np.argmin(np.abs(np.log(self._lengths / schedule.T_0)))])
        ratio = schedule.eta_min / schedule.base_lr
        eta_min = base_lr if ratio == 1 else base_lr * (0.1 if ratio > 0.05 else 0.0)
        T_mult = 1 if self.budget == T_0 else int(schedule.T_mult)
        return self._rows[_key(WarmRestarts(base_lr, T_0, T_mult, eta_min))]


def _key(schedule: WarmRestarts) -> tuple[float, ...]:
    return schedule.base_lr, schedule.T_0, schedule.T_mult, round(schedule.eta_min / schedule.base_lr, 3)


class TableSlots:
    """Slots whose trials are looked up, for the product's own worker."""

    longest_call = LONGEST_CALL

    def __init__(self, table: Table, grid: Grid, seed: int | None) -> None:
        """Every trial sees the seed of that number; None: each its own."""
        self.slots = SLOTS
        self.rows: list[int] = []
        """The row of the table for each trial, in the order in which they were begun."""
        self._table, self._grid, self._seed = table, grid, seed
        self._at = [(0, 0, 0)] * SLOTS

    def fill(
        self, slot: int, schedule: WarmRestarts, budget: int, seed: int, hparams: Mapping[str, Any]
    ) -> None:
        """See `Slots`."""
        self.rows.append(self._grid.row(schedule))
        self._at[slot] = self.rows[-1], seed if self._seed is None else self._seed, 0

    def advance(self, epochs: int) -> _Known:
        """See `Slots`."""
        values = {name: np.full((epochs, SLOTS), np.nan) for name in METRICS}
        for slot, (row, seed, done) in enumerate(self._at):
            for name, curves in values.items():
                curve = self._table.curves[name][row, seed, done : done + epochs]
                curves[: len(curve), slot] = curve
            self._at[slot] = row, seed, done + epochs
        values[FINITE] = np.isfinite(values["error"]).astype(float)
        return _Known(values)

    def end(self, slot: int) -> None:
        """See `Slots`."""

    def close(self) -> None:
        """See `Slots`."""


class _Known:
    """Values that are there at once."""

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        self._values = values

    def ready(self) -> bool:
        return True

    def read(self) -> dict[str, np.ndarray]:
        return self._values

    def failed(self) -> dict[int, str | None]:
        return {}

    def ended(self) -> dict[int, Ended]:
        """Nothing: a table has all epochs."""
        return {}

    def said(self) -> dict[int, dict[str, Any]]:
        return {}


def _declaration(table: Table) -> Declaration:
    """What a workload that trains what the table holds would declare."""
    return Declaration(
        table.name, "error", "minimize", table.budget, "arrays", 1, None, "select_error", {}, "step"
    )


def ours(
    table: Table, grid: Grid, column: int, trials: int, seed: int, controls: float = DEFAULT_SHARE
) -> Replayed:
    """The product's own search, as `sweep` runs it: its worker, arms, sampler and pruner."""
    workload = _declaration(table)
    space = grid.space.resolved(workload, table.budget)
    settings = Settings(
        workload=workload,
        trials=trials,
        budget=table.budget,
        space=space,
        asked=space,
        objective="best-epoch",
        pruner=RestartAwarePruner(table.budget),
        sampler="tpe",
        slots=SLOTS,
        controls=controls,
        shapes=EARLIER,
        seed=seed,
        timeout=None,
    )
    storage = InMemoryStorage()
    storage.create_new_study([StudyDirection.MINIMIZE], "replay")
    coordinator = AloneCoordinator(storage, "replay")
    arms = {
        name: settings.arm(name, seed, sampler_seed(seed, place, 0))
        for place, name in enumerate(settings.arms)
    }
    slots = TableSlots(table, grid, column)
    begun = Begun(coordinator, seed, Places({}, {}, controls, trials, settings.arms))
    Worker(slots, begun, arms, settings, PhaseTimer()).run()
    ended = list(coordinator.log.trials.values())
    coordinator.log.close()
    curves = [trial.user_attrs["curve"]["error"] for trial in ended]
    return Replayed(
        rows=np.array(slots.rows),
        epochs=np.array(
            [
                min(trial.user_attrs.get("diverged_at", len(c)), table.budget)
                for trial, c in zip(ended, curves, strict=True)
            ]
        ),
        complete=np.array([trial.state == TrialState.COMPLETE for trial in ended]),
    )


def confirmed(
    table: Table, grid: Grid, run: Replayed, column: int, top: int, seeds: Sequence[int]
) -> tuple[int, float]:
    """The row that `confirm` recommends after a search, and what it costs in full trials."""
    worth = worths_of(table)[:, column]
    arms = {row: arm_of(table.schedules[row], table.budget) for row in run.finalists(len(run.rows), worth)}
    candidates = [
        Candidate(_best(table, row, float(worth[row]), arm), arm)
        for arm in EARLIER
        for row in [row for row, of in arms.items() if of == arm][:top]
    ]
    stored = StudyAttributes(
        workload="digits",
        budget=table.budget,
        space={"hparams": {}},
        objective=Objective.BEST_EPOCH.value,
        metric="error",
        select_metric="select_error",
        direction=Direction.MINIMIZE.value,
        steps_per_epoch=None,
        seed=0,
    )
    study: Any = SimpleNamespace(stored=stored, finished=0)
    rounds = Rounds(study, candidates, seeds, TableSlots(table, grid, None), None, SILENT)
    chosen = rounds.race(lambda attribute: None).best
    row = candidates[0].best.number if chosen is None else chosen.number
    return row, float(sum(len(candidate.values) for candidate in candidates))


def _best(table: Table, row: int, worth: float, arm: str) -> Best:
    return Best(
        number=row,
        value=worth,
        schedule=table.schedules[row],
        epoch=table.budget,
        budget=table.budget,
        hparams={},
        seed=0,
        curves={},
        arm=arm,
        confirmed=None,
    )


def peer(
    table: Table, grid: Grid, column: int, trials: int, sampler: BaseSampler, pruner: BasePruner
) -> Replayed:
    """An ordinary Optuna study that samples what it trains."""
    space = grid.space.resolved(_declaration(table), table.budget)
    study = optuna.create_study(sampler=sampler, pruner=pruner)

    def ask() -> tuple[optuna.Trial, int]:
        trial = study.ask(space.distributions(table.budget))
        return trial, grid.row(space.schedule(trial.params, table.budget)[0])

    return _lockstep(table, column, study, trials, ask)


def in_order(table: Table, column: int, rows: Sequence[int], pruner: BasePruner) -> Replayed:
    """The same on given schedules, so that pruners alone are compared."""
    study = optuna.create_study(sampler=RandomSampler(seed=0), pruner=pruner)
    left = iter(rows)

    def ask() -> tuple[optuna.Trial, int]:
        trial, row = study.ask(), next(left)
        trial.set_user_attr("schedule", table.schedules[row].to_dict())
        return trial, row

    return _lockstep(table, column, study, len(rows), ask)


def _lockstep(
    table: Table,
    column: int,
    study: optuna.Study,
    trials: int,
    ask: Callable[[], tuple[optuna.Trial, int]],
) -> Replayed:
    """Trains `SLOTS` trials at a time; every epoch that its pruner looks at is reported and asked about."""
    errors = np.nan_to_num(table.curves["error"][:, column].astype(float), nan=1.0)
    worth, asked = worths_of(table)[:, column], asked_after(study.pruner, table.budget)
    all_of_them = isinstance(study.pruner, RestartAwarePruner)
    rows, epochs, complete = list[int](), list[int](), list[bool]()
    training: dict[int, optuna.Trial] = {}
    while len(rows) < trials or training:
        for slot in range(SLOTS):
            if slot not in training and len(rows) < trials:
                training[slot], row = ask()
                rows.append(row)
                epochs.append(0)
                complete.append(False)
        ends = {
            trial.number: next(epoch for epoch in asked if epoch > epochs[trial.number])
            for trial in training.values()
        }
        step = min(end - epochs[number] for number, end in ends.items())
        for number in ends:
            epochs[number] += step
        due = [slot for slot, trial in training.items() if epochs[trial.number] == ends[trial.number]]
        for trial in (training[slot] for slot in due):
            end = epochs[trial.number]
            begin = 1 + max((epoch for epoch in asked if epoch < end), default=0) if all_of_them else end
            for epoch in range(begin, end + 1) if end < table.budget else ():
                trial.report(float(errors[rows[trial.number], epoch - 1]), epoch)
        for slot in due:
            trial = training[slot]
            if epochs[trial.number] >= table.budget:
                study.tell(trial, float(worth[rows[trial.number]]))
                complete[trial.number] = True
                del training[slot]
            elif trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                del training[slot]
    return Replayed(np.array(rows), np.array(epochs), np.array(complete))


def asked_after(pruner: BasePruner, budget: int) -> list[int]:
    """The epochs after which a pruner can end a trial, and the last one."""
    rungs: list[int] = []
    if isinstance(pruner, RestartAwarePruner):
        rungs = list(pruner.rungs)
    elif isinstance(pruner, SuccessiveHalvingPruner | HyperbandPruner):
        first = pruner._min_resource
        assert isinstance(first, int), "given, not estimated"
        rungs = [first * FACTOR**power for power in range(budget) if first * FACTOR**power < budget]
    elif isinstance(pruner, MedianPruner):
        rungs = list(range(budget // 10, budget, max(1, budget // 20)))
    return [*rungs, budget]


def tpe(seed: int) -> BaseSampler:
    """Optuna's own, as somebody would set it up for trials that run side by side."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, constant_liar=True)


PRUNERS: dict[str, Callable[[int], BasePruner]] = {
    "none": lambda budget: NopPruner(),
    "MedianPruner": lambda budget: MedianPruner(n_warmup_steps=budget // 10),
    "SuccessiveHalvingPruner": lambda budget: SuccessiveHalvingPruner(
        min_resource=max(1, round(0.11 * budget)), reduction_factor=FACTOR
    ),
    "HyperbandPruner": lambda budget: HyperbandPruner(
        min_resource=-(-budget // 27), max_resource=budget, reduction_factor=FACTOR
    ),
    "RestartAwarePruner": RestartAwarePruner,
}
"""Functions by name that make a pruner for a budget."""
SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "TPE": tpe,
}
"""Functions by name that make a sampler from a seed."""
