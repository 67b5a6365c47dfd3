"""Workers whose slots sleep, beside plain Optuna loops that do: what the storage takes, and nothing else.

python -m experiments.bench.cluster.simulated ours URL STUDY PLACE LAUNCH TRIALS
python -m experiments.bench.cluster.simulated optuna URL STUDY PLACE LAUNCH TRIALS
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from sgdr.schedule import WarmRestarts
from sgdr.search.backend.slots import FINITE, LONGEST_CALL, Ended
from sgdr.search.problem.declaration import Declaration
from sgdr.search.storage.connect import open_storage
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.coordinator import Begun
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.session import places, run
from sgdr.search.sweeps.settings import Settings, resolve
from sgdr.search.sweeps.shared import Launch, SharedCoordinator

EPOCHS = 10
TRIAL_SECONDS = 0.05
DECLARED = Declaration("sleeping", "error", "minimize", EPOCHS, "callable", None, None, None, {}, None)


def settings(trials: int) -> Settings:
    """The settings of a sweep in which each trial reports every epoch, and none is pruned for long."""
    return resolve(
        DECLARED, SweepConfig(trials=trials, pruner="median", sampler="tpe", slots=1, controls=0.0)
    )


def error(rate: float, epoch: int) -> float:
    """A curve that a pruner finds nothing to prune in: all trials fall alike."""
    return math.exp(-epoch / EPOCHS) + 1e-6 * rate


class Sleeping:
    """One slot."""

    slots = 1
    longest_call = LONGEST_CALL

    def fill(
        self, slot: int, schedule: WarmRestarts, budget: int, seed: int, hparams: Mapping[str, Any]
    ) -> None:
        """A new trial."""
        self._rate, self._epoch = float(schedule.base_lr), 0

    def advance(self, epochs: int) -> Sleeping:
        """Sleeps as long as so many epochs take."""
        time.sleep(TRIAL_SECONDS * epochs / EPOCHS)
        first, self._epoch = self._epoch + 1, self._epoch + epochs
        self._values = np.array([[error(self._rate, epoch)] for epoch in range(first, self._epoch + 1)])
        return self

    def ready(self) -> bool:
        """Whether the values can be read, which they can at once."""
        return True

    def read(self) -> dict[str, np.ndarray[Any, Any]]:
        """The values of the last epochs."""
        return {"error": self._values, FINITE: np.ones_like(self._values)}

    def failed(self) -> dict[int, str | None]:
        """None."""
        return {}

    def ended(self) -> dict[int, Ended]:
        """Nothing."""
        return {}

    def said(self) -> dict[int, dict[str, Any]]:
        """Nothing."""
        return {}

    def end(self, slot: int) -> None:
        """Nothing to be done."""

    def close(self) -> None:
        """Nothing to be done."""


def ours(url: str, study: str, place: int, launch: str, trials: int) -> None:
    """A worker of the launch whose lease that is."""
    storage = open_storage(url, create=True)
    coordinator = SharedCoordinator(storage, study, Launch(launch, 0, frozenset()), place)
    wanted = settings(trials)
    begun = Begun(coordinator, 0, places(wanted, coordinator), place)
    run(wanted, begun, Sleeping(), PhaseTimer())


def plain(url: str, study: str, place: int, launch: str, trials: int) -> None:
    """Optuna's own loop of ask and tell."""
    wanted = settings(trials)
    space = wanted.space.distributions(EPOCHS)
    sampler = optuna.samplers.TPESampler(seed=place, multivariate=True, constant_liar=True)
    loaded = optuna.load_study(
        study_name=study, storage=open_storage(url, create=True), sampler=sampler, pruner=wanted.pruner
    )
    while sum(trial.state != TrialState.FAIL for trial in loaded.get_trials(deepcopy=False)) < trials:
        trial = loaded.ask(space)
        worth = math.nan
        for epoch in range(1, EPOCHS + 1):
            time.sleep(TRIAL_SECONDS / EPOCHS)
            worth = error(trial.params["base_lr"], epoch)
            trial.report(worth, epoch)
            trial.should_prune()
        loaded.tell(trial, worth)


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    way, url, study, place, launch, trials = sys.argv[1:]
    {"ours": ours, "optuna": plain}[way](url, study, int(place), launch, int(trials))
    print(json.dumps({"place": place}))
