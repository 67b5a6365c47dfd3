"""Searched values as the model sees them: where in its distribution each lies, from 0 to 1."""

from __future__ import annotations

import math
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution


def place_of(distribution: BaseDistribution, value: Any) -> float:
    """How far through a distribution a value lies, from 0 to 1.

    Values outside count as the nearest end. Raises TypeError for a distribution that is not Optuna's.
    """
    if isinstance(distribution, CategoricalDistribution):
        places = list(distribution.choices)
        return (places.index(value) + 0.5) / len(places)
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        raise TypeError(f"{distribution!r} is no distribution of Optuna's")
    low, high = float(distribution.low), float(distribution.high)
    number = min(max(float(value), low), high)
    if distribution.log:
        low, high, number = math.log(low), math.log(high), math.log(number)
    return 0.5 if low == high else (number - low) / (high - low)


def numbers(distribution: BaseDistribution, value: Any) -> list[float]:
    """A value as numbers from 0 to 1: one a choice where choices have no order, else its place.

    Of a value that a trial does not have (None), the place is the middle.
    """
    if isinstance(distribution, CategoricalDistribution):
        return [float(choice == value) for choice in distribution.choices]
    return [0.5 if value is None else place_of(distribution, value)]
