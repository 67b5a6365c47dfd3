"""What to train next: every arm has a study of its own in memory, which its sampler and its pruner see.

Arms are searched apart: a constant rate says nothing about cycles, and a sampler that saw both would model
only what they share; nor does a trial have to keep up with those of another arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from sgdr.search.arms import CONTROLS
from sgdr.search.spread import spread


class Arm:
    """The search of one arm."""

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
        """The first `evenly` trials are spread evenly, as `seed` says; the sampler chooses the others."""
        self._name = name
        self.distributions = dict(distributions)
        self.rungs = rungs
        """The completed epochs after which the pruner is asked."""
        self._study = optuna.create_study(
            study_name=name, sampler=sampler, pruner=pruner, direction=StudyDirection[direction.upper()]
        )
        self._evenly, self._seed = evenly, seed
        self.begun = 0
        """How many trials were begun, those that were cut off or failed not counted."""
        self._drawn = 0

    def searches(self, params: Mapping[str, Any]) -> bool:
        """Whether these are parameters of this arm."""
        return params.keys() == self.distributions.keys()

    def add(self, trial: FrozenTrial) -> None:
        """Tells the sampler and the pruner of a trial of an earlier run."""
        self._study.add_trial(trial)
        self.begun += trial.state != TrialState.FAIL
        self._drawn += "retry_of" not in trial.user_attrs

    def ask(self, params: Mapping[str, Any] | None = None) -> Trial:
        """A trial with these parameters, or with new ones."""
        if params is None:
            if self._drawn < self._evenly:
                # A control has few trials, and none but its peak rate makes much of a difference.
                finest = "base_lr" if self._name in CONTROLS else None
                params = spread(self.distributions, self._drawn, self._seed, finest)
            self._drawn += 1
        if params is not None:
            self._study.enqueue_trial(dict(params))
        self.begun += 1
        return self._study.ask(self.distributions)

    def notes(self, trial: Trial) -> Mapping[str, Any]:
        """What the sampler has written down about a trial, and looks up again after a resume."""
        return self._study.get_trials(deepcopy=False)[trial.number].system_attrs

    def tell(self, trial: Trial, state: TrialState, value: float | None) -> None:
        """Ends a trial."""
        self._study.tell(trial, value, state)
        self.begun -= state == TrialState.FAIL
