"""Makes a study of any size, as a sweep of digits would have written it, to measure and test what reads it.

python -m experiments.bench.filled --trials 10000 --url sqlite:///x.db --study big
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from sgdr.schedule import WarmRestarts
from sgdr.search.problem.arms import next_arm
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.objective import value
from sgdr.search.problem.seeds import trial_seed
from sgdr.search.storage.connect import open_storage, shown
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.writer import writer
from sgdr.search.strategy.quasi_random import spread
from sgdr.search.strategy.restart_aware import rungs
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.create_study import study_name
from sgdr.search.sweeps.settings import Settings, resolve
from sgdr.shapes import EARLIER

DIGITS = Declaration(
    name="digits",
    metric="error",
    direction="minimize",
    budget=100,
    kind="arrays",
    steps_per_epoch=20,
    base_lr=(1e-3, 1.0),
    select_metric="select_error",
    hparams={},
    interval="step",
)
METRICS = ("error", "loss", "select_error", "select_loss")
SHARES = {"pruned": 0.7, "complete": 0.25, "diverged": 0.03, "failed": 0.01, "cut off": 0.01}
EVENLY = 96
"""Trials that were spread before the sampler chose; Optuna notes the parameters of those."""
BEGAN = datetime(2026, 1, 1)
BATCH = 500


def fill(url: str, name: str, trials: int, epochs: int = 100, seed: int = 0) -> None:
    """Makes the study `name` of so many trials, with a budget of `epochs`, in the storage at `url`.

    The same seed gives the same trials. Raises ValueError for a study that exists, and what cannot be.
    """
    settings = settings_of(trials, epochs, seed)
    storage = open_storage(url, create=True)
    try:
        number = storage.create_new_study([StudyDirection.MINIMIZE], study_name(name))
    except DuplicatedStudyError:
        raise ValueError(f"study={name!r} exists in {shown(url)}; choose another name") from None
    for key, attribute in reversed(settings.attributes().items()):
        storage.set_study_user_attr(number, key, attribute)
    lease, bulk = Lease(storage, number), writer(storage, number)
    finished = drawn(settings, lease.worker)
    while batch := list(islice(finished, min(BATCH, trials))):
        bulk.write(batch)
        trials -= len(batch)
    lease.end()


def settings_of(trials: int, epochs: int, seed: int) -> Settings:
    """The settings of the sweep that would have made the study. Raises ValueError for what cannot be."""
    asked = SweepConfig(trials=trials, budget=epochs, seed=seed, sampler="tpe", shapes=EARLIER)
    return resolve(DIGITS, asked)


def drawn(settings: Settings, worker: str, first: int = 0) -> Iterator[FrozenTrial]:
    """Finished trials without end, from number `first`: one that was cut off is trained again by the next."""
    begun: Counter[str] = Counter()
    trained, cut_off = 0, False
    arm = ""
    number = 0
    while True:
        if not cut_off:
            trained = number
            arm = next_arm(begun, settings.controls, settings.whole_trials, settings.arms)
            begun[arm] += 1
        rng = np.random.default_rng([settings.seed, number])
        outcome = str(rng.choice(list(SHARES), p=list(SHARES.values())))
        if number >= first:
            yield _trial(
                settings, worker, arm, outcome, number, trained, number - 1 if cut_off else None, rng
            )
        cut_off = outcome == "cut off"
        number += 1


def _trial(
    settings: Settings,
    worker: str,
    arm: str,
    outcome: str,
    number: int,
    trained: int,
    retry_of: int | None,
    rng: np.random.Generator,
) -> FrozenTrial:
    distributions = settings.space.distributions(settings.budget, arm)
    params = spread(distributions, trained, settings.seed)
    schedule, budget = settings.space.schedule(params, settings.budget)
    attributes = {
        "schedule": schedule.to_dict(),
        "arm": arm,
        "seed": trial_seed(settings.seed, trained),
        "worker": worker,
    }
    if retry_of is not None:
        attributes["retry_of"] = retry_of
    epochs = _epochs(outcome, arm, budget, rng)
    curves = _curves(schedule, epochs, rng)
    if outcome == "failed":
        attributes["error"] = "XlaRuntimeError: RESOURCE_EXHAUSTED: out of memory"
    elif outcome != "cut off":
        attributes |= {"curve": curves, "epochs": epochs, "seconds": round(0.004 * epochs + 0.1, 3)}
    if outcome == "diverged":
        attributes["diverged_at"] = epochs + 1
    states = {"complete": TrialState.COMPLETE, "failed": TrialState.FAIL, "cut off": TrialState.FAIL}
    trial = create_trial(
        state=states.get(outcome, TrialState.PRUNED),
        value=_worth(settings, curves, schedule) if outcome == "complete" else None,
        params=params,
        distributions=distributions,
        user_attrs=attributes,
        system_attrs={"fixed_params": params} if number < EVENLY else {},
        intermediate_values={rung: curves["error"][rung - 1] for rung in rungs(budget) if rung <= epochs},
    )
    trial.number = number
    trial.datetime_start = BEGAN + timedelta(milliseconds=40 * number)
    trial.datetime_complete = trial.datetime_start + timedelta(milliseconds=4 * epochs + 100)
    return trial


def _epochs(outcome: str, arm: str, budget: int, rng: np.random.Generator) -> int:
    """How many a trial has trained: controls are pruned at the start only."""
    if outcome == "pruned":
        reached = [rung for rung in rungs(budget) if rung < budget] or [budget]
        return reached[0] if arm != "restarts" else int(rng.choice(reached))
    if outcome == "diverged":
        return int(rng.integers(0, min(budget, 8)))
    return budget if outcome == "complete" else 0


def _curves(schedule: WarmRestarts, epochs: int, rng: np.random.Generator) -> dict[str, list[float]]:
    """Values that fall with time, and rise with the rate."""
    at = np.arange(epochs, dtype=float)
    best = 0.02 + 0.05 * abs(np.log10(schedule.base_lr) + 1) + 0.85 * np.exp(-at / 6)
    best += 0.02 * np.asarray(schedule(at)) / schedule.base_lr
    noisy = {name: best * (3 if "loss" in name else 1) + 0.01 * rng.random(epochs) for name in METRICS}
    return {name: np.round(curve, 7).tolist() for name, curve in noisy.items()}


def _worth(settings: Settings, curves: dict[str, list[float]], schedule: WarmRestarts) -> float:
    select: list[float] = curves["select_error"]
    return value(settings.objective, curves["error"], schedule, "minimize", select)


def main() -> None:
    """Parses and fills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=100, help="the budget of a trial")
    parser.add_argument("--url", required=True, help="of the storage, made where there is none")
    parser.add_argument("--study", required=True)
    parser.add_argument("--seed", type=int, default=0)
    args: Any = parser.parse_args()
    try:
        fill(args.url, args.study, args.trials, args.epochs, args.seed)
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
