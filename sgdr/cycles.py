"""Exact cycle arithmetic on the host: which cycle a step belongs to, and where cycles begin.

Cycle i begins at ``T_0 * (T_mult**i - 1) / (T_mult - 1)`` (``i * T_0`` when T_mult is 1) and lasts
``T_0 * T_mult**i``: Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
arXiv:1608.03983, section 3. A float field means its exact binary value, so that every boundary is one
definite rational number, and a step is compared with that number, not with a rounded one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jaxtyping import Shaped

Number: TypeAlias = int | float
Located: TypeAlias = tuple[int, Number, Number, Number]
FloatArray: TypeAlias = NDArray[np.float64]
StepArray: TypeAlias = NDArray[np.float64] | NDArray[np.int64]
IndexArray: TypeAlias = NDArray[np.int64]

CYCLES_IN_FLOATS = 2**20
"""So many growing cycles are counted by logarithms, to 1e-9 of one; beyond, each step is worked out alone."""

_INT64_MAX = 2**63 - 1
_WHOLE_FLOATS = 2**53  # every integer up to here is a float
_TABLE_ENTRIES = 1024  # bounds the table of a T_mult near 1

# With 100 digits a boundary is known to better than 1e-60 of itself, for every float T_mult > 1.
_DIGITS = Context(prec=100, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX)
_TIE = Decimal("1e-60")


@dataclass(frozen=True, slots=True)
class Cycle:
    """The cycle that a step belongs to; `start`, `length` and `position` are in the unit of the steps."""

    index: int
    """The number of the cycle, from 0."""
    start: Number
    length: Number
    position: Number
    """The steps since the start of the cycle; negative during a warm-up."""

    def to_dict(self) -> dict[str, Number]:
        """The fields by name, ready for JSON."""
        return {"index": self.index, "start": self.start, "length": self.length, "position": self.position}


class Cycles(ABC):
    """The cycles of a schedule whose T_0 and T_mult are Python numbers; made by `cycles_of`."""

    @abstractmethod
    def locate(self, step: Number) -> Located:
        """(index, start, length, position) of the cycle that contains the finite `step` >= 0.

        All are ints where the fields and the step are whole; floats are the nearest to the exact value.
        """

    @abstractmethod
    def locate_array(
        self, steps: Shaped[StepArray, " steps"]
    ) -> tuple[Shaped[IndexArray, " steps"], Shaped[FloatArray, " steps"]]:
        """Index of the cycle of each step, and to 1e-9 the fraction of it still to go."""

    @abstractmethod
    def first_steps(self) -> Iterator[int]:
        """The first whole step at or after each boundary, for cycle 1, 2, 3, … without end."""

    def _locate_doubtful(
        self, steps: StepArray, doubtful: NDArray[np.bool_], index: IndexArray, remaining: FloatArray
    ) -> None:
        """Overwrite what floats could not decide by the exact answer, one step at a time."""
        for j in np.flatnonzero(doubtful):
            cycle, _, length, position = self.locate(steps[j].item())
            index[j] = min(cycle, _INT64_MAX)
            remaining[j] = (length - position) / length


@lru_cache(maxsize=128)
def cycles_of(T_0: Number, T_mult: Number) -> Cycles:
    """The cycles with these fields, which must be valid (T_0 > 0, T_mult >= 1, finite).

    They are kept: making a table takes longer than looking a step up, and few schedules are asked for often.
    """
    return EqualCycles(_exact(T_0)) if T_mult == 1 else GrowingCycles(_exact(T_0), _exact(T_mult))


class EqualCycles(Cycles):
    """T_mult = 1: every cycle lasts `T_0`."""

    def __init__(self, T_0: int | Fraction) -> None:
        self._exact_length = T_0
        self._length: Number = T_0 if isinstance(T_0, int) else float(T_0)
        self._whole = isinstance(T_0, int)
        self._is_float = self._length <= _WHOLE_FLOATS or float(self._length) == self._length

    def locate(self, step: Number) -> Located:
        length = self._length
        if self._whole and type(step) is int:
            index, position = divmod(step, length)
            return int(index), step - position, length, position
        if step < _WHOLE_FLOATS and self._is_float:
            # The remainder of two floats is exact; the quotient is while it leaves a few bits to spare.
            quotient, position = divmod(float(step), float(length))
            if quotient < 2**50:
                index = int(quotient)
                return index, index * length if self._whole else step - position, length, position
        exact_index, exact_position = divmod(Fraction(step), self._exact_length)
        start = exact_index * self._exact_length
        return exact_index, _nearest(start), length, _nearest(Fraction(exact_position))

    def locate_array(self, steps: StepArray) -> tuple[IndexArray, FloatArray]:
        if self._whole and steps.dtype == np.int64:
            if self._length > _INT64_MAX:
                remaining = (self._length - steps.astype(np.float64)) / self._length
                return np.zeros(steps.shape, np.int64), remaining
            index, position = np.divmod(steps, np.int64(self._length))
            return index.astype(np.int64), (self._length - position) / self._length
        length = float(self._length)
        with np.errstate(over="ignore", invalid="ignore"):
            quotient, place = np.divmod(steps.astype(np.float64), length)
        doubtful = (steps >= _WHOLE_FLOATS) | (quotient >= 2.0**50) | (not self._is_float)
        index = np.where(doubtful, 0.0, quotient).astype(np.int64)
        remaining = (length - place) / length
        self._locate_doubtful(steps, doubtful, index, remaining)
        return index, remaining

    def first_steps(self) -> Iterator[int]:
        return (math.ceil(i * self._exact_length) for i in count(1))


class GrowingCycles(Cycles):
    """T_mult > 1: a table of the first boundaries, and exact arithmetic beyond it.

    Row i of the table is cycle i: `keys[i]` is the least int (both fields whole) or float that is not
    before its start; the start itself is `starts[i] + lows[i]`, the second the rounding error of the first.
    """

    def __init__(self, T_0: int | Fraction, T_mult: int | Fraction) -> None:
        self._T_0, self._T_mult = T_0, T_mult
        self.whole = isinstance(T_0, int) and isinstance(T_mult, int)
        self.keys: list[Number] = []
        self.starts: list[Number] = []
        self.lows: list[Number] = []
        self.lengths: list[Number] = []
        self._fill_table()

    def _fill_table(self) -> None:
        limit = 2**64 if self.whole else _WHOLE_FLOATS
        for index, (start, length) in enumerate(self._boundaries()):
            if start >= limit or index == _TABLE_ENTRIES:
                self.end = start if self.whole else min(limit, math.floor(start))
                break
            if self.whole:
                self.keys.append(start)
                self.lengths.append(length)
                continue
            nearest = float(start)
            self.keys.append(
                nearest if self._reached(nearest, index, start) else math.nextafter(nearest, math.inf)
            )
            self.starts.append(nearest)
            self.lows.append(float(_DIGITS.subtract(start, Decimal(nearest))))
            self.lengths.append(float(length))
        if self.whole:
            self.starts, self.lows = self.keys, [0] * len(self.keys)

    def _boundaries(self) -> Iterator[tuple[Any, Any]]:
        """Start and length of each cycle from 0 on: exact ints, or decimals of 100 digits."""
        if self.whole:
            start: int | Fraction = 0
            length = self._T_0
            while True:
                yield start, length
                start, length = start + length, length * self._T_mult
        begin, extent, factor = Decimal(0), _decimal(self._T_0), _decimal(self._T_mult)
        while True:
            yield begin, extent
            begin, extent = _DIGITS.add(begin, extent), _DIGITS.multiply(extent, factor)

    def _reached(self, step: Number, index: int, start: Decimal) -> bool:
        """Whether `step` is at or after the exact start of cycle `index`, of which `start` has 60 digits."""
        gap = _DIGITS.subtract(Decimal(step), start)
        if abs(gap) > _DIGITS.multiply(start, _TIE):
            return gap > 0
        return step >= self._T_0 * (Fraction(self._T_mult) ** index - 1) / (self._T_mult - 1)

    def locate(self, step: Number) -> Located:
        if type(step) is float and step >= _WHOLE_FLOATS:
            step = int(step)
        if step < self.end:
            index = bisect_right(self.keys, step) - 1
            start = self.starts[index]
            return index, start, self.lengths[index], (step - start) - self.lows[index]
        return self._locate_far(step)

    def _locate_far(self, step: Number) -> Located:
        """`locate` beyond the table: estimate the index, then correct it with exact comparisons."""
        T_0, T_mult = _decimal(self._T_0), _decimal(self._T_mult)
        growth = _DIGITS.subtract(T_mult, Decimal(1))
        ratio = _DIGITS.divide(_DIGITS.multiply(Decimal(step), growth), T_0)
        logarithm = _DIGITS.ln(_DIGITS.add(ratio, Decimal(1)))
        index = int(_DIGITS.divide(logarithm, _DIGITS.ln(T_mult)))

        def boundary(i: int) -> tuple[Decimal, Decimal]:
            power = _DIGITS.power(T_mult, i)
            start = _DIGITS.divide(_DIGITS.multiply(T_0, _DIGITS.subtract(power, Decimal(1))), growth)
            return start, _DIGITS.multiply(T_0, power)

        while not self._reached(step, index, boundary(index)[0]):
            index -= 1
        while self._reached(step, index + 1, boundary(index + 1)[0]):
            index += 1
        if isinstance(self._T_0, int) and isinstance(self._T_mult, int):
            first = self._T_0 * (self._T_mult**index - 1) // (self._T_mult - 1)
            position = step - first
            return index, first, self._T_0 * self._T_mult**index, position
        start, length = boundary(index)
        place = max(Decimal(0), _DIGITS.subtract(Decimal(step), start))
        # Only a length can be too large for a float; ints then hold all three.
        as_number: type[int] | type[float] = int if length > Decimal("1e300") else float
        return index, as_number(start), as_number(length), as_number(place)

    def locate_array(self, steps: StepArray) -> tuple[IndexArray, FloatArray]:
        near = steps < min(self.end, _INT64_MAX) if steps.dtype == np.int64 else steps < float(self.end)
        if near.all():
            return self._locate_near(steps)
        index, remaining = np.empty(steps.shape, np.int64), np.empty(steps.shape)
        index[near], remaining[near] = self._locate_near(steps[near])
        index[~near], remaining[~near] = self._locate_far_array(steps[~near])
        return index, remaining

    def _locate_near(self, steps: StepArray) -> tuple[IndexArray, FloatArray]:
        if self.whole and steps.dtype == np.int64:
            index = np.searchsorted(self._int64_keys, steps, side="right") - 1
            position = (steps - self._int64_keys[index]).astype(np.float64)
        else:
            keys, starts, lows = self._float_columns
            values = steps.astype(np.float64)
            index = np.searchsorted(keys, values, side="right") - 1
            position = (values - starts[index]) - lows[index]
        length = self._float_lengths[index]
        return index, (length - position) / length

    @cached_property
    def _int64_keys(self) -> IndexArray:
        return np.array([key for key in self.keys if key <= _INT64_MAX], np.int64)

    @cached_property
    def _float_lengths(self) -> FloatArray:
        return np.array(self.lengths, np.float64)

    @cached_property
    def _float_columns(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """keys, starts and lows for float steps: an int above 2**53 leaves a rounding error of its own."""
        starts = np.array(self.starts, np.float64)
        lows = [
            low + start - int(near) if isinstance(start, int) else low
            for start, low, near in zip(self.starts, self.lows, starts, strict=True)
        ]
        keys = [
            near if near >= key else math.nextafter(near, math.inf)
            for key, near in zip(self.keys, map(float, self.keys), strict=True)
        ]
        return np.array(keys, np.float64), starts, np.array(lows, np.float64)

    def _locate_far_array(self, steps: StepArray) -> tuple[IndexArray, FloatArray]:
        """Beyond the table in floats, and one by one where their error bound straddles a boundary."""
        growth = float(self._T_mult - 1)
        log_T_mult = math.log1p(growth)
        with np.errstate(over="ignore", invalid="ignore"):
            cycle = np.log1p(steps.astype(np.float64) * (growth / float(self._T_0))) / log_T_mult
            doubtful = ~(np.abs(cycle - np.rint(cycle)) > 2.0**-47 * cycle) | (cycle > CYCLES_IN_FLOATS)
        whole = np.floor(np.where(doubtful, 0.0, cycle))
        index = whole.astype(np.int64)
        passed = np.expm1(np.where(doubtful, 0.0, cycle - whole) * log_T_mult) / growth
        remaining = 1.0 - passed
        self._locate_doubtful(steps, doubtful, index, remaining)
        return index, remaining

    def first_steps(self) -> Iterator[int]:
        for index, (start, _) in enumerate(self._boundaries()):
            if index == 0:
                continue
            if isinstance(start, int):
                yield start
            else:
                nearest = int(start.to_integral_value(rounding=ROUND_HALF_EVEN))
                yield nearest if self._reached(nearest, index, start) else nearest + 1


def _exact(field: Number) -> int | Fraction:
    value = Fraction(field)
    return value.numerator if value.denominator == 1 else value


def _decimal(value: int | Fraction) -> Decimal:
    """The exact value (a float's digits are finite, and may be many more than 100)."""
    return Decimal(value) if isinstance(value, int) else Decimal(float(value))


def _nearest(value: int | Fraction) -> Number:
    return int(value) if value.denominator == 1 else float(value)
