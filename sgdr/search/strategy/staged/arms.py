"""The staged search of a sweep: which arm's trial is to be begun next, with which parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial, TrialState

from sgdr.search.strategy.samplers import Arm
from sgdr.search.strategy.staged.grid import Params
from sgdr.search.strategy.staged.staging import Make, Seen, Staging


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
        shapes = {name: arm.distributions for name, arm in arms.items()}
        self._staging = Staging(shapes, make, budget, seed, hparams)

    def next(self, trials: Sequence[FrozenTrial]) -> tuple[str, Params]:
        """The arm and the parameters of a new trial, after these of the study.

        What failed, and what is of no arm, is passed over.
        """
        pairs = [(self._arm(trial), trial) for trial in trials]
        return self._staging.propose(
            [Seen.of(trial, arm, trial.params, self._direction) for arm, trial in pairs if arm is not None]
        )

    def _arm(self, trial: FrozenTrial) -> str | None:
        if trial.state in (TrialState.FAIL, TrialState.WAITING):
            return None
        return next((name for name, arm in self._arms.items() if arm.searches(trial)), None)
