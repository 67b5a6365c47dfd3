"""What a schedule gave on the seeds that a study's confirmation uses, and what the study keeps of it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sgdr import relatives
from sgdr.search.evaluation.fixed_runs import Trained, worth
from sgdr.search.problem.arms import arm_of, effect
from sgdr.search.problem.types import Schedule
from sgdr.search.storage.schema import StudyAttributes
from sgdr.search.study.study import Study
from sgdr.shapes import SHAPES


@dataclass
class Record:
    """A schedule, and what it gave so far."""

    schedule: Schedule
    """The schedule, in epochs."""
    hparams: Mapping[str, Any]
    budget: int
    """Epochs of every run."""
    number: int | None = None
    """The number of a trial of the study that has the schedule; None where none is known."""
    values: dict[int, float] = field(default_factory=dict)
    """The values by seed, as measured."""
    diverged: dict[int, int] = field(default_factory=dict)
    """The first epoch after which something was not finite, by the seed of a run that diverged."""

    @property
    def identity(self) -> Hashable:
        """What is equal for schedules that do the same within the budget, with the same other values."""
        return identity(self.schedule, self.budget, self.hparams)

    @property
    def arm(self) -> str:
        """One of `arms.ALL_ARMS`."""
        return arm_of(self.schedule, self.budget)

    def lacks(self, seed: int) -> bool:
        """Whether it was not trained on that seed yet."""
        return seed not in self.values and seed not in self.diverged

    def take(self, trained: Trained, study: StudyAttributes) -> None:
        """Notes what a run gave that came to its end, or diverged."""
        seed = trained.job.seed
        if trained.diverged_at is not None:
            self.diverged[seed] = trained.diverged_at
        else:
            self.values[seed], _ = worth(trained, study.metric, study.chosen_by, study.direction)

    def join(self, other: Record) -> None:
        """Takes what another record of the same schedule has, where it has nothing itself."""
        self.number = other.number if self.number is None else self.number
        self.values = {**other.values, **self.values}
        self.diverged = {**other.diverged, **self.diverged}

    def to_dict(self) -> dict[str, Any]:
        """The record in plain JSON values, for `read`."""
        return {
            "schedule": self.schedule.to_dict(),
            "hparams": dict(self.hparams),
            "budget": self.budget,
            "number": self.number,
            "values": {str(seed): value for seed, value in self.values.items()},
            "diverged": {str(seed): epoch for seed, epoch in self.diverged.items()},
        }

    @classmethod
    def read(cls, kept: Any) -> Record | None:
        """The record that `to_dict` made these values of; None where somebody has written others."""
        try:
            number, values = kept["number"], {int(seed): value for seed, value in kept["values"].items()}
            diverged = {int(seed): int(epoch) for seed, epoch in kept["diverged"].items()}
            schedule, hparams = relatives.from_dict(kept["schedule"]), dict(kept["hparams"])
            record = cls(schedule, hparams, int(kept["budget"]), number, values, diverged)
            hash(record.identity)  # so that whatever keeps it from being compared comes up here
            fits = record.arm in SHAPES and all(map(math.isfinite, values.values()))
            return record if fits and isinstance(number, int | None) else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def identity(schedule: Schedule, budget: int, hparams: Mapping[str, Any]) -> Hashable:
    """What is equal for schedules that do the same within the budget, with the same other values."""
    return effect(schedule, budget), budget, tuple(sorted(hparams.items()))


def joined(records: list[Record]) -> dict[Hashable, Record]:
    """The records by their identity: those of one schedule are one, in the place of the first."""
    found: dict[Hashable, Record] = {}
    for record in records:
        first = found.setdefault(record.identity, record)
        if first is not record:
            first.join(record)
    return found


def recommended(study: Study) -> Record:
    """The schedule that the study's answer recommends. Raises ValueError where no trial is complete."""
    answer = study.answer
    return Record(answer.schedule, answer.hparams, answer.budget, answer.number)


def compared_records(study: Study) -> list[Record]:
    """What the study keeps of its comparisons."""
    kept = study.stored.comparison
    read = map(Record.read, kept if isinstance(kept, list | tuple) else ())
    return [record for record in read if record is not None]


def confirmed_records(study: Study) -> list[Record]:
    """What the study keeps of the runs of its confirmation that did not diverge."""
    records = []
    confirmation = study.stored.confirmation
    for number, results in confirmation.items() if isinstance(confirmation, Mapping) else ():
        best = study.completed(int(number)) if number.isdecimal() else None
        if best is not None:
            plain = {"schedule": best.schedule.to_dict(), "hparams": best.hparams, "budget": best.budget}
            values = results.get("values") if isinstance(results, Mapping) else None
            record = Record.read({**plain, "number": best.number, "values": values, "diverged": {}})
            records += [record] if record is not None else []
    return records
