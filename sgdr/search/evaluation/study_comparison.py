"""What schedules gave that a study has trained on the same new seeds, beside the recommended one."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sgdr.search.evaluation import sequential_test
from sgdr.search.evaluation.records import Record, compared_records, confirmed_records, joined, recommended
from sgdr.search.problem.objective import sign
from sgdr.search.problem.types import Schedule
from sgdr.search.study.answer_words import described
from sgdr.search.study.stated import all_stated
from sgdr.search.study.study import Study


@dataclass(frozen=True)
class PairedDifference:
    """The values of a schedule minus those of the recommended one, paired by seed."""

    mean: float
    """The mean, in the unit of the metric."""
    low: float
    high: float
    """The 95 % interval."""
    seeds: int
    """The number of seeds that both have."""
    clear: bool
    """Whether the two can be told apart, at 95 %."""


@dataclass(frozen=True)
class ComparedSchedule:
    """A schedule, and what it gave on the seeds."""

    number: int | None
    """The number of a trial of the study that has the schedule; None where none is known."""
    shape: str
    """One of `sgdr.shapes.SHAPES`."""
    schedule: Schedule
    """The schedule, in epochs."""
    hparams: Mapping[str, Any]
    budget: int
    """Epochs of every run."""
    values: Mapping[int, float] = field(repr=False)
    """The values by seed of the runs that did not diverge."""
    diverged: Mapping[int, int] = field(repr=False)
    """The first epoch after which something was not finite, by the seed of a run that diverged."""
    mean: float | None
    """The mean over all seeds; None where there is none."""
    low: float | None
    high: float | None
    """The 95 % interval of the mean; None for fewer than two seeds."""
    difference: PairedDifference | None
    """What lies between it and the recommended one; None for that itself, and where the two have fewer than
    two seeds in common."""
    words: str
    """The schedule in words."""


@dataclass(frozen=True)
class StudyComparison:
    """Schedules that a study has trained on the same seeds, none of the search. `str()` says what follows.

    A run that diverged counts as the worst value that there is, of all runs and of every epoch of the trial
    that is recommended: of an error about that of guessing.
    """

    schedules: tuple[ComparedSchedule, ...]
    """The recommended one first."""
    metric: str
    direction: str
    objective: str
    words: str

    def __str__(self) -> str:
        return self.words

    def to_dict(self) -> dict[str, Any]:
        """The comparison in plain JSON values; a searched number that is not finite is "inf", "-inf" or
        "nan"."""
        values = asdict(self)
        for plain, one in zip(values["schedules"], self.schedules, strict=True):
            plain["schedule"] = one.schedule.to_dict()
            plain["hparams"] = all_stated(one.hparams)
            for name in ("values", "diverged"):
                plain[name] = {str(seed): value for seed, value in plain[name].items()}
        return {**values, "schedules": list(values["schedules"])}


def kept_comparison(study: Study) -> StudyComparison | None:
    """All that the study keeps of its comparisons, on all seeds that each schedule has; None for nothing."""
    kept = compared_records(study)
    if not kept:
        return None
    first = recommended(study)
    found = joined([first, *kept])
    known = joined([*found.values(), *confirmed_records(study)])
    return compared(study, [known[name] for name in found])


def compared(
    study: Study, records: Sequence[Record], seeds: Collection[int] | None = None
) -> StudyComparison:
    """What the records say, of which the first is the recommended one, on those seeds; None: on all."""
    stored = study.stored
    worst = _worst(study, records)
    measured = [
        {
            seed: value
            for seed, value in {**record.values, **dict.fromkeys(record.diverged, worst)}.items()
            if (seeds is None or seed in seeds) and math.isfinite(value)
        }
        for record in records
    ]
    rows = tuple(
        _row(study, record, values, measured[0] if place else None, seeds)
        for place, (record, values) in enumerate(zip(records, measured, strict=True))
    )
    return StudyComparison(
        rows, stored.metric, stored.direction, stored.objective, _words(rows, stored.direction)
    )


def _worst(study: Study, records: Sequence[Record]) -> float:
    """What a run that diverged counts as; NaN where nothing was measured."""
    if not any(record.diverged for record in records):
        return math.nan
    number, toward = records[0].number, sign(study.stored.direction)
    curve = [] if number is None else study.curve(number).get(study.stored.metric, [])
    losses = [toward * value for record in records for value in record.values.values()]
    losses += [toward * value for value in curve if math.isfinite(value)]
    return toward * max(losses, default=math.nan)


def _row(
    study: Study,
    record: Record,
    values: Mapping[int, float],
    reference: Mapping[int, float] | None,
    seeds: Collection[int] | None,
) -> ComparedSchedule:
    mean, low, high = sequential_test.interval(list(values.values())) if values else (None, None, None)
    words = described(record.arm, record.schedule, record.hparams)
    own = "" if record.budget == study.stored.budget else f", for {record.budget} epochs"
    return ComparedSchedule(
        number=record.number,
        shape=record.arm,
        schedule=record.schedule,
        hparams=dict(record.hparams),
        budget=record.budget,
        values={seed: value for seed, value in record.values.items() if seeds is None or seed in seeds},
        diverged={seed: epoch for seed, epoch in record.diverged.items() if seeds is None or seed in seeds},
        mean=mean,
        low=low if len(values) > 1 else None,
        high=high if len(values) > 1 else None,
        difference=None if reference is None else _difference(values, reference),
        words=words + own,
    )


def _difference(values: Mapping[int, float], reference: Mapping[int, float]) -> PairedDifference | None:
    if len(values.keys() & reference.keys()) < 2:
        return None
    test = sequential_test.paired(values, reference)
    # What is the same on every seed has an interval without width, and is clear by the number of seeds alone.
    clear = min(test.p_lower, test.p_higher) < sequential_test.ERROR / 2
    return PairedDifference(test.mean, test.low, test.high, test.seeds, clear)


def _words(rows: Sequence[ComparedSchedule], direction: str) -> str:
    """One sentence: which cannot be told from the recommended one, and which can."""
    if len(rows) == 1:
        return "There is nothing to compare with schedule 1, the recommended one."
    if len(rows[0].values) + len(rows[0].diverged) < 2:
        return (
            "Schedule 1, which is recommended now, was not compared yet: the next comparison, whatever it is "
            "asked for, trains it too."
        )
    groups: dict[str, list[int]] = {"equal": [], "better": [], "worse": [], "unknown": []}
    for place, row in enumerate(rows[1:], 2):
        apart = row.difference
        if apart is None:
            groups["unknown"].append(place)
        elif not apart.clear:
            groups["equal"].append(place)
        else:
            groups["better" if sign(direction) * apart.mean < 0 else "worse"].append(place)
    parts = [
        f"{_listed(groups['equal'])} cannot be told from schedule 1, the recommended one"
        if groups["equal"]
        else "none is like schedule 1, the recommended one"
    ]
    for name in ("better", "worse"):
        if groups[name]:
            parts.append(f"{_listed(groups[name])} {'is' if len(groups[name]) == 1 else 'are'} {name}")
    if groups["unknown"]:
        parts.append(f"{_listed(groups['unknown'])} cannot be said for want of common seeds")
    return f"On the same seeds, at 95 %, {'; '.join(parts)}."


def _listed(places: Sequence[int]) -> str:
    """The numbers of schedules, in words."""
    *most, last = map(str, places)
    return f"schedules {', '.join(most)} and {last}" if most else f"schedule {last}"
