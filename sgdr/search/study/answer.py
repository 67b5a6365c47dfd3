"""Which schedule to use, how sure that is, and whether restarts help: what a study says in the end.

Nothing is read off single trainings, which are partly luck: what each schedule is truly worth is drawn some
thousand times from the model, all together (see `belief`), and told is how often one is the best of these
draws, and how far one is from another.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdr import checks
from sgdr.choices import Effect, Objective
from sgdr.errors import ArgumentError
from sgdr.search.problem.objective import members, sign
from sgdr.search.problem.types import Schedule
from sgdr.search.study.answer_words import in_words
from sgdr.search.study.belief import QUANTILES, SURE, Belief
from sgdr.search.study.evidence import evidence, tried
from sgdr.search.study.stated import all_stated
from sgdr.shapes import COSINE, RESTARTS, SHAPES

if TYPE_CHECKING:
    from sgdr.search.storage.reader import Content

MARGIN = 0.2
"""The margin, in standard deviations between seeds near the best, where none is given."""


@dataclass(frozen=True)
class Difference:
    """The true mean of the recommended schedule, or of the best with restarts, minus that of another."""

    number: int
    """The trial of the other schedule."""
    difference: float
    """The median, in the unit of the metric."""
    low: float
    high: float
    """The interval, of 95 % where nothing else is said."""


@dataclass(frozen=True)
class Peer:
    """A schedule that cannot be told from the recommended one."""

    number: int
    """The number of its trial."""
    shape: str
    schedule: Schedule
    """The schedule, in epochs."""
    hparams: Mapping[str, Any]
    value: float
    """The median of its true mean."""
    low: float
    high: float
    """The 95 % interval of the recommended one's true mean minus its own."""


@dataclass(frozen=True)
class Answer:
    """Which schedule to use, how sure that is, and against what. `str()` says it in words.

    Values and differences are in the unit of the metric; intervals are of 95 % where nothing else is said.
    """

    number: int
    """The trial of the recommended schedule; of several, the one with the best value."""
    shape: str
    """One of `sgdr.shapes.SHAPES`."""
    schedule: Schedule
    """The schedule to use, in epochs."""
    hparams: Mapping[str, Any]
    budget: int
    """Epochs of a training."""
    value: float
    """What it is expected to give: the median of its true mean over seeds."""
    interval: tuple[float, float] | None
    """The interval of its true mean; None where a single training is all that was seen."""
    probability: float
    """How likely it is the best of those tried."""
    equal: Sequence[Peer]
    """Others that cannot be told from it, the best first."""
    gain_over_start: Difference | None
    """The gain over the best schedule that the user had before; None where none was trained to its end."""
    gain_over_cosine: Difference | None
    """The gain over the best single cosine; None where none was trained to its end."""
    restarts: str | None
    """Whether restarts help, an `Effect`; None where only one side was trained to its end."""
    restarts_difference: Difference | None
    """The best schedule with restarts minus the best without; its interval, of 98 %, decides."""
    margin: float | None
    """Differences below it do not count: the simplest of such schedules is recommended. None where it is not
    given and a single training is all that was seen."""
    leader: int
    """The trial of the schedule with the best median, which the recommended one is within the margin of."""
    tried: int
    """How many schedules were trained to their end."""
    cost: float
    """What the search has cost, in full trainings."""
    metric: str
    direction: str
    objective: str = Objective.BEST_EPOCH.value
    """What a value is: the objective of the study."""
    models: int = 1
    """How many models predict together, each at the cost of a forward pass: several under ensemble alone."""
    words: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.words

    def to_dict(self) -> dict[str, Any]:
        """The answer in plain JSON values; a searched number that is not finite is "inf", "-inf" or "nan"."""
        plain = {name: _plain(value) for name, value in vars(self).items()}
        for part in (plain, *plain["equal"]):
            part["hparams"] = all_stated(part["hparams"])
        return plain


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Peer | Difference):
        return {name: _plain(part) for name, part in vars(value).items()}
    return value


def checked_margin(margin: Any) -> float | None:
    """The margin as a float. Raises ArgumentError where it is not a finite number of at least 0."""
    if margin is not None and not _is_margin(margin):
        fix = "give it in the unit of the metric"
        raise ArgumentError("margin", margin, "must be a finite number of at least 0", fix)
    return None if margin is None else float(margin)


def _is_margin(value: Any) -> bool:
    number = checks.number(value)
    return number is not None and 0 <= number <= sys.float_info.max


def answered(content: Content, cost: float, margin: float | None = None) -> Answer | None:
    """The answer of a study with that content and cost; None where no trial is complete.

    Without a margin it is that of the study, where its sweep was given one.
    """
    schedules = tried(content)
    if not any(np.isfinite(one.best) for one in schedules):
        return None
    stored = content.stored
    if margin is None and _is_margin(stored.margin):  # anybody may have written another
        margin = float(stored.margin)
    belief = Belief(evidence(schedules, stored.space))
    return answer(belief, stored.metric, stored.direction, cost, margin, stored.objective)


def answer(
    belief: Belief,
    metric: str,
    direction: str,
    cost: float,
    margin: float | None = None,
    objective: str = "best-epoch",
) -> Answer:
    """The answer that follows from what is believed; `margin` as of `checked_margin`."""
    toward, alone = sign(direction), belief.trainings == 1
    if margin is None and not alone:
        margin = MARGIN * belief.deviation
    row = belief.simplest(margin or 0.0)
    low, high = sorted(toward * end for end in belief.interval(row))
    cosine, start = belief.best([COSINE.name]), belief.best_start
    sides = _sides(belief)
    apart = None if sides is None else _difference(belief, *sides, toward, SURE)
    one = belief.tried[row]
    reached = Answer(
        number=one.number,
        shape=one.shape,
        schedule=one.schedule,
        hparams=one.hparams,
        budget=one.budget,
        value=float(toward * belief.medians[row]),
        interval=None if alone else (low, high),
        probability=belief.probability(row),
        equal=tuple(_peer(belief, row, other, toward) for other in belief.equal(row)),
        gain_over_start=None if start is None else _difference(belief, row, start, toward),
        gain_over_cosine=None if cosine is None else _difference(belief, row, cosine, toward),
        restarts=None if apart is None else effect(apart, margin or 0.0, toward).value,
        restarts_difference=apart,
        margin=margin,
        leader=belief.tried[belief.leader].number,
        tried=belief.complete,
        cost=cost,
        metric=metric,
        direction=direction,
        objective=objective,
        models=len(members(one.schedule, one.budget)) if objective == Objective.ENSEMBLE else 1,
    )
    return replace(reached, words=in_words(reached))


def effect(apart: Difference, margin: float, toward: float) -> Effect:
    """What the interval of a difference says of restarts; `toward` is 1 where lower is better, else -1."""
    low, high = sorted((toward * apart.low, toward * apart.high))
    if high < 0:
        return Effect.HELP
    if low > 0:
        return Effect.DO_NOT_HELP
    return Effect.EQUAL if max(-low, high) <= margin else Effect.UNDECIDED


def _sides(belief: Belief) -> tuple[int, int] | None:
    """The best row with restarts and the best without; None where one side has none."""
    restarts = belief.best([RESTARTS.name])
    other = belief.best([shape for shape in SHAPES if shape != RESTARTS.name])
    return None if restarts is None or other is None else (restarts, other)


def _difference(
    belief: Belief, row: int, other: int, toward: float, quantiles: Sequence[float] = QUANTILES
) -> Difference:
    low, median, high = sorted(toward * end for end in belief.difference(row, other, quantiles))
    return Difference(belief.tried[other].number, median, low, high)


def _peer(belief: Belief, row: int, other: int, toward: float) -> Peer:
    one, apart = belief.tried[other], _difference(belief, row, other, toward)
    value = float(toward * belief.medians[other])
    return Peer(one.number, one.shape, one.schedule, one.hparams, value, apart.low, apart.high)
