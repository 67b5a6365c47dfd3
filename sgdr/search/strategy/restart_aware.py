"""Ends trials that will not come to much, by a rule that cyclic curves do not mislead.

The rule is pure: `rungs` says at which epochs trials are compared, `standing` how good one is there, from its
curve and its cycles, `credited` what is added for a rate that has still to fall, and `keeps` whether that is
good enough among the others at the same epoch. `RestartAwarePruner` is an Optuna pruner over it. What is
compared, and when, was found by measurement: see `experiments/bench/search.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sgdr.choices import Objective
from sgdr.schedule import WarmRestarts
from sgdr.search.problem.arguments import one_of, whole
from sgdr.search.problem.objective import OBJECTIVES, stopping_budgets
from sgdr.search.problem.types import Schedule
from sgdr.search.storage.schema import BEGUN
from sgdr.shapes import SHAPES
from sgdr.warmup import Warmup, unwarmed, unwarmed_fields

SHARES = (1 / 80, 1 / 4, 1 / 2)
"""Shares of the budget at which trials are compared. Right at the start, which tells the hopeless; then not
before long: in between, high rates and long cycles lag behind, and they are the ones that win in the end."""
RISING = frozenset(name for name, shape in SHAPES.items() if shape.rises_first)
"""The shapes of which the start tells nothing."""
WINDOW = 3
"""Epochs whose mean is taken: one alone is noise, and the best of many would be luck."""
CREDIT = 2.0
"""Interquartile ranges of all standings at a rung, with which a trial is credited whose rate is at its first
peak: its error falls with the rate, and nothing it has shown so far says by how much."""
WILD = 5.0
"""Median absolute deviations above the median, from which a standing is wild: it exploded, and how far says
nothing of how much trials differ."""
TOO_GOOD = 10.0
"""How many times the median a standing must lie below it as well to be wild: the first trials that learn at
all may be far better than most."""
LARGEST = 1e300
"""What is taken for a larger loss, so that a sum or a difference of several is finite."""
COMPARED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def rungs(budget: int, objective: str = "best-epoch") -> tuple[int, ...]:
    """The completed epochs, below the budget, at which trials are compared.

    Under ensemble there are none: a model on the way tells little of what its ensemble will be worth, which
    gains the more the less its members agree.
    """
    if objective == Objective.ENSEMBLE:
        return ()
    epochs = dict.fromkeys(max(1, round(share * budget)) for share in SHARES)
    return tuple(rung for rung in epochs if rung < budget)


def standing(losses: Mapping[int, float], schedule: Schedule, epoch: int, objective: str) -> float:
    """How good a trial is after `epoch` epochs, in the unit of its losses: lower is better.

    `losses` are by epoch, every one or some; `schedule` is in epochs. best-epoch: the lowest mean of
    consecutive epochs so far. best-trough: the same at the ends of cycles only, or now before the first.
    final: the mean now or, in the upper half of the rates after a restart, at the end of the last cycle:
    after a restart a trial is as good as it was before. anytime: the mean of what best-epoch has at each of
    the log-spaced budgets, were this the last of them. Infinite where the last value is not finite.
    """
    known = [at for at in sorted(losses) if at <= epoch]
    if not math.isfinite(losses[known[-1]]):
        return math.inf
    losses = {at: _held(losses[at]) for at in known}
    if objective == Objective.ANYTIME:
        stops = (max(stop, known[0]) for stop in stopping_budgets(epoch))
        return fmean(standing(losses, schedule, stop, Objective.BEST_EPOCH) for stop in stops)
    troughs = [int(trough) for trough in schedule.troughs(budget=epoch)]
    ends = [at for at in known if at >= min(WINDOW, epoch)]
    if objective == Objective.BEST_TROUGH:
        ends = troughs or [epoch]
    elif objective == Objective.FINAL:
        ends = troughs[-1:] if troughs and _upper_half(schedule, epoch) else [epoch]
    means = [_mean(losses, known, end) for end in ends]
    # Where nothing was reported about there, the value now is all that is known.
    return min((mean for mean in means if math.isfinite(mean)), default=losses[known[-1]])


def _held(loss: float) -> float:
    """The loss, within ± `LARGEST` where it is finite."""
    return max(-LARGEST, min(loss, LARGEST)) if math.isfinite(loss) else loss


def _mean(losses: Mapping[int, float], known: Sequence[int], end: int) -> float:
    """The mean of the last epochs up to `end`; not finite where none is known."""
    last = [losses[at] for at in known if end - WINDOW < at <= end]
    return sum(last) / len(last) if last else math.inf


def _upper_half(schedule: Schedule, epoch: int) -> bool:
    """Whether the rate is nearer to its peak than to its minimum."""
    cycle = schedule.cycle(epoch)
    return bool(cycle.position < cycle.length / 2)


def to_fall(schedule: Schedule, epoch: int) -> float:
    """How far the rate has still to fall in the first cycle, of its peak: 0 from the first trough on."""
    restarts, warmup = unwarmed(schedule)
    done = max(epoch - warmup, 0)
    if done >= restarts.T_0:
        return 0.0
    extent: float = 1 - restarts.eta_min / restarts.base_lr
    return extent * (1 + math.cos(math.pi * done / restarts.T_0)) / 2


def credited(standings: Sequence[float], falls: Sequence[float]) -> list[float]:
    """The standings of all trials at a rung, lowered by what the falls of their rates may bring."""
    finite = bounded([_held(value) for value in standings if math.isfinite(value)])
    low, high = np.quantile(finite, [0.25, 0.75]) if finite else (0.0, 0.0)
    credit = CREDIT * float(high - low)
    return [value - credit * fall for value, fall in zip(standings, falls, strict=True)]


def bounded(standings: Sequence[float]) -> list[float]:
    """Finite standings, of which the wild ones are drawn in to `WILD` deviations from the median.

    As few as three have quartiles, on which one of them that exploded would have the say. The deviation is
    the median absolute one; where half of all are equal, the size of the median. Of two in the middle the
    better is the median, so that half of all may be wild.
    """
    if not standings:
        return []
    middle = sorted(standings)[(len(standings) - 1) // 2]
    deviations = sorted(abs(value - middle) for value in standings)
    reach = WILD * (deviations[(len(standings) - 1) // 2] or abs(middle))
    lowest = middle - max(reach, TOO_GOOD * abs(middle))
    return [
        max(value, middle - reach) if value < lowest else min(value, middle + reach) for value in standings
    ]


def keeps(own: float, all_: Sequence[float], reduction_factor: int) -> bool:
    """Whether a standing is good enough among all at the same rung, itself included.

    One in `reduction_factor` goes on, at least one of them, and equals go on together.
    """
    better = sum(other < own for other in all_)
    return math.isfinite(own) and better < math.ceil(len(all_) / reduction_factor)


class RestartAwarePruner(BasePruner):
    """Prunes trials of warm restarts in any Optuna study, by their curves and their cycles.

    Trials report raw values, with the number of completed epochs, from 1, as the step: every one, or some.
    T_0 and T_mult, in epochs, are read from the user attribute `schedule` where a trial has it, else from its
    parameters. A schedule of another shape, whose attribute names its `kind`, is judged as one cosine
    over the budget; where rates rise first, it goes on as long as its values are finite. Where the attribute
    has a warm-up (`sgdr.Warmup`), the epochs at which it is judged are counted from the end of that.

    Nobody waits for others at a rung, as in asynchronous successive halving: Li et al. 2020, "A system for
    massively parallel hyperparameter tuning", arXiv:1810.05934.
    """

    def __init__(self, budget: int, objective: str = "best-epoch", reduction_factor: int = 3) -> None:
        """`budget` in epochs; one trial of `reduction_factor` goes on from each rung.

        Raises ValueError for what cannot be.
        """
        budget = whole("budget", budget, 1)
        reduction_factor = whole("reduction_factor", reduction_factor, 2)
        one_of("objective", objective, OBJECTIVES)
        self.budget, self.objective, self.reduction_factor = budget, objective, reduction_factor
        self.rungs = rungs(budget, objective)
        self._memory: WeakKeyDictionary[BaseStorage, _Memory] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[Any, ...]:
        return RestartAwarePruner, (self.budget, self.objective, self.reduction_factor)

    def __repr__(self) -> str:
        return (
            f"RestartAwarePruner(budget={self.budget}, objective={self.objective!r}, "
            f"reduction_factor={self.reduction_factor})"
        )

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial is to end now: it has come to a rung since it was last asked, and lags there.

        Raises ValueError for a trial without T_0, or that has reported beyond the budget.
        """
        if not trial.intermediate_values:
            return False
        step = max(trial.intermediate_values)
        if step > self.budget:
            raise ValueError(
                f"trial {trial.number} has reported step {step}, beyond the pruner's budget={self.budget} "
                "epochs; make it with the budget of the study"
            )
        stated, warmup = unwarmed_fields(trial.user_attrs.get(BEGUN))
        if isinstance(stated, Mapping) and stated.get("kind") in RISING:
            return not math.isfinite(trial.intermediate_values[step])
        _schedule(trial, self.budget)  # refused before it comes to a rung
        memory = self._memory.setdefault(study._storage, _Memory())
        before, answer = memory.asked.get(trial._trial_id, (0, False))
        if before != step:
            crossed = [
                rung for rung in self.rungs if before < rung + warmup <= step and rung + warmup < self.budget
            ]
            answer = not math.isfinite(trial.intermediate_values[step])
            if crossed and not answer:
                sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
                answer = not self._keeps(memory, study, trial, crossed[-1], sign)
            memory.asked[trial._trial_id] = step, answer
        return answer

    def _keeps(self, memory: _Memory, study: Study, own: FrozenTrial, rung: int, sign: float) -> bool:
        """Whether a trial goes on from a rung, compared with all that came to it."""
        places = [self._place(memory, own, rung, sign)]
        for trial in study.get_trials(deepcopy=False, states=COMPARED):
            _, warmup = unwarmed_fields(trial.user_attrs.get(BEGUN))
            reached = max(trial.intermediate_values, default=0) >= rung + warmup
            if reached and trial._trial_id != own._trial_id:
                try:
                    places.append(self._place(memory, trial, rung, sign))
                except ValueError:  # somebody else's trial, which is theirs to mend
                    continue
        standings = credited(*zip(*places, strict=True))
        return keeps(standings[0], standings, self.reduction_factor)

    def _place(self, memory: _Memory, trial: FrozenTrial, rung: int, sign: float) -> tuple[float, float]:
        """A trial's standing at a rung, and how far its rate has still to fall there.

        Raises ValueError for a trial without T_0.
        """
        key = trial._trial_id, rung
        if key not in memory.places:
            schedule, values = _schedule(trial, self.budget), trial.intermediate_values
            # A trial that reports some epochs only is judged at its first report from the rung on.
            at = min(step for step in values if step >= rung + unwarmed(schedule)[1])
            losses = {step: sign * value for step, value in values.items()}
            memory.places[key] = standing(losses, schedule, at, self.objective), to_fall(schedule, at)
        return memory.places[key]


@dataclass
class _Memory:
    """What a pruner knows of the trials of a storage: it would be computed again at every decision."""

    places: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    """What `_place` gave, by trial and rung: what a trial had reported there does not change."""
    asked: dict[int, tuple[int, bool]] = field(default_factory=dict)
    """The step at which a trial was asked last, and the answer, by trial."""


def _schedule(trial: FrozenTrial, budget: int) -> Schedule:
    """The schedule of a trial, or one cosine in place of another shape; the rate is 1 where it is not known.

    Raises ValueError for one without T_0, and for a warm-up beyond the budget.
    """
    # Which may be anything in a study of somebody else's.
    stated, warmup = unwarmed_fields(trial.user_attrs.get(BEGUN))
    restarts = _restarts(trial, stated, budget - warmup)
    return Warmup(restarts, warmup) if warmup else restarts


def _restarts(trial: FrozenTrial, stated: Any, budget: int) -> WarmRestarts:
    """The schedule without the warm-up, of which these are the fields."""
    if isinstance(stated, Mapping) and stated.get("kind") in SHAPES:
        return WarmRestarts(1.0, budget)
    named = stated if isinstance(stated, Mapping) and "T_0" in stated else trial.params
    if "T_0" not in named:
        raise ValueError(
            f"trial {trial.number} has no T_0 among its parameters {sorted(trial.params)}; suggest T_0 (and "
            "T_mult), or set the user attribute 'schedule'"
        )
    rates = named if named is stated else {}  # parameters of these names may mean anything
    return WarmRestarts(
        rates.get("base_lr", 1.0), named["T_0"], named.get("T_mult", 1), rates.get("eta_min", 0.0)
    )
