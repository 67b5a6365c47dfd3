"""A completed trial as one would use it, with its curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from sgdr import relatives
from sgdr.choices import Objective
from sgdr.search.problem.arms import ALL_ARMS, arm_of
from sgdr.search.problem.objective import chosen_epoch, reading
from sgdr.search.problem.types import Schedule
from sgdr.search.storage.reader import Curve
from sgdr.search.storage.schema import StudyAttributes, TrialAttributes
from sgdr.search.storage.statements import CHUNK
from sgdr.search.study.stated import all_stated
from sgdr.search.study.summary import Summary
from sgdr.search.study.verdict import Confirmed
from sgdr.stepping import Stepping as Stepping

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Best:
    """A completed trial, as one would use it."""

    number: int
    value: float
    schedule: Schedule
    """The schedule, in epochs: a `WarmRestarts`, or one of `sgdr.relatives`."""
    epoch: int
    """The epoch, from 1, whose model has the value; of an ensemble the newest of its models, under anytime
    the best of all."""
    budget: int
    """Epochs of a whole training: those that it has trained, but for one that ended by itself before."""
    hparams: Mapping[str, Any]
    seed: int
    curves: Mapping[str, list[float]] = field(repr=False)
    """The values of the trial by name, one an epoch."""
    arm: str
    """One of `arms.ALL_ARMS`."""
    confirmed: Confirmed | None
    """What it gave on other seeds; None where it was not trained on any: its value is partly luck then."""
    objective: str = Objective.BEST_EPOCH.value
    """What the value is: the objective of the study."""
    stepping: Stepping = field(default=Stepping(), repr=False)
    """How many optimizer updates its epochs have, and how often its rate changes."""
    start: bool = False
    """Whether its schedule is one that the user had before the sweep."""

    @property
    def reading(self) -> str:
        """The words for where the value was read."""
        return reading(self.objective, self.schedule, self.budget, self.epoch)

    def to_dict(self) -> dict[str, Any]:
        """The trial in plain JSON values, without the curves; T_0, restarts and the epoch are in epochs."""
        confirmed = self.confirmed
        return {
            "number": self.number,
            "value": self.value,
            "schedule": self.schedule.to_dict(),
            "restarts": self.schedule.restarts(until=self.budget),
            "epoch": self.epoch,
            "budget": self.budget,
            "hparams": all_stated(self.hparams),
            "seed": self.seed,
            "arm": self.arm,
            "start": self.start,
            "confirmed": None
            if confirmed is None
            else {
                "mean": confirmed.mean,
                "low": confirmed.low,
                "high": confirmed.high,
                "seeds": len(confirmed.values),
                "failed": confirmed.failed,
            },
        }


class Ranked(Sequence[Best]):
    """Trials in an order, each read from the storage only when it is looked at: all have many curves.

    What has no curves in the storage is left out by whoever goes through them.
    """

    def __init__(
        self, trials: Sequence[FrozenTrial], read: Callable[[Sequence[FrozenTrial]], list[Best]]
    ) -> None:
        self._trials, self._read = trials, read

    def __len__(self) -> int:
        return len(self._trials)

    @overload
    def __getitem__(self, at: int) -> Best: ...

    @overload
    def __getitem__(self, at: slice) -> list[Best]: ...

    def __getitem__(self, at: int | slice) -> Best | list[Best]:
        return self._read(self._trials[at]) if isinstance(at, slice) else self._read([self._trials[at]])[0]

    def __iter__(self) -> Iterator[Best]:
        for first in range(0, len(self), CHUNK):
            yield from self[first : first + CHUNK]


def as_best(trial: FrozenTrial, curves: Curve, summary: Summary) -> Best | None:
    """The trial of that study, with its curves; None where these are not what a sweep writes."""
    attributes, study = TrialAttributes.from_attrs(trial.user_attrs), summary.content.stored
    assert attributes.schedule is not None and attributes.seed is not None and trial.value is not None
    schedule: Any = relatives.from_dict(attributes.schedule)
    select = curves.get(study.chosen_by, [])
    try:
        epoch = chosen_epoch(study.objective, select, schedule, study.direction)
    except (ValueError, TypeError):
        return None
    return Best(
        number=trial.number,
        value=trial.value,
        schedule=schedule,
        epoch=epoch,
        budget=attributes.planned_epochs or len(select),
        hparams={name: trial.params[name] for name in study.space["hparams"]},
        seed=attributes.seed,
        curves=curves,
        # Older studies do not name it.
        arm=attributes.arm if attributes.arm in ALL_ARMS else arm_of(schedule, len(select)),
        confirmed=summary.confirmed.get(trial.number),
        objective=study.objective,
        stepping=stepping_of(attributes, study),
        start=attributes.start is not None,
    )


def stepping_of(trial: TrialAttributes, study: StudyAttributes) -> Stepping:
    """How a trial with these attributes stepped, of a study with those; older studies say less."""
    return Stepping(trial.steps_per_epoch or study.steps_per_epoch, study.interval or "step")
