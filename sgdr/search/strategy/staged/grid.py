"""The points of a space that the staged search may try: every variant of a shape at every peak of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from sgdr.search.model.settings import place_of
from sgdr.search.problem.space import SCHEDULE_NAMES
from sgdr.search.problem.warming import WARMUP
from sgdr.search.strategy.quasi_random import at, spread

PEAKS = 25
"""Peaks of a shape, evenly over their range on its scale, the ends included."""
CYCLES = (1, 2, 3, 4, 5, 6)
"""Numbers of cycles with which restarts may close the budget."""
LENGTHS = (0.02, 0.05, 0.12, 0.4, 0.7)
"""Shares of the budget that T_0 may be beside."""
HPARAM_POINTS = 8
"""Settings of what is searched beside the schedule, spread evenly."""
WARMUPS = 3
"""Lengths of the warm-up, evenly over their range, where nothing else is searched beside the schedule."""
MOST_FACTORS = 4
"""Choices of T_mult that are tried, the smallest ones."""

Distributions = Mapping[str, BaseDistribution]
Params = dict[str, Any]


def points(distributions: Distributions, budget: int, seed: int) -> list[Params]:
    """The points of one shape's space, for a budget in epochs: parameters by name."""
    rates = _peaks(distributions)
    return [
        {name: {**variant, **setting, **rate}[name] for name in distributions}
        for warmup, settings in _settings(distributions, seed).items()
        for variant, setting in itertools.product(_cycles(distributions, budget - warmup), settings)
        for rate in rates
    ]


def _settings(distributions: Distributions, seed: int) -> dict[int, list[Params]]:
    """What is searched beside peak and cycles, by the epochs of warm-up that are among it."""
    rest = {
        name: held for name, held in distributions.items() if name == WARMUP or name not in SCHEDULE_NAMES
    }
    if not rest:
        return {0: [{}]}
    if rest.keys() == {WARMUP}:
        lengths = dict.fromkeys(at(rest[WARMUP], place) for place in np.linspace(0, 1, WARMUPS).tolist())
        return {int(length): [{WARMUP: length}] for length in lengths}
    by_warmup: dict[int, list[Params]] = {}
    for index in range(HPARAM_POINTS):
        setting = spread(rest, index, seed)
        by_warmup.setdefault(int(setting.get(WARMUP, 0)), []).append(setting)
    return by_warmup


def _peaks(distributions: Distributions) -> list[Params]:
    if "base_lr" not in distributions:
        return [{}]
    rates = [at(distributions["base_lr"], float(place)) for place in np.linspace(0, 1, PEAKS)]
    return [{"base_lr": rate} for rate in dict.fromkeys(rates)]


def _cycles(distributions: Distributions, budget: int) -> list[Params]:
    """The variants of a shape's cycles: the length of the first, the factor and the floor."""
    floors = _floors(distributions.get("eta_ratio"))
    factors = _factors(distributions.get("T_mult"))
    variants: dict[tuple[Any, ...], Params] = {}
    for factor in factors:
        for length in _lengths(distributions, budget, int(factor.get("T_mult", 1))):
            for floor in floors:
                variant = {**length, **factor, **floor}
                variants.setdefault(tuple(variant.values()), variant)
    return list(variants.values())


def _floors(distribution: BaseDistribution | None) -> list[Params]:
    if distribution is None:
        return [{}]
    return [{"eta_ratio": ratio} for ratio in dict.fromkeys(at(distribution, place) for place in (0.0, 1.0))]


def _factors(distribution: BaseDistribution | None) -> list[Params]:
    if distribution is None:
        return [{}]
    if isinstance(distribution, CategoricalDistribution):
        choices: list[Any] = sorted(distribution.choices)
    else:
        choices = [at(distribution, place) for place in np.linspace(0, 1, MOST_FACTORS).tolist()]
    return [{"T_mult": choice} for choice in dict.fromkeys(choices[:MOST_FACTORS])]


def _lengths(distributions: Distributions, budget: int, factor: int) -> list[Params]:
    if (cycles := distributions.get("cycles")) is not None:
        assert isinstance(cycles, IntDistribution)
        return [{"cycles": count} for count in CYCLES if cycles.low <= count <= cycles.high]
    if (length := distributions.get("T_0")) is None:
        return [{}]
    closing = [budget // sum(factor**cycle for cycle in range(count)) for count in CYCLES]
    wanted = [max(1, round(T_0)) for T_0 in (*closing, *(share * budget for share in LENGTHS))]
    return [{"T_0": T_0} for T_0 in dict.fromkeys(_nearest(length, T_0) for T_0 in wanted)]


def _nearest(length: BaseDistribution, T_0: int) -> Any:
    """The length next to that one which the distribution has."""
    if not isinstance(length, IntDistribution):
        return at(length, place_of(length, T_0))
    steps = round((min(max(T_0, length.low), length.high) - length.low) / length.step)
    return length.low + steps * length.step
