"""The schedules that are compared, and what is true of them, by exact fractions.

Nothing of `sgdr` has a part in it: our schedule is judged like the others.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from itertools import count, takewhile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PEAK = 0.1
"""The floor is 0: then a rate is half of 1 + cos, times the peak."""
TOLERANCE = 1e-6
"""The largest difference that still counts as right, as a share of the peak."""

SPREAD = 20
"""Steps of a cycle."""

Steps = NDArray[np.int64]
Rates = NDArray[np.float64]


class Fields(NamedTuple):
    """What schedules are told apart by."""

    T_0: int
    T_mult: int


class Setting:
    """A schedule, over its first cycles or as many steps as are looked at."""

    def __init__(self, fields: Fields, cycles: int, most_steps: int) -> None:
        self.fields = fields
        self.length = min(int(self.start(cycles)), most_steps)

    def start(self, cycle: int) -> Fraction:
        """The step at which that cycle begins."""
        T_0, T_mult = map(Fraction, self.fields)
        return T_0 * cycle if T_mult == 1 else T_0 * (T_mult**cycle - 1) / (T_mult - 1)

    @cached_property
    def starts(self) -> Steps:
        """The first steps of all cycles that are looked at, and of two after them."""
        begun = sum(1 for _ in takewhile(lambda start: start < self.length, map(self.start, count())))
        return np.array([int(self.start(cycle)) for cycle in range(begun + 2)])

    @property
    def boundaries(self) -> Steps:
        """The steps before, at and after every restart."""
        around = (self.starts[1:, None] + np.array([-1, 0, 1])).ravel()
        return np.unique(around[around < self.length])

    @property
    def spread(self) -> Steps:
        """Steps spread over every cycle."""
        shares = np.arange(SPREAD) / SPREAD
        chosen = self.starts[:-1, None] + (np.diff(self.starts)[:, None] * shares).astype(np.int64)
        return np.unique(chosen[chosen < self.length])

    def position(self, steps: Steps, later: int = 0) -> tuple[Steps, Steps]:
        """How many steps after the start of their cycle, and its length; or of the cycle so much later."""
        index = np.searchsorted(self.starts, steps, side="right") - 1 + later
        index = np.clip(index, 0, len(self.starts) - 2)
        return steps - self.starts[index], np.diff(self.starts)[index]

    def rates(self, steps: Steps) -> Rates:
        """The true ones, to 1e-16."""
        position, length = self.position(steps)
        return half_cosine(position / length)

    @property
    def steps(self) -> Steps:
        """All that are looked at."""
        return np.arange(self.length)


def half_cosine(share: Rates) -> Rates:
    """The rate when that share of a cycle is over."""
    return np.asarray(PEAK * (1 + np.cos(np.pi * share)) / 2)


def grid(T_0: range, T_mult: range, cycles: int, most_steps: int) -> list[Setting]:
    """The schedules of all these fields."""
    return [Setting(Fields(first, factor), cycles, most_steps) for factor in T_mult for first in T_0]
