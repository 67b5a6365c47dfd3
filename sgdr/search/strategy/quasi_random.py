"""Points spread evenly over a space: better beginnings than random ones, which leave gaps and clusters.

M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018: the fractional parts of multiples
of powers of the generalised golden ratio.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sgdr.search.problem.seeds import space_shift


def spread(
    distributions: Mapping[str, BaseDistribution], index: int, seed: int, finest: str | None = None
) -> dict[str, Any]:
    """The values of point `index`, counted from 0, of the sequence that `seed` shifts.

    Logarithmic scales are spread in the logarithm. The values of `finest` lie as evenly as if they were the
    only ones. Raises TypeError for a distribution that is not Optuna's.
    """
    others = [name for name in distributions if name != finest]
    ratio = _golden(len(others))
    steps = {name: ratio**-place for place, name in enumerate(others, 1)}
    if finest is not None:
        steps[finest] = _golden(1) ** -1
    places = (
        space_shift(seed, len(distributions)) + index * np.array([steps[name] for name in distributions])
    ) % 1
    return {
        name: at(distribution, float(place))
        for (name, distribution), place in zip(distributions.items(), places, strict=True)
    }


def _golden(dimensions: int) -> float:
    """The positive root of x^(d + 1) = x + 1, the golden ratio for one dimension."""
    x = 1.5
    for _ in range(64):
        x = (1 + x) ** (1 / (dimensions + 1))
    return x


def at(distribution: BaseDistribution, place: float) -> Any:
    """The value at `place`, from 0 to 1, of the way through a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(place * len(distribution.choices))]
    if isinstance(distribution, IntDistribution):
        half = distribution.step / 2  # so that the ends get as much room as what lies between
        value = _between(distribution.low - half, distribution.high + half, place, distribution.log)
        steps = round((value - distribution.low) / distribution.step)
        return min(max(distribution.low + steps * distribution.step, distribution.low), distribution.high)
    if isinstance(distribution, FloatDistribution):
        low, high = distribution.low, distribution.high
        if distribution.step is None:
            value = _between(low, high, place, distribution.log)
        else:
            value = low + int(place * (round((high - low) / distribution.step) + 1)) * distribution.step
        return min(max(value, low), high)
    raise TypeError(f"{distribution!r} is no distribution of Optuna's")


def _between(low: float, high: float, place: float, log: bool) -> float:
    """The point at `place` of the way from `low` to `high`."""
    if log:
        return math.exp(_between(math.log(low), math.log(high), place, False))
    return low * (1 - place) + high * place
