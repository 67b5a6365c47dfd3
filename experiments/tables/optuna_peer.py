"""Any sampler and pruner of Optuna's interface as a strategy on a table."""

from __future__ import annotations

import functools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from experiments.bench.replay import PRUNERS, asked_after
from experiments.bench.replay import SAMPLERS as SEEDED
from experiments.tables.grid import Schedule
from experiments.tables.nearest import nearest
from experiments.tables.table import Table
from experiments.tables.trials import NoSeedLeftError, Replay, Trial
from sgdr.search.problem.space import Space

Ask = Callable[[Study, Table], tuple[optuna.Trial, Schedule]]
"""Asks a study for a trial, and says which schedule its parameters are."""
Recommend = Callable[[Study], FrozenTrial | None]
"""The trial whose schedule a study recommends at the moment, None before it has any."""


def best_value(study: Study) -> FrozenTrial | None:
    """The complete trial with the lowest value, on its one seed."""
    complete = _complete(study)
    return min(complete, key=_value) if complete else None


def best_mean(study: Study) -> FrozenTrial | None:
    """The first of those complete trials, alike in their parameters, whose mean value is the lowest."""
    alike = defaultdict(list)
    for trial in _complete(study):
        alike[tuple(sorted(trial.params.items()))].append(trial)
    groups = alike.values()
    return min(groups, key=lambda group: np.mean([_value(t) for t in group]))[0] if groups else None


def ask_restarts(study: Study, table: Table) -> tuple[optuna.Trial, Schedule]:
    """A trial of warm restarts, in the space that a sweep has by default."""
    space = _space(table)
    trial = study.ask(dict(space.distributions(table.about.budget)))
    return trial, space.schedule(trial.params, table.about.budget)[0]


def ask_any_shape(study: Study, table: Table) -> tuple[optuna.Trial, Schedule]:
    """The same with the shape as one more choice; what only restarts have is then drawn for nothing."""
    space, others = _space(table), _others(table)
    drawn: dict[str, BaseDistribution] = dict(space.distributions(table.about.budget))
    trial = study.ask({**drawn, "shape": CategoricalDistribution(["restarts", *others])})
    shape = trial.params["shape"]
    if shape == "restarts":
        return trial, space.schedule(trial.params, table.about.budget)[0]
    peaks = others[shape]
    return trial, peaks[min(peaks, key=lambda peak: abs(np.log(peak / trial.params["base_lr"])))]


@dataclass(frozen=True)
class OptunaSearch:
    """A study with a sampler and a pruner, one trial at a time: each trains the table's nearest schedule.

    It is the nearest that has a seed left: parameters that were sampled before are trained on the next
    seed. A trial's value is what the schedule is worth on its seed; the loss of the epoch is reported after
    every epoch in which the pruner looks at it.
    """

    sampler: Callable[[Replay], BaseSampler]
    """Makes the sampler; the cost, the budget and the repeat's number are the replay's."""
    pruner: Callable[[int], BasePruner] = PRUNERS["none"]
    """Makes the pruner for a budget in epochs."""
    recommend: Recommend = best_value
    ask: Ask = ask_restarts

    def __call__(self, replay: Replay) -> Iterator[int]:
        """The row of what is recommended, after every trial that has ended."""
        table = replay.table
        pruner = self.pruner(table.about.budget)
        study = optuna.create_study(
            # Hyperband draws a trial's bracket by the study's name.
            study_name=f"{table.about.name}-{replay.number}",
            sampler=self.sampler(replay),
            pruner=pruner,
        )
        epochs, rows = asked_after(pruner, table.about.budget), dict[int, int]()
        while True:
            asked, schedule = self.ask(study, table)
            trial = _begun(replay, schedule)
            rows[asked.number] = trial.row
            _train(study, asked, trial, epochs)
            recommended = self.recommend(study)
            if recommended is not None:
                yield rows[recommended.number]


def _begun(replay: Replay, schedule: Schedule) -> Trial:
    """A trial of the nearest schedule that has a seed left."""
    for row in nearest(replay.table, schedule):
        if replay.seeds_left(row):
            return replay.begin(row)
    raise NoSeedLeftError("all schedules of the family have had all seeds")


def _train(study: Study, asked: optuna.Trial, trial: Trial, epochs: list[int]) -> None:
    """Train a trial until it ends or its pruner ends it, and tell the study."""
    for epoch in epochs:
        trial.train(epoch)
        if trial.ended:
            study.tell(asked, trial.worth)
            return
        asked.report(float(trial.losses[-1]), epoch)
        if asked.should_prune():
            study.tell(asked, state=TrialState.PRUNED)
            return


def _complete(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None, "a trial that is complete has a value"
    return trial.value


@functools.cache
def _space(table: Table) -> Space:
    about = table.about
    return Space(base_lr=about.base_lr, T_0=(1, about.budget))


@functools.cache
def _others(table: Table) -> dict[str, dict[float, Schedule]]:
    """The schedules of all variants but restarts, by their peak."""
    others: dict[str, dict[float, Schedule]] = defaultdict(dict)
    for entry in table.entries:
        if entry.shape != "restarts":
            peak: float = entry.schedule.base_lr  # type: ignore[union-attr]
            others[f"{entry.shape}/{entry.variant}"][peak] = entry.schedule
    return dict(others)


def _gaussian_process(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return GPSampler(seed=seed)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {**SEEDED, "GP": _gaussian_process}
"""Functions by name that make a sampler from a seed."""
