"""What trained runs say: pure functions of their curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from experiments.paper.grid import Setting
from sgdr.search.evaluation import sequential_test

PARTS = {"after 1/4": 4, "after 1/2": 2}
"""Parts of the budget after which it is asked how good the model is that one would use by then."""


@dataclass(frozen=True, eq=False)
class Runs:
    """One schedule, trained on every seed."""

    setting: Setting
    error: np.ndarray
    """float [seeds, epochs]: what is read."""
    select: np.ndarray
    """The same on the other half of the test examples: what an epoch is chosen by."""
    ensembles: dict[str, np.ndarray]
    """The error of each seed, float [seeds], by ensemble: the models at so many last troughs, or at all."""

    @property
    def epochs(self) -> int:
        """The budget."""
        return int(self.error.shape[1])

    @property
    def diverged(self) -> int:
        """How many runs have."""
        return int(np.isnan(self.error).any(1).sum())

    @property
    def troughs(self) -> list[int]:
        """The epochs after which a cycle is complete; none where the schedule has no cycles."""
        listed = getattr(self.setting.schedule, "troughs", None)
        return listed(budget=self.epochs) if listed else []


def filled(runs: Mapping[str, Runs]) -> dict[str, Runs]:
    """The same, where a run that has diverged counts at every epoch as the worst value of any that has not.

    Raises ValueError where all runs have diverged.
    """
    worst = max((float(np.nanmax(run.error)) for run in runs.values() if _any(run)), default=None)
    if worst is None:
        raise ValueError("all runs have diverged; there is nothing to compare")

    def known(values: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(values), worst, values)

    return {
        key: replace(
            run,
            error=known(run.error),
            select=known(run.select),
            ensembles={size: known(values) for size, values in run.ensembles.items()},
        )
        for key, run in runs.items()
    }


def _any(runs: Runs) -> bool:
    return bool(np.isfinite(runs.error).any())


def recommended(runs: Runs) -> np.ndarray:
    """The error after each epoch of the model that one would use: float [seeds, epochs].

    The paper's rule, section 3: the model of the last trough, and before the first the last model, as
    without restarts.
    """
    used = np.arange(1, runs.epochs + 1)
    for trough in runs.troughs:
        used[trough - 1 :] = trough
    return runs.error[:, used - 1]


def best(runs: Runs) -> np.ndarray:
    """The error of each seed at its best epoch, chosen by `select`: float [seeds]."""
    chosen: np.ndarray = runs.error[np.arange(len(runs.error)), runs.select.argmin(1)]
    return chosen


def readings(runs: Runs) -> dict[str, np.ndarray]:
    """All that is told of a schedule: by name the error of each seed, float [seeds]."""
    used = recommended(runs)
    sooner = {name: used[:, max(0, runs.epochs // part - 1)] for name, part in PARTS.items()}
    return {"end": used[:, -1], "best epoch": best(runs), **sooner, "last epoch": runs.error[:, -1]}


def default(runs: Mapping[str, Runs]) -> Runs | None:
    """The step decay with the lower mean error at its end; None where none was trained."""
    decays = [run for run in runs.values() if run.setting.key.startswith("decay")]
    return min(decays, key=lambda run: float(run.error[:, -1].mean()), default=None)


def reached(runs: Runs, target: float) -> int | None:
    """The first epoch after which the mean error of the model that one would use is at most `target`."""
    below = recommended(runs).mean(0) <= target
    return int(below.argmax()) + 1 if below.any() else None


def difference(a: np.ndarray, b: np.ndarray) -> sequential_test.Difference | None:
    """a - b, float [seeds] each, with a 95 % t interval; None for fewer than two seeds."""
    if len(a) < 2:
        return None
    return sequential_test.paired(dict(enumerate(a.tolist())), dict(enumerate(b.tolist())))
