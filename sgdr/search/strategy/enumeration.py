"""Samplers that try every point of a space once, and end the study then: Optuna's for grids and brute force.

Such a sampler calls `Study.stop`, which Optuna allows within `Study.optimize` alone. A search that asks for
several trials at a time also has to know when all points have been begun: asked on, the sampler would give
one of them again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, BruteForceSampler, GridSampler
from optuna.trial import FrozenTrial

from sgdr.errors import ArgumentError

GRID, POINT = "search_space", "grid_id"
"""The system attributes in which a `GridSampler` keeps its grid, and which of its points a trial is."""

Distributions = Mapping[str, BaseDistribution]


ENUMERATING = (GridSampler, BruteForceSampler)
MOST_DRAWS = 1000
"""How often such a sampler is asked for a point that was not begun before."""


class Exhausted(Exception):
    """A sampler has nothing more to try."""

    def __init__(self, sampler: BaseSampler) -> None:
        super().__init__(f"{type(sampler).__name__} has nothing more to try")


class EndingStudy(optuna.Study):
    """A study of trials that are asked for, which a sampler may end."""

    ended = False

    def stop(self) -> None:
        """See Optuna's `Study.stop`."""
        self.ended = True


def as_choice(distribution: BaseDistribution) -> BaseDistribution:
    """The same distribution; of a fixed value a categorical of one, which every sampler can enumerate."""
    if isinstance(distribution, FloatDistribution | IntDistribution) and distribution.single():
        return CategoricalDistribution((distribution.low,))
    return distribution


def check_enumerable(sampler: BaseSampler, distributions: Distributions) -> None:
    """Raises ValueError where the sampler is to try every point of a space that has no end of them."""
    real = [
        name
        for name, distribution in distributions.items()
        if isinstance(distribution, FloatDistribution)
        and distribution.step is None
        and not distribution.single()
    ]
    if isinstance(sampler, BruteForceSampler) and real:
        ranges = "are ranges" if len(real) > 1 else "is a range"
        reason = f"tries every value, and {', '.join(real)} {ranges} of real numbers"
        fix = "fix each by one number, or give a list of choices where it is of the workload's own"
        message = f"sampler=BruteForceSampler {reason}: {fix}"
        raise ArgumentError("sampler", sampler, reason, fix, message=message)


def is_of_sampler(sampler: BaseSampler, trial: FrozenTrial) -> bool:
    """Whether the sampler can be told of a trial: one for grids fails where it did not choose the point."""
    return not isinstance(sampler, GridSampler) or POINT in trial.system_attrs


def begun(
    sampler: BaseSampler, asked: FrozenTrial, others: Sequence[FrozenTrial], distributions: Distributions
) -> tuple[bool, bool]:
    """Whether the trial that an enumerating sampler was asked for repeats another, and all points are begun.

    Where trials run side by side, a sampler may repeat what is running though there is something new to try.
    """
    if isinstance(sampler, GridSampler):
        grid, point = asked.system_attrs[GRID], asked.system_attrs[POINT]
        points = {trial.system_attrs[POINT] for trial in others if trial.system_attrs.get(GRID) == grid}
        return point in points, len(points) == math.prod(map(len, grid.values()))
    tried = {_values(trial, distributions) for trial in others if trial.params}
    own = _values(asked, distributions)
    return own in tried, len(tried) >= math.prod(map(_points, distributions.values()))


def _values(trial: FrozenTrial, distributions: Distributions) -> tuple[Any, ...]:
    return tuple(trial.params[name] for name in distributions)


def _points(distribution: BaseDistribution) -> int:
    """How many values a distribution has."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    assert distribution.step is not None, "the space was checked"
    return round((distribution.high - distribution.low) / distribution.step) + 1
