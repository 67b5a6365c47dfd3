"""What a sweep keeps with a study and with its trials: the names, the forms, and which are needed.

Anybody may write attributes into a study by Optuna's own calls, so what is read may be of any form: of a
study, `fault` says what keeps it from being read; of a trial, `own_trials` whether it is the sweep's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, get_type_hints

from sgdr.choices import Direction, Objective
from sgdr.shapes import EARLIER, in_order

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Attrs: TypeAlias = Mapping[str, Any]
"""User attributes of a study or of a trial, as a storage holds them."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_space(value: Any) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get("hparams"), Mapping):
        return False
    ends = value.get("warmup", [0, 0])  # older studies do not name it
    return isinstance(ends, list | tuple) and len(ends) == 2 and all(map(_is_whole(0), ends))


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


@dataclass(frozen=True)
class Needed:
    """Marks an attribute without which a study cannot be read, nor with a value that does not fit."""

    fits: Callable[[Any], bool]


@dataclass(frozen=True)
class OfType:
    """Marks an attribute of trials: a trial that has it with a value of another type is not the sweep's."""

    types: type | tuple[type, ...]


Mark = TypeVar("Mark", Needed, OfType)


def _marked(attributes: type, kind: type[Mark]) -> dict[str, Mark]:
    """The marks of that kind beside the types of the attributes, by name."""
    hints = get_type_hints(attributes, include_extras=True).items()
    marks = ((name, mark) for name, hint in hints for mark in getattr(hint, "__metadata__", ()))
    return {name: mark for name, mark in marks if isinstance(mark, kind)}


@dataclass(frozen=True, kw_only=True)
class StudyAttributes:
    """What a study says of its sweep."""

    workload: Annotated[str, Needed(_is_text)]
    budget: Annotated[int, Needed(_is_whole(1))]
    space: Annotated[Mapping[str, Any], Needed(_is_space)]
    """`Space.to_dict()`; the workload's own values, `hparams`, as JSON of Optuna's distributions."""
    unwidened: Any = None
    """The space as it was asked for, where it was widened to hold the starts."""
    start: Any = ()
    """What the user has today, a `Start.to_dict()` each."""
    objective: Annotated[str, Needed(tuple(Objective).__contains__)]
    metric: Annotated[str, Needed(_is_text)]
    select_metric: Annotated[str | None, Needed(_or_none(_is_text))]
    direction: Annotated[str, Needed(tuple(Direction).__contains__)]
    steps_per_epoch: Annotated[int | None, Needed(_or_none(_is_whole(1)))]
    interval: Any = None
    """An `Interval`; None where it is not said."""
    pruner: Any = None
    sampler: Any = None
    controls: Any = None
    shapes: Any = ()
    """The shapes that are searched; empty in studies from before they could be chosen (see `arms`)."""
    relatives: Any = ()
    """The shapes beside `EARLIER` in such studies; others have none."""
    margin: Any = None
    """Differences below it, in the unit of the metric, do not count in the answer; None where no sweep of
    the study was given one, else the last of these."""
    seed: Annotated[int, Needed(_is_whole(0))]
    versions: Any = None
    confirmation: Mapping[str, Any] = field(default_factory=dict)
    """What candidates gave on fresh seeds so far, by the number of their trial (see `Candidate.results`)."""
    verdict: Any = None
    """`Verdict.attribute()`, once there is one."""
    comparison: Any = ()
    """What schedules gave that were compared on the same seeds, a `Record.to_dict()` each."""

    @property
    def arms(self) -> tuple[str, ...]:
        """The shapes that are searched."""
        return in_order(self.shapes or (*EARLIER, *self.relatives))

    @property
    def warmups(self) -> tuple[int, int]:
        """The shortest and the longest warm-up that is searched, in epochs; none in older studies."""
        shortest, longest = self.space.get("warmup", (0, 0))
        return shortest, longest

    @property
    def hparams(self) -> dict[str, BaseDistribution]:
        """What the workload's own values are drawn from, by name."""
        from optuna.distributions import json_to_distribution

        return {name: json_to_distribution(text) for name, text in self.space["hparams"].items()}

    @property
    def chosen_by(self) -> str:
        """The metric by which an epoch is chosen."""
        return self.select_metric or self.metric

    @classmethod
    def from_attrs(cls, attrs: Attrs) -> StudyAttributes:
        """The attributes of a study. Raises ValueError where they cannot be read."""
        if said := fault(attrs):
            raise ValueError(said)
        return cls(**{name: attrs[name] for name in _STUDY if name in attrs})

    def to_attrs(self) -> dict[str, Any]:
        """The attributes with which a study begins, or what else there is of it, by name."""
        values = {name: getattr(self, name) for name in _STUDY}
        return {name: value for name, value in values.items() if name not in _LATER or value not in _NOTHING}


_STUDY = tuple(field.name for field in fields(StudyAttributes))
_LATER = ("unwidened", "start", "shapes", "relatives", "margin", "confirmation", "verdict", "comparison")
"""What a study has only where there is some."""
_NOTHING: tuple[Any, ...] = (None, (), [], {})
"""The values of these where there is none."""
_NEEDED = _marked(StudyAttributes, Needed)
MARKS = {"workload", "space", "objective", "direction"}
"""The attributes by which a study is known to be a sweep's; anybody's study may have one of them."""
SAID_LATER = ("steps_per_epoch", "interval")
"""What a study may have been made without, and be told when it goes on; then it must stay the same too."""
MARGIN = "margin"
"""The attribute that a sweep which goes on with a study writes anew, where it is given."""
CONFIRMATION, VERDICT = "confirmation", "verdict"
"""The attributes that `confirm` writes."""
COMPARISON = "comparison"
"""The attribute that `compare_study` writes."""


def made_by_sweep(attrs: Attrs) -> bool:
    """Whether a study's attributes are those of a sweep, all written."""
    return attrs.keys() >= MARKS


def fault(attrs: Attrs) -> str | None:
    """What of a sweep's study keeps it from being read, in words; None where nothing does."""
    for name, needed in _NEEDED.items():
        if name not in attrs:
            return f"its attribute {name!r} is missing"
        if not needed.fits(attrs[name]):
            text = repr(attrs[name])
            return f"its attribute {name!r} is {text if len(text) <= 60 else text[:57] + '...'}"
    return None


def is_readable(attrs: Attrs) -> bool:
    """Whether a study was made by a sweep and can be read."""
    return made_by_sweep(attrs) and fault(attrs) is None


@dataclass(frozen=True, kw_only=True)
class TrialAttributes:
    """What a trial says of its training; it does not have those that are None."""

    worker: Annotated[str | None, OfType(str)] = None
    """The worker that has the trial, from the moment on at which it is claimed."""
    enqueued: bool | None = None
    """True where somebody had enqueued it before a worker took it."""
    retry_of: Annotated[int | None, OfType(int)] = None
    """The number of the trial that it repeats."""
    start: bool | None = None
    """Whether the user has its schedule today: it was in the queue before the sweep began. True or None."""
    withdrawn: bool | None = None
    """True where it was claimed and was one too many."""
    lost: bool | None = None
    """True where it was ended since its worker had died."""
    schedule: Mapping[str, Any] | None = None
    """The schedule, in epochs, written last of what a trial begins with: what has it was begun."""
    arm: Annotated[str | None, OfType(str)] = None
    seed: Annotated[int | None, OfType(int)] = None
    steps_per_epoch: int | None = None
    """Where the trial has another number than its study."""
    epochs: Annotated[int | None, OfType(int)] = None
    """Epochs trained."""
    planned_epochs: Annotated[int | None, OfType(int)] = None
    """Epochs that it was to train, where it ended by itself before."""
    diverged_at: Annotated[int | None, OfType(int)] = None
    """The epoch after which something was not finite."""
    seconds: Annotated[float | None, OfType((int, float))] = None
    error: Annotated[str | None, OfType(str)] = None
    """What its own error said; what was cut off by something else has none."""
    curve: Mapping[str, list[float]] | None = None
    """The values by name, one an epoch."""

    @classmethod
    def from_attrs(cls, attrs: Attrs) -> TrialAttributes:
        """The attributes of a trial that is the sweep's; those that somebody has added are left out."""
        return cls(**{name: attrs[name] for name in TRIAL if name in attrs})

    def to_attrs(self) -> dict[str, Any]:
        """The attributes that there are, by name."""
        return {name: value for name in TRIAL if (value := getattr(self, name)) is not None}


TRIAL = tuple(field.name for field in fields(TrialAttributes))
"""All user attributes of trials that a sweep writes."""
FORMS = {name: form.types for name, form in _marked(TrialAttributes, OfType).items()}
"""The types of attributes by which a trial is known not to be the sweep's, by name."""


def epochs_trained(attrs: Attrs) -> int:
    """The epochs that a finished trial has trained, with the one in which it diverged.

    A trial that somebody else has ended may not say so, and counts as none.
    """
    epochs = attrs.get(DIVERGED_AT, attrs.get(EPOCHS))
    return 0 if epochs is None else int(epochs)


# Names that statements and loops over all trials look for.
BEGUN, WORKER, ENQUEUED, CURVE = "schedule", "worker", "enqueued", "curve"
RETRY_OF, WITHDRAWN, LOST, START = "retry_of", "withdrawn", "lost", "start"
ARM, SEED, EPOCHS, DIVERGED_AT, ERROR = "arm", "seed", "epochs", "diverged_at", "error"
PLANNED = "planned_epochs"
"""See `TrialAttributes.planned_epochs`."""
STEPS_PER_EPOCH = "steps_per_epoch"
