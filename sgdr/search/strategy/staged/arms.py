"""The staged search of a sweep: which arm's trial is to be begun next, with which parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial, TrialState

from sgdr import relatives
from sgdr.choices import Stage
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.warming import WARMUP
from sgdr.search.storage.schema import ARM, BEGUN
from sgdr.search.strategy.samplers import Arm
from sgdr.search.strategy.staged.grid import Params
from sgdr.search.strategy.staged.staging import Make, Seen, Staging
from sgdr.warmup import unwarmed_fields

STATED = ""
"""The parameter that stands for a whole schedule, as JSON, where a trial is of no arm: nothing searched is
called so."""


class Proposal(NamedTuple):
    """A trial to begin."""

    arm: str
    params: Params
    schedule: Mapping[str, Any] | None
    """The schedule, in plain JSON values, where it is of no arm; the parameters do not say it then."""


class StagedArms:
    """Chooses among all arms by one model of what each of them has shown."""

    def __init__(
        self,
        arms: Mapping[str, Arm],
        make: Make,
        budget: int,
        seed: int,
        hparams: Sequence[str],
        direction: str,
    ) -> None:
        """See `Staging`; `direction` is that of the trials' values."""
        self._arms, self._direction = arms, direction

        def schedule_of(params: Params, arm: str) -> tuple[Schedule, int]:
            stated = params.get(STATED)
            return make(params, arm) if stated is None else (relatives.from_dict(json.loads(stated)), budget)

        self._own = tuple(name for name in hparams if name != WARMUP)
        """The workload's own values, which are all the parameters of a trial of no arm."""
        shapes = {name: arm.distributions for name, arm in arms.items()}
        self._staging = Staging(shapes, schedule_of, budget, seed, hparams)

    @property
    def stage(self) -> Stage | None:
        """What the trial that was begun last is for; None before the first."""
        return self._staging.stage

    def next(self, trials: Sequence[FrozenTrial]) -> Proposal:
        """The trial to begin next, after these of the study. What failed is passed over."""
        begun = (trial for trial in trials if trial.state not in (TrialState.FAIL, TrialState.WAITING))
        arm, params = self._staging.propose([seen for trial in begun if (seen := self._seen(trial))])
        stated = params.pop(STATED, None)
        if stated is None:
            return Proposal(arm, params, None)
        return Proposal(arm, {name: params[name] for name in self._own}, json.loads(stated))

    def _seen(self, trial: FrozenTrial) -> Seen | None:
        """The trial as the model takes it; None where it is of no arm, nor has a schedule of its own."""
        arm = next((name for name, arm in self._arms.items() if arm.searches(trial)), None)
        if arm is not None:
            return Seen.of(trial, arm, trial.params, self._direction)
        if trial.params.keys() != set(self._own) or not trial.user_attrs.keys() >= {ARM, BEGUN}:
            return None
        stated = trial.user_attrs[BEGUN]
        peak = unwarmed_fields(stated)[0]["base_lr"]
        params = {"base_lr": peak, **trial.params, STATED: json.dumps(stated, sort_keys=True)}
        return Seen.of(trial, trial.user_attrs[ARM], params, self._direction)
