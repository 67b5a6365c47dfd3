"""Which trials of a study are confirmed, and on which seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sgdr.choices import Objective
from sgdr.search.evaluation.records import identity
from sgdr.search.problem.arms import ALL_ARMS, arm_of
from sgdr.search.problem.seeds import confirmation_seed
from sgdr.search.storage.schema import SEED
from sgdr.search.study.study import Best, Study
from sgdr.shapes import RESTARTS


@dataclass
class Candidate:
    """A finalist, and what it gave so far."""

    best: Best
    arm: str
    values: dict[int, float] = field(default_factory=dict)
    """The values by seed, as measured."""
    epochs: dict[int, int] = field(default_factory=dict)
    """The epoch at which the value was read, by seed."""
    failed: str | None = None
    """Why it is out, if it is."""
    by_error: bool = False
    """Whether it is out by an error of its training, which is tried again next time, and has not diverged."""
    ensemble: Mapping[str, float] | None = None
    """See `verdict.Confirmed`."""

    def objective(self, of_study: str) -> str:
        """The objective by which to read it."""
        return read_by(of_study, self.arm)

    def results(self) -> dict[str, Any]:
        """What the candidate gave so far, in plain JSON values, for `recall`."""
        values = {str(seed): value for seed, value in self.values.items()}
        epochs = {str(seed): epoch for seed, epoch in self.epochs.items()}
        failed = None if self.by_error else self.failed
        return {"values": values, "epochs": epochs, "failed": failed, "ensemble": self.ensemble}

    def recall(self, confirmation: Mapping[str, Any]) -> None:
        """Takes what an earlier confirmation has found, by the number of its trial."""
        earlier = confirmation.get(str(self.best.number), {})
        self.values = {int(seed): value for seed, value in earlier.get("values", {}).items()}
        self.epochs = {int(seed): epoch for seed, epoch in earlier.get("epochs", {}).items()}
        self.failed, self.ensemble = earlier.get("failed"), earlier.get("ensemble")


def read_by(of_study: str, arm: str) -> str:
    """The objective by which to read a schedule of that arm: the study's, but for a control best-epoch where
    others choose among their troughs: it has one alone, and arms are compared with equally many looks."""
    one_look = of_study == Objective.BEST_TROUGH and arm != RESTARTS.name
    return Objective.BEST_EPOCH.value if one_look else of_study


def finalists(study: Study, top: int) -> list[Candidate]:
    """The `top` best completed trials of each arm and all starts, what does the same within the budget once.

    Raises ValueError when there is no completed trial.
    """
    chosen: list[Candidate] = []
    seen = set()
    for best in study.ranked():
        key = identity(best.schedule, best.budget, best.hparams)
        arm = arm_of(best.schedule, best.budget)
        wanted = best.start or sum(candidate.arm == arm for candidate in chosen) < top
        if key not in seen and wanted:
            chosen.append(Candidate(best, arm))
            seen.add(key)
    if not chosen:
        raise ValueError(f"study {study.name!r} has no completed trial yet; {study.why_none()}")
    return sorted(chosen, key=lambda candidate: ALL_ARMS.index(candidate.arm))


def fresh_seeds(study: Study, count: int) -> list[int]:
    """So many seeds, none of them of a trial of the study, and the first ones the same whatever the count."""
    seeds_of_trials = (trial.user_attrs.get(SEED) for trial in study.frozen)
    used = {seed for seed in seeds_of_trials if isinstance(seed, int)}
    seeds: dict[int, None] = {}
    index = 0
    while len(seeds) < count:
        seed = confirmation_seed(study.stored.seed, index)
        if seed not in used:
            seeds[seed] = None
        index += 1
    return list(seeds)
