"""What a confirmation says: the candidates with their means, and in words whether restarts help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sgdr import relatives
from sgdr.choices import Decision
from sgdr.search.problem.types import Schedule
from sgdr.search.study.stated import all_stated
from sgdr.shapes import SHAPES

WORTHWHILE = 100
"""The most further seeds that anybody would spend on a verdict."""
DECISIONS = tuple(decision.value for decision in Decision)


@dataclass(frozen=True)
class Confirmed:
    """A trial's schedule, trained again on seeds that the search has not seen."""

    number: int
    """The number of the trial."""
    arm: str
    schedule: Schedule
    """The schedule, in epochs: a `WarmRestarts`, or one of `sgdr.relatives`."""
    hparams: Mapping[str, Any]
    searched: float
    """The value of the trial in the search, which is partly luck."""
    values: Mapping[int, float] = field(repr=False)
    """The values by seed."""
    mean: float | None
    """The mean of the values; None where the trial was trained on no seed to the end."""
    low: float | None
    high: float | None
    """The 95 % interval of the mean."""
    epoch: float | None
    """The median of the epochs, from 1, at which the values were read."""
    failed: str | None = None
    """Why it is out: it diverged, or its training failed, on one of the seeds."""
    ensemble: Mapping[str, float] | None = None
    """The values of the trial's run on the first seed: `ensemble`, that of the mean prediction of the models
    at its last `troughs`, and `single`, that of its best model alone. None where the workload can't say."""


@dataclass(frozen=True)
class Verdict:
    """Whether restarts help, as far as the seeds tell. `str()` says it in words."""

    decision: str
    """One of `DECISIONS`."""
    words: str
    candidates: tuple[Confirmed, ...]
    """The best first; those that got fewer seeds, since they were clearly behind, after the others."""
    restarts: int | None
    """The trial that is best of the schedules with restarts; None where none was left."""
    control: int | None
    """The trial that is best of those without."""
    difference: Mapping[str, float] | None
    """`mean`, `low`, `high` of the value with restarts minus that of the control, over `seeds` seeds that
    both have: an interval that holds with 95 % over all looks and candidates."""
    more_seeds: int | None
    """About how many further seeds would decide, where it is undecided and any number would."""
    metric: str
    direction: str
    seeds: int
    """The most per candidate."""
    trials: int
    """How many finished trials the study had."""

    def __str__(self) -> str:
        return self.words

    @property
    def best(self) -> Confirmed | None:
        """The candidate to use; None where all failed."""
        first = self.candidates[0]
        return None if first.mean is None else first

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain JSON; a searched number that is not finite is "inf", "-inf" or "nan"."""
        values = self.attribute()
        for candidate in values["candidates"]:
            candidate["hparams"] = all_stated(candidate["hparams"])
        return values

    def attribute(self) -> dict[str, Any]:
        """The verdict as a study keeps it, with every number; `from_dict` reads it."""
        values = asdict(self)
        for stored, candidate in zip(values["candidates"], self.candidates, strict=True):
            stored["schedule"] = candidate.schedule.to_dict()
            stored["values"] = {str(seed): value for seed, value in candidate.values.items()}
        return {**values, "candidates": list(values["candidates"])}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Verdict:
        """The verdict that `attribute` made these values of."""
        candidates = tuple(
            Confirmed(
                **{
                    **candidate,
                    "schedule": relatives.from_dict(candidate["schedule"]),
                    "values": {int(seed): value for seed, value in candidate["values"].items()},
                }
            )
            for candidate in kept["candidates"]
        )
        return cls(**{**kept, "candidates": candidates})

    @classmethod
    def read(cls, kept: Any) -> Verdict | None:
        """The verdict that a study keeps; None where somebody has overwritten that attribute."""
        try:
            verdict = cls.from_dict(kept)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        return verdict if verdict.decision in DECISIONS and verdict.candidates else None


def in_words(
    decision: str,
    metric: str,
    difference: Mapping[str, float],
    control_arm: str,
    more_seeds: int | None,
    remark: str = "",
) -> str:
    """One sentence on the difference to the best control."""
    mean, low, high = (difference[name] for name in ("mean", "low", "high"))
    seeds = int(difference["seeds"])
    what = f"{abs(mean):.3g} {'lower' if mean < 0 else 'higher'}" if mean else "no different"
    facts = (
        f"{metric} is {what} with restarts than with {SHAPES[control_arm].words} "
        f"(95 % interval {low:+.3g} to {high:+.3g}, {seeds} paired seeds)"
    )
    if decision != Decision.UNDECIDED:
        return f"{decision}: {facts}{remark}"
    if mean and low == high and seeds > 1:
        return f"{decision}: {facts}; it is the same on every seed: see whether the workload uses its seed"
    within = f"any difference is within ± {max(abs(low), abs(high)):.2g}"
    if more_seeds is None or more_seeds > WORTHWHILE:
        return f"{decision}: {facts}; {within}"
    seeds_more = f"{more_seeds:,} more seed{'s' * (more_seeds != 1)}"
    return f"{decision}: {facts}; {within}, and about {seeds_more} would decide, were that the true one"
