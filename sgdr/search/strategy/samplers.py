"""What to train next: every arm has a study of its own in memory, which its sampler and its pruner see.

Arms are searched apart: a constant rate says nothing about cycles, and a sampler that saw both would model
only what they share; nor does a trial have to keep up with those of another arm.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from sgdr.search.problem.arms import is_of
from sgdr.search.storage.schema import BEGUN, ENQUEUED, RETRY_OF
from sgdr.search.strategy.enumeration import (
    ENUMERATING,
    MOST_DRAWS,
    EndingStudy,
    Exhausted,
    as_choice,
    begun,
    is_of_sampler,
)
from sgdr.search.strategy.quasi_random import spread
from sgdr.search.strategy.restart_aware import RestartAwarePruner
from sgdr.search.strategy.windowed_trials import RECENT, RecentTrials
from sgdr.shapes import SHAPES

SAMPLERS = (TPESampler, RandomSampler)
PRUNERS = (RestartAwarePruner, HyperbandPruner, MedianPruner, NopPruner)
"""The pruners to which a trial that was forgotten makes no difference, or little."""


class Arm:
    """The search of one arm.

    The samplers and pruners that have a name are shown the last trials and the best of those before (see
    `RecentTrials`), so that one more costs the same after any number. Those of the user's own are shown all:
    they may count them, find them by their numbers, or keep in them what they have to know.
    """

    def __init__(
        self,
        name: str,
        distributions: Mapping[str, BaseDistribution],
        sampler: BaseSampler,
        pruner: BasePruner,
        rungs: frozenset[int],
        direction: str,
        evenly: int,
        seed: int,
    ) -> None:
        """The first `evenly` trials are spread evenly, as `seed` says; the sampler chooses the others.

        A `TPESampler` with `evenly` 0 is taken for the user's own.
        """
        self.name = name
        self.distributions = dict(distributions)
        self._asked = {name: as_choice(distribution) for name, distribution in distributions.items()}
        """The same, as the sampler knows them."""
        self.rungs = rungs
        """The completed epochs after which the pruner is asked, of trials without a warm-up."""
        goal = StudyDirection[direction.upper()]
        own = type(sampler) not in SAMPLERS or type(pruner) not in PRUNERS
        own |= type(sampler) is TPESampler and evenly == 0
        self._storage = RecentTrials(goal, None if own else RECENT)
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # this study is nobody's but the arm's
        self._storage.create_new_study([goal], name)
        optuna.logging.set_verbosity(verbosity)
        self.study = EndingStudy(name, self._storage, sampler, pruner)
        self._evenly, self._seed = evenly, seed
        self._drawn = 0
        self._seen: dict[int, int | None] = {}
        """Trials of other workers, by number: while one is running, the id of what stands for it here."""

    def rungs_after(self, warmup: int) -> frozenset[int]:
        """The completed epochs after which the pruner is asked about a trial with such a warm-up.

        The restart-aware pruner counts them from the end of the warm-up.
        """
        counted_from = warmup if isinstance(self.study.pruner, RestartAwarePruner) else 0
        return frozenset(counted_from + rung for rung in self.rungs)

    def searches(self, trial: FrozenTrial) -> bool:
        """Whether a trial that was begun is one of this arm."""
        return is_of(self.name, self.distributions, trial.params, trial.user_attrs.get(BEGUN))

    def add(self, trial: FrozenTrial) -> None:
        """Tells the sampler and the pruner of a trial of an earlier run."""
        self._add(trial)
        self._count(trial)

    def _add(self, trial: FrozenTrial) -> None:
        self.study.add_trial(self._known(trial))

    def _known(self, trial: FrozenTrial) -> FrozenTrial:
        """The trial with distributions as the sampler knows them."""
        choices = {
            name: distribution
            for name, distribution in self._asked.items()
            if distribution is not self.distributions[name]
            and trial.params[name] in getattr(distribution, "choices", ())
        }
        if not choices:
            return trial
        known = copy.copy(trial)
        known.distributions = {**trial.distributions, **choices}
        return known

    def see(self, trial: FrozenTrial) -> None:
        """Tells them of another worker's trial as it stands now; again whenever that has changed.

        Trials are known by their numbers, and have the user attribute `schedule`, for the pruner. A running
        one may have reported some epochs. One that has failed while it was running is seen no more.
        """
        if trial.number in self._seen:
            self._see_again(trial, self._seen[trial.number])
        elif trial.state == TrialState.RUNNING:
            self._seen[trial.number] = self._storage.create_new_trial(
                self.study._study_id, self._known(trial)
            )
            self._count(trial)
        elif trial.state.is_finished():
            self._seen[trial.number] = None
            self.add(trial)

    def _see_again(self, trial: FrozenTrial, running: int | None) -> None:
        if running is None:
            return
        if not trial.state.is_finished():
            known = self._storage.get_trial(running).intermediate_values
            for epoch in sorted(trial.intermediate_values.keys() - known.keys()):
                self._storage.set_trial_intermediate_value(running, epoch, trial.intermediate_values[epoch])
            return
        # A new one in its place: the pruner would go on judging by the epochs that it knew of.
        self._seen[trial.number] = None
        self._storage.forget(running)
        if trial.state != TrialState.FAIL:
            self._add(trial)

    def _count(self, trial: FrozenTrial) -> None:
        self._drawn += trial.user_attrs.keys().isdisjoint({RETRY_OF, ENQUEUED})

    def ask(self, params: Mapping[str, Any] | None = None, draw: int | None = None) -> Trial:
        """A trial with these parameters, or with new ones.

        New ones are the point `draw`, counted from 0, of those that are spread evenly, from `evenly` on the
        sampler's choice. None: one more than were drawn, added or seen so far. Raises `Exhausted` where the
        sampler has nothing more to try.
        """
        if params is None:
            if draw is None:
                draw = self._drawn
                self._drawn += 1
            if draw < self._evenly:
                # A control has few trials, and none but its peak rate makes much of a difference.
                finest = "base_lr" if SHAPES[self.name].is_control else None
                params = spread(self.distributions, draw, self._seed, finest)
        if params is None:
            return self._chosen()
        self.study.enqueue_trial(dict(params))
        return self.study.ask(self._asked)

    def _chosen(self) -> Trial:
        """A trial of the sampler's choice."""
        study, sampler = self.study, self.study.sampler
        if study.ended or (isinstance(sampler, GridSampler) and sampler.is_exhausted(study)):
            raise Exhausted(sampler)
        trial = study.ask(self._asked)
        if isinstance(sampler, ENUMERATING):
            for _ in range(MOST_DRAWS):
                asked = self._storage.get_trial(trial._trial_id)
                others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
                repeated, all_begun = begun(sampler, asked, others, self._asked)
                if not repeated:
                    break
                self._storage.forget(trial._trial_id)
                if all_begun:
                    study.stop()
                    raise Exhausted(sampler)
                trial = study.ask(self._asked)
        return trial

    def notes(self, trial: Trial) -> Mapping[str, Any]:
        """What the sampler has written down about a trial, and looks up again after a resume."""
        return self._storage.get_trial(trial._trial_id).system_attrs

    def tell(self, trial: Trial, state: TrialState, value: float | None) -> None:
        """Ends a trial."""
        if is_of_sampler(self.study.sampler, self._storage.get_trial(trial._trial_id)):
            self.study.tell(trial, value, state)
        else:
            values = None if value is None else [value]
            self._storage.set_trial_state_values(trial._trial_id, state, values)
