"""What a study has seen of each schedule that it tried, as the model takes it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution, json_to_distribution
from optuna.trial import TrialState

from sgdr import relatives
from sgdr.search.model.candidates import Candidates
from sgdr.search.model.prior import PRIOR
from sgdr.search.model.settings import numbers, place_of
from sgdr.search.model.traits import traits
from sgdr.search.problem.arms import ALL_ARMS, arm_of
from sgdr.search.problem.objective import sign
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.warming import WARMUP
from sgdr.search.storage.own_trials import FINISHED
from sgdr.search.storage.schema import ARM, DIVERGED_AT, EPOCHS, PLANNED, START, StudyAttributes
from sgdr.shapes import RESTARTS
from sgdr.warmup import unwarmed

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from sgdr.search.storage.reader import Content

MOST = 300
"""Schedules that the model sees: the best of them, where there are more."""
MOST_SEEDS = 64
"""Fresh seeds of one schedule that the model sees, the first ones."""


@dataclass
class Tried:
    """A schedule that was tried, and what else was searched with it."""

    number: int
    """The number of its best complete trial; of the first of its trials where none is."""
    shape: str
    """One of `sgdr.shapes.SHAPES`, by what it does within its budget."""
    schedule: Schedule
    """The schedule, in epochs."""
    hparams: Mapping[str, Any]
    budget: int
    """Epochs of a whole training."""
    losses: list[float] = field(default_factory=list)
    """What its trainings gave, the lower the better; those that diverged are infinite."""
    best: float = math.inf
    """The lowest loss of its complete trials; infinite where none is, and it cannot be recommended."""
    ended_early: list[float] = field(default_factory=list)
    """The losses of its trials that were ended early, at their last report."""
    is_start: bool = False
    """Whether the user had it before the sweep."""
    has_failed: bool = False
    """Whether it failed or diverged on a fresh seed."""

    @property
    def seen(self) -> list[float]:
        """The losses that count: what was ended early counts where nothing else is known."""
        return self.losses or self.ended_early


def tried(content: Content) -> list[Tried]:
    """Every schedule that the sweep has tried and seen anything of, in the order of its first trials.

    Foreign trials are left out, and so is what failed by an error, is running or waits. A trial that has
    diverged counts as infinitely bad. What candidates gave on the fresh seeds of a confirmation counts too.
    """
    direction = sign(content.stored.direction)
    confirmed = dict(_confirmed(content.stored.confirmation))
    found: dict[Any, Tried] = {}
    for trial in content.own:
        if trial.state not in FINISHED:
            continue
        hparams = {name: trial.params[name] for name in content.stored.space["hparams"]}
        key = json.dumps(trial.user_attrs["schedule"], sort_keys=True), tuple(hparams.values())
        if key not in found:
            found[key] = _first_seen(trial, hparams, content.stored)
        _count(found[key], trial, direction)
        found[key].is_start |= START in trial.user_attrs
        fresh = confirmed.get(trial.number)
        if fresh is not None:
            found[key].losses += [direction * value for value in fresh.values]
            found[key].has_failed |= fresh.failed
    return list(found.values())


def _first_seen(trial: FrozenTrial, hparams: Mapping[str, Any], study: StudyAttributes) -> Tried:
    schedule: Any = relatives.from_dict(trial.user_attrs["schedule"])
    budget = study.budget
    if trial.state is TrialState.COMPLETE:
        budget = max(1, trial.user_attrs.get(PLANNED, trial.user_attrs.get(EPOCHS, budget)))
    elif study.space.get("closed") and (troughs := schedule.troughs(budget=budget)):
        budget = troughs[-1]
    arm = trial.user_attrs.get(ARM)
    # Restarts of which none comes within the budget are one cosine.
    shape = arm if arm in ALL_ARMS and arm != RESTARTS.name else arm_of(schedule, budget)
    return Tried(trial.number, shape, schedule, hparams, budget)


def _count(schedule: Tried, trial: FrozenTrial, direction: float) -> None:
    """Take what a trial of that schedule gave."""
    value = trial.values[0] if trial.values else math.nan
    loss = direction * value if math.isfinite(value) else math.inf
    if trial.state is TrialState.COMPLETE:
        if loss < schedule.best:
            schedule.number, schedule.best = trial.number, loss
        schedule.losses.append(loss)
    elif DIVERGED_AT in trial.user_attrs:
        schedule.losses.append(math.inf)
    else:
        schedule.ended_early.append(loss)


@dataclass(frozen=True)
class _Fresh:
    """What a trial's schedule gave on fresh seeds."""

    values: Sequence[float]
    failed: bool


def _confirmed(confirmation: Mapping[str, Any]) -> Iterator[tuple[int, _Fresh]]:
    """What a study keeps of its confirmation, by the number of the trial; what is of another form is left
    out: anybody may have written it."""
    for number, results in confirmation.items() if isinstance(confirmation, Mapping) else ():
        values = results.get("values") if isinstance(results, Mapping) else None
        if number.isdecimal() and isinstance(values, Mapping):
            plain = [value for value in values.values() if isinstance(value, float) and math.isfinite(value)]
            yield int(number), _Fresh(plain[:MOST_SEEDS], results.get("failed") is not None)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the model is given, a row a schedule."""

    tried: Sequence[Tried]
    candidates: Candidates
    losses: Sequence[Sequence[float]]
    """The losses of the trainings of each, finite: the worst that there is in place of infinite ones."""
    complete: int
    """How many schedules were trained to their end, with those that were left out."""


def evidence(tried: Sequence[Tried], space: Mapping[str, Any]) -> Evidence:
    """The evidence of what was tried in a space, as `Space.to_dict` gives it.

    Of more than `MOST` schedules the starts are kept and the best, those with complete trials first.
    """
    kept = sorted(tried, key=lambda one: (not one.is_start, one.best == math.inf, _typical(one), one.number))[
        :MOST
    ]
    finite = [loss for one in kept for loss in one.seen if math.isfinite(loss)]
    worst = max(finite, default=1.0)
    losses = [[min(loss, worst) for loss in one.seen] for one in kept]
    complete = sum(math.isfinite(one.best) for one in tried)
    return Evidence(kept, _candidates(kept, space), losses, complete)


def _typical(schedule: Tried) -> float:
    return float(np.mean(schedule.seen))


def _candidates(tried: Sequence[Tried], space: Mapping[str, Any]) -> Candidates:
    low, high = space["base_lr"]
    rates = FloatDistribution(low, high, log=True)
    bare = [unwarmed(one.schedule) for one in tried]
    peaks = [float(schedule.base_lr) for schedule, _ in bare]
    held = {name: json_to_distribution(text) for name, text in space["hparams"].items()}
    searched = [dict(one.hparams) for one in tried]
    shortest, longest = space.get(WARMUP, (0, 0))
    if shortest < longest:
        held[WARMUP] = IntDistribution(shortest, longest)
        searched = [{**hparams, WARMUP: warmup} for hparams, (_, warmup) in zip(searched, bare, strict=True)]
    settings = [
        [number for name, distribution in held.items() for number in numbers(distribution, values[name])]
        for values in searched
    ]
    places = [place_of(rates, peak) if low < high else PRIOR.place for peak in peaks]
    return Candidates.of(peaks, places, [traits(one.schedule, one.budget) for one in tried], settings)
