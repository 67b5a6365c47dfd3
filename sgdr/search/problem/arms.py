"""The arms of a comparison, one of each shape: schedules with restarts, and controls without.

Whether restarts help is a question about the same budget with and without them, so a share of every search
that has restarts goes to the other shapes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sgdr.formula import Formula
from sgdr.schedule import WarmRestarts
from sgdr.search.problem.types import Schedule
from sgdr.shapes import CONSTANT, COSINE, RESTARTS, SHAPES
from sgdr.warmup import unwarmed, unwarmed_fields

ALL_ARMS = tuple(SHAPES)
"""The names of all arms."""
DEFAULT_SHARE = 0.25
"""The share of the trials that is for all controls together."""
BLOCK = 64
"""Trials of which the controls have their share."""


def arm_of(schedule: Schedule, budget: int) -> str:
    """The arm of a schedule in epochs, by what it does within the budget: one of `ALL_ARMS`.

    It is a `WarmRestarts` or a formula; what a warm-up is before has the arm that it has without.
    """
    schedule, warmup = unwarmed(schedule)
    if isinstance(schedule, Formula):
        return schedule.kind
    if schedule.eta_min == schedule.base_lr and schedule.peak_decay == 1:
        return CONSTANT.name
    return RESTARTS.name if schedule.restarts(until=max(budget - warmup, 0)) else COSINE.name


def effect(schedule: Schedule, budget: int) -> object:
    """What is equal for schedules that do the same within the budget."""
    inner, warmup = unwarmed(schedule)
    if warmup and budget > warmup:
        return warmup, effect(inner, budget - warmup)
    if not isinstance(schedule, WarmRestarts):
        return schedule
    restarts, last = schedule.restarts(until=budget), schedule.cycle(budget - 1).length
    decay = schedule.peak_decay if restarts else 1.0
    return schedule.base_lr, schedule.eta_min, tuple(restarts), last, decay


def is_of(arm: str, searched: Collection[str], params: Mapping[str, Any], stated: Any) -> bool:
    """Whether a trial with these parameters is one of an arm in which those names are searched.

    The names alone do not tell: a constant rate and linear decay have a peak alone. So the schedule that the
    trial states, as of `to_dict`, has to be of the kind that the arm makes.
    """
    fields, _ = unwarmed_fields(stated)
    kind = fields.get("kind") if isinstance(fields, Mapping) else None
    return params.keys() == set(searched) and bool(kind == (arm if SHAPES[arm].is_formula else None))


def next_arm(begun: Mapping[str, int], share: float, trials: int, shapes: Sequence[str]) -> str:
    """The arm of the next trial, after so many of each, of a search of `trials` among `shapes`.

    `share` is that of all controls together, which is split evenly; where trials are few, the first of them
    come first. Without restarts among the shapes, each has as many.

    In every block of trials the controls come first and together: a few that came one by one would find
    nobody to be compared with, and be trained to the end.
    """
    controls = [shape for shape in shapes if SHAPES[shape].is_control]
    if len(controls) == len(shapes):
        return min(controls, key=lambda control: begun.get(control, 0))
    block = min(trials, BLOCK * (sum(begun.values()) // BLOCK + 1))
    # An even number, so that two have as many, of which something is left for restarts.
    together = 2 * min(round(share / 2 * block), (block - 1) // 2)
    for place, control in enumerate(controls):
        if begun.get(control, 0) < together // len(controls) + (place < together % len(controls)):
            return control
    return RESTARTS.name


def planned(share: float, trials: int, shapes: Sequence[str]) -> dict[str, int]:
    """How many of so many trials each arm will have, by its name; arms that have none are not named."""
    counts: dict[str, int] = {}
    for _ in range(trials):
        arm = next_arm(counts, share, trials, shapes)
        counts[arm] = counts.get(arm, 0) + 1
    return counts


class Places:
    """The arms of the new trials of a run, by their place among them: what each is does not depend on when,
    or by which worker, it is begun."""

    def __init__(
        self,
        begun: Mapping[str, int],
        drawn: Mapping[str, int],
        share: float,
        trials: int,
        shapes: Sequence[str],
    ) -> None:
        """`begun` and `drawn`: what each arm has had in earlier runs, as trials and as new ones; the others
        as of `next_arm`."""
        self._begun, self._drawn = dict(begun), dict(drawn)
        self._share, self._trials, self._shapes = share, trials, tuple(shapes)
        self._known: list[tuple[str, int]] = []

    def __getitem__(self, place: int) -> tuple[str, int]:
        """The arm, and how many new trials of that arm come before."""
        while len(self._known) <= place:
            arm = next_arm(self._begun, self._share, self._trials, self._shapes)
            self._known.append((arm, self._drawn.get(arm, 0)))
            self._begun[arm] = self._begun.get(arm, 0) + 1
            self._drawn[arm] = self._drawn.get(arm, 0) + 1
        return self._known[place]
