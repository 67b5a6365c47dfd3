"""A completed trial as one would use it, with its curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from sgdr import relatives
from sgdr.search.problem.arms import ALL_ARMS, arm_of
from sgdr.search.problem.objective import chosen_epoch
from sgdr.search.problem.types import STEPS_PER_EPOCH, Schedule
from sgdr.search.storage.reader import CHUNK, Curve
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
    """The epoch, from 1, whose model has the value."""
    budget: int
    """Epochs trained."""
    hparams: Mapping[str, Any]
    seed: int
    curves: Mapping[str, list[float]] = field(repr=False)
    """The values of the trial by name, one an epoch."""
    arm: str
    """One of `arms.ALL_ARMS`."""
    confirmed: Confirmed | None
    """What it gave on other seeds; None where it was not trained on any: its value is partly luck then."""
    stepping: Stepping = field(default=Stepping(), repr=False)
    """How many optimizer updates its epochs have, and how often its rate changes."""

    def to_dict(self) -> dict[str, Any]:
        """The trial in plain JSON values, without the curves; T_0, restarts and the epoch are in epochs."""
        again = self.confirmed
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
            "confirmed": None
            if again is None
            else {
                "mean": again.mean,
                "low": again.low,
                "high": again.high,
                "seeds": len(again.values),
                "failed": again.failed,
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


def as_best(trial: FrozenTrial, curves: Curve, study: Summary) -> Best | None:
    """The trial of that study, with its curves; None where these are not what a sweep writes."""
    attributes, kept = trial.user_attrs, study.content.attributes
    schedule: Any = relatives.from_dict(attributes["schedule"])
    arm = attributes.get("arm")
    select = curves.get(kept["select_metric"] or kept["metric"], [])
    try:
        epoch = chosen_epoch(kept["objective"], select, schedule, kept["direction"])
    except (ValueError, TypeError):
        return None
    assert trial.value is not None, "a completed trial has a value"
    return Best(
        number=trial.number,
        value=trial.value,
        schedule=schedule,
        epoch=epoch,
        budget=len(select),
        hparams={name: trial.params[name] for name in kept["space"]["hparams"]},
        seed=attributes["seed"],
        curves=curves,
        arm=arm if arm in ALL_ARMS else arm_of(schedule, len(select)),  # older studies do not name it
        confirmed=study.confirmed.get(trial.number),
        stepping=stepping_of(attributes, kept),
    )


def stepping_of(trial: Mapping[str, Any], study: Mapping[str, Any]) -> Stepping:
    """How a trial with these attributes stepped, of a study with those; older studies say less."""
    steps = trial.get(STEPS_PER_EPOCH) or study.get(STEPS_PER_EPOCH)
    return Stepping(steps, study.get("interval") or "step")
