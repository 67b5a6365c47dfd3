"""What a sweep will cost, as far as earlier studies of its workload tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sgdr.search.problem.arms import planned
from sgdr.search.strategy.named import STAGED
from sgdr.search.sweeps.extent import CostExtent, Tally
from sgdr.search.sweeps.settings import Settings

FINISHED = ("COMPLETE", "PRUNED")
LONG_ENOUGH = 2.0
"""Seconds: shorter studies were mostly beginning and ending."""


class Earlier(NamedTuple):
    """A study of the same workload, as it stands."""

    name: str
    attributes: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    """The rows of the study, as `Study.rows` gives them."""


class Measured(NamedTuple):
    """What a study has told."""

    value: float
    study: str


@dataclass(frozen=True)
class Estimate:
    """What a sweep will cost."""

    arms: Mapping[str, int]
    """Trials that each arm will have; none are known of a staged search, which shares them out as it goes."""
    finished: int
    """Trials that the study has already."""
    trials: int
    """Trials that are left to be trained; of a cost as many as it pays for if each is trained to its end."""
    epochs: int
    """Epochs at most, over all trials that are left."""
    speed: Measured | None
    """Epochs a second."""
    left: Measured | None
    """Share of the epochs that a pruner of that kind left; None also for a cost, which is spent anyway."""

    @property
    def seconds(self) -> float | None:
        """The seconds that it is expected to take; at most, where `left` is not known."""
        if self.speed is None:
            return None
        return self.epochs * (1.0 if self.left is None else self.left.value) / self.speed.value


def estimate(settings: Settings, study: str, earlier: Iterable[Earlier]) -> Estimate:
    """The estimate of a sweep with these settings kept in `study`, which may be among the earlier ones."""
    latest_first = sorted(earlier, key=_latest, reverse=True)
    finished = next((_finished(other.rows) for other in latest_first if other.name == study), [])
    trained = sum(row["epochs"] or 0 for row in finished)
    trials = max(0, settings.extent.most(Tally(len(finished), 0, trained)) - len(finished))
    epochs = trials * settings.budget
    if isinstance(settings.extent, CostExtent) and trials:  # what pruning leaves is spent on more trials
        epochs = settings.extent.epochs - trained
    is_shared = settings.sampler != STAGED
    return Estimate(
        arms=planned(settings.controls, settings.whole_trials, settings.arms) if is_shared else {},
        finished=len(finished),
        trials=trials,
        epochs=epochs,
        speed=speed(latest_first, settings.workload.steps_per_epoch),
        left=left_by(latest_first, type(settings.pruner).__name__) if settings.cost is None else None,
    )


def speed(latest_first: Sequence[Earlier], steps_per_epoch: int | None) -> Measured | None:
    """Epochs a second, over all slots, of the latest study that was trained for long enough to tell.

    Those with as many steps an epoch come before others; where none was long enough, the longest tells.
    """
    speeds: list[tuple[float, Measured]] = []
    for study in sorted(
        latest_first, key=lambda study: study.attributes.get("steps_per_epoch") != steps_per_epoch
    ):
        timed = [row for row in study.rows if row["started"] and row["seconds"] and row["epochs"]]
        busy = _busy_seconds(timed)
        if busy:
            speeds.append((busy, Measured(sum(row["epochs"] for row in timed) / busy, study.name)))
        if busy >= LONG_ENOUGH:
            break
    return max(speeds, key=itemgetter(0))[1] if speeds else None


def left_by(latest_first: Sequence[Earlier], pruner: str) -> Measured | None:
    """The share of their epochs that the trials of the latest study with that pruner have trained."""
    for study in latest_first:
        finished = _finished(study.rows)
        if finished and study.attributes.get("pruner") == pruner:
            trained = sum(row["epochs"] or 0 for row in finished)
            return Measured(trained / (len(finished) * study.attributes["budget"]), study.name)
    return None


def _latest(study: Earlier) -> float:
    """The time at which its last trial began, in seconds since the epoch."""
    return max((_began(row) for row in study.rows if row["started"]), default=0.0)


def _began(row: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(row["started"]).timestamp()


def _finished(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["state"] in FINISHED and not row.get("foreign")]


def _busy_seconds(rows: Iterable[Mapping[str, Any]]) -> float:
    """The length of the union of the trials' intervals."""
    busy, until = 0.0, float("-inf")
    for begin, seconds in sorted((_began(row), row["seconds"]) for row in rows):
        end = begin + seconds
        busy += max(0.0, end - max(begin, until))
        until = max(until, end)
    return busy
