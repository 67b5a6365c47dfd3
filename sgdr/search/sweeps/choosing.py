"""What a planned trial trains: what was cut off, what is enqueued, or the search's own choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial, Trial, TrialState

from sgdr import relatives
from sgdr.choices import Stage
from sgdr.search.storage.schema import ARM, BEGUN, ENQUEUED
from sgdr.search.strategy.samplers import Arm
from sgdr.search.sweeps.claim_queue import TrialPlan
from sgdr.search.sweeps.coordinator import Begun
from sgdr.search.sweeps.enqueued import placed, start_of
from sgdr.search.sweeps.settings import Settings


class Refused(ValueError):
    """A trial cannot be begun."""


class Chosen(NamedTuple):
    """What a trial trains."""

    arm: Arm
    sampled: Trial
    """The parameters, as a trial of the arm."""
    schedule: Mapping[str, Any] | None = None
    """The schedule, in plain JSON values, where the parameters do not say it."""


class Chooser:
    """Chooses for one worker."""

    def __init__(self, begun: Begun, arms: Mapping[str, Arm], settings: Settings) -> None:
        """`arms`: the search of each, by name."""
        self._arms, self._places, self._log = arms, begun.places, begun.coordinator.log
        self._no_arm = settings.no_arm(begun.seed)
        """What trains schedules that are of no arm."""
        self._staged = settings.staged(arms, begun.seed)
        """What chooses among the arms; None where each has its share of the trials."""

    @property
    def stage(self) -> Stage | None:
        """What a staged search is at; None of others, and before its first trial."""
        return None if self._staged is None else self._staged.stage

    def chosen(self, plan: TrialPlan) -> Chosen:
        """What a planned trial trains.

        Raises `Refused` for parameters that are of no arm, `Exhausted` where a sampler has nothing to try.
        """
        if plan.again is not None:
            return self._repeated(plan.again)
        if plan.enqueued is not None:
            return self._enqueued(plan.enqueued)
        if self._staged is not None:
            proposal = self._staged.next(self._log.own)
            arm = self._arms[proposal.arm] if proposal.schedule is None else self._no_arm
            return Chosen(arm, arm.ask(proposal.params), proposal.schedule)
        name, draw = self._places[plan.place]
        return Chosen(self._arms[name], self._arms[name].ask(draw=draw))

    def _repeated(self, trial: FrozenTrial) -> Chosen:
        for arm in self._arms.values():
            if arm.searches(trial):
                return Chosen(arm, arm.ask(trial.params))
        # A sweep names the shape of all that it begins, which others who write a trial may not.
        if ARM not in trial.user_attrs or trial.params.keys() != self._no_arm.distributions.keys():
            raise Refused(f"it is to repeat trial {trial.number}, whose parameters are those of no arm")
        return Chosen(self._no_arm, self._no_arm.ask(trial.params), trial.user_attrs[BEGUN])

    def _enqueued(self, trial: FrozenTrial) -> Chosen:
        start = start_of(trial)
        try:
            if start is not None and start["arm"] is None:
                relatives.from_dict(start["schedule"])  # which anybody may have written
                return Chosen(self._no_arm, self._no_arm.ask(start["hparams"]), start["schedule"])
            name, fixed = placed(trial, {name: arm.distributions for name, arm in self._arms.items()})
            return Chosen(self._arms[name], self._arms[name].ask(fixed))
        except ValueError as error:  # a sampler may refuse to choose what is not given, too
            raise Refused(f"it was enqueued, and {error}") from error

    def is_start(self, plan: TrialPlan) -> bool:
        """Whether the user had the schedule before: it was enqueued as such, or before the sweep began."""
        if plan.enqueued is None:
            return False
        if start_of(plan.enqueued) is not None:
            return True
        before = (trial for trial in self._log.own if trial.number < plan.first)
        return all(trial.state == TrialState.WAITING or ENQUEUED in trial.user_attrs for trial in before)
