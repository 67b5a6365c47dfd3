"""`WarmRestarts`: cosine annealing with warm restarts as one immutable value that maps steps to rates.

The rate at `position` of a cycle of `length` that starts from `peak` is

    eta_min + (peak - eta_min) / 2 * (1 + cos(pi * position / length))

Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", arXiv:1608.03983, eq. 5.
It is evaluated as ``eta_min + (peak - eta_min) * sin(pi/2 * (length - position) / length)**2``, the same
function, which keeps its relative precision down to the trough.

JAX is imported when a JAX array is met, not before.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Self, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from sgdr import checks
from sgdr.checks import bad_step, checked_step, checked_steps, is_array, is_jax
from sgdr.cycles import Cycle, Cycles, FloatArray, Number, cycles_of
from sgdr.errors import bad_field
from sgdr.pytrees import register_pytree

if TYPE_CHECKING:
    import jax

Field: TypeAlias = Any  # a Python number; an array where a schedule is traced, or stands for a batch of them

_HALF_PI = math.pi / 2
CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "base_lr": checks.peak_rate,
    "T_0": checks.positive,
    "T_mult": checks.at_least_one,
    "eta_min": checks.lowest_rate,
    "peak_decay": checks.decay,
    "cycles": checks.whole_count_or_none,
}
"""The check of every field, by name."""
FIELDS = ("base_lr", "T_0", "T_mult", "eta_min")
"""The fields that every schedule has; the others are options."""


@dataclass(frozen=True)
class WarmRestarts:
    """A learning-rate schedule: ``schedule(step)`` is the rate at that step, 0 being the first.

    At T_cur of a cycle that lasts T_i it is eta_min + (peak - eta_min) (1 + cos(pi T_cur / T_i)) / 2:
    Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5.

    A step is an int or a float >= 0 (or a NumPy scalar), and the rate is then a Python float; a NumPy array
    gives a float64 array, and a JAX array a JAX array of the same shape, in the type of `base_lr` where that
    is a JAX float array and in JAX's default float type otherwise. It is an `optax.Schedule` as it stands.

    Fields:
        base_lr: the peak, > 0; the rate at step 0 and at every restart.
        T_0: length of the first cycle, > 0, in any unit: the one that the schedule is called with.
        T_mult: each cycle lasts this many times as long as the one before, >= 1.
        eta_min: the lowest rate, 0 <= eta_min <= base_lr.
        peak_decay: each restart's peak is the one before times this, in (0, 1], but never below eta_min.
        cycles: after so many cycles the rate stays at eta_min; None for restarts without end.

    Whole T_0 and T_mult are exact at every boundary. Others mean their exact binary value, boundaries are
    then real numbers, and a step belongs to the cycle that contains it: exactly in Python and NumPy, and in
    JAX except within 1e-6 relative of a boundary.

    A schedule is a JAX pytree of its fields. Inside `jit`, `vmap`, `scan` and `grad` they may be traced, and
    fields that are arrays, which are not checked, make a batch of schedules; both are evaluated by JAX,
    whatever the type of the step. JAX cannot refuse a step by its value: there one below 0 counts as 0, one
    above 2**31 - 1 (2**63 - 1 for 64-bit steps) counts as that, and NaN gives NaN. The rate may be
    differentiated in base_lr, eta_min, peak_decay and fractional steps; T_0 and T_mult count as constants.

    >>> schedule = WarmRestarts(base_lr=0.1, T_0=10, T_mult=2, eta_min=0.001)
    >>> [round(schedule(step), 4) for step in (0, 5, 9, 10, 20)]
    [0.1, 0.0505, 0.0034, 0.1, 0.0505]
    >>> schedule.restarts(until=100), schedule.troughs(budget=150)
    ([10, 30, 70], [10, 30, 70, 150])

    Raises:
        ValueError: from the constructor for a bad field; from a call for a step that is negative, not finite
            or not a number (a list is refused too: make it an array).
    """

    base_lr: Field
    T_0: Field
    T_mult: Field = 1
    eta_min: Field = 0.0
    peak_decay: Field = 1.0
    cycles: Field = None

    def __post_init__(self) -> None:
        for name, check in CHECKS.items():
            value = checks.unboxed(getattr(self, name))
            object.__setattr__(self, name, value if is_array(value) else check(name, value))
        checks.below_peak(self.eta_min, self.base_lr)

    @overload
    def __call__(self, step: float) -> float: ...
    @overload
    def __call__(self, step: np.number[Any]) -> float: ...
    @overload
    def __call__(self, step: NDArray[Any]) -> FloatArray: ...
    @overload
    def __call__(self, step: "jax.Array") -> "jax.Array": ...

    def __call__(self, step: Any) -> Any:
        cycles = self._host_cycles
        if cycles is not None:
            if type(step) is int or type(step) is float:
                return self._rate(cycles, step)
            if not is_jax(step):
                if isinstance(step, np.ndarray):
                    return self._rates(cycles, step)
                return self._rate(cycles, checked_step(step))
        from sgdr.cycles_jax import rate

        return rate(step, self.base_lr, self.T_0, self.T_mult, self.eta_min, self.peak_decay, self.cycles)

    def cycle(self, step: Number) -> Cycle:
        """The cycle that `step` belongs to: its index from 0, start, length, and the position in it.

        All in the unit of the steps, and exact for whole numbers. At the end of the last of a limited number
        of `cycles` and afterwards it is that last cycle, with position = length.

        >>> WarmRestarts(0.1, T_0=10, T_mult=2).cycle(37)
        Cycle(index=2, start=30, length=40, position=7)

        Raises ValueError for a bad step, and where the fields are arrays.
        """
        step = checked_step(step)
        index, start, length, position = self._concrete_cycles.locate(step)
        if self.cycles is None or index < self.cycles:
            if position >= length:  # by rounding alone: the step lies before the end of its cycle
                position = math.nextafter(length, 0)
            return Cycle(index, start, length, max(position, 0))
        last = self.cycles - 1
        begin, end = (_boundary(self.T_0, self.T_mult, i) for i in (last, self.cycles))
        length = _number(end - begin)
        return Cycle(last, _number(begin), length, length)

    def restarts(self, until: Number) -> list[int]:
        """The steps < `until` at which the rate is back at its peak, in order; step 0 is not one of them.

        Where a boundary is not whole, the first whole step after it. Short cycles may share one.
        Raises ValueError for a bad `until`, and where the fields are arrays.
        """
        until = checked_step(until, "until")
        last = None if self.cycles is None else self.cycles - 1
        starts = islice(self._concrete_cycles.first_steps(), last)
        return _distinct(takewhile(lambda step: step < until, starts))

    def troughs(self, budget: Number) -> list[int]:
        """The ends of cycles <= `budget`, in order: how many steps are done when a cycle is complete.

        Where a boundary is not whole, the first whole step after it.
        Raises ValueError for a bad `budget`, and where the fields are arrays.
        """
        budget = checked_step(budget, "budget")
        ends = islice(self._concrete_cycles.first_steps(), self.cycles)
        return _distinct(takewhile(lambda step: step <= budget, ends))

    def scaled(self, steps_per_epoch: Field) -> Self:
        """The same schedule with T_0 times `steps_per_epoch`: from T_0 in epochs to T_0 in steps.

        Raises ValueError where `steps_per_epoch` is not a finite number > 0.
        """
        return replace(self, T_0=self.T_0 * checks.factor("steps_per_epoch", steps_per_epoch))

    @classmethod
    def closing(
        cls,
        budget: int,
        cycles: int,
        T_mult: Number = 1,
        *,
        base_lr: float,
        eta_min: float = 0.0,
        peak_decay: float = 1.0,
    ) -> Self:
        """The schedule with the longest whole T_0 for which `cycles` cycles fit into `budget`.

        T_0 = budget // S, with S the sum of T_mult**i for i < cycles; its trough number `cycles`, at T_0 * S,
        is the end of the budget, or less than S before it. Restarts go on afterwards.

        >>> WarmRestarts.closing(budget=150, cycles=4, T_mult=2, base_lr=0.1).T_0
        10

        Raises ValueError for a bad argument, and where `budget` is smaller than S.
        """
        budget, cycles = checks.whole_count("budget", budget), checks.whole_count("cycles", cycles)
        T_mult = checks.at_least_one("T_mult", T_mult)
        total = _boundary(1, T_mult, cycles)
        if budget < total:
            least = f"must be at least {math.ceil(total)} for cycles={cycles} with T_mult={T_mult!r}"
            raise bad_field("budget", budget, least, "raise budget or lower cycles")
        return cls(base_lr, int(budget // total), T_mult, eta_min, peak_decay)

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON; peak_decay and cycles only where they have an effect."""
        options = {"peak_decay": 1.0, "cycles": None}
        values = {name: getattr(self, name) for name in CHECKS}
        return {k: v for k, v in values.items() if k not in options or is_array(v) or v != options[k]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The schedule with these fields. Raises ValueError for a missing or unknown name, or a bad value."""
        lacking = {field.name for field in fields(cls) if field.default is MISSING} - set(values)
        for problem, names in (("lack", lacking), ("have an unknown", set(values) - set(CHECKS))):
            if names:
                raise ValueError(
                    f"the fields of a schedule {problem} {', '.join(sorted(map(str, names)))}, "
                    f"got {sorted(map(str, values))}; give {', '.join(CHECKS)}"
                )
        return cls(**values)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in CHECKS}

    @cached_property
    def _host_cycles(self) -> Cycles | None:
        """The arithmetic of the cycles where all fields are Python numbers, else None."""
        if any(is_array(getattr(self, name)) for name in CHECKS):
            return None
        return cycles_of(self.T_0, self.T_mult)

    @property
    def _concrete_cycles(self) -> Cycles:
        if self._host_cycles is None:
            raise ValueError(
                f"fields must be numbers to list cycles, got {type(self.T_0).__name__} T_0 and others; "
                "ask one schedule, outside of jit and vmap"
            )
        return self._host_cycles

    def _rate(self, cycles: Cycles, step: Number) -> float:
        if not 0 <= step < math.inf:
            raise bad_step("step", step)
        index, weight = left_at(cycles, step, self.cycles)
        eta_min: float = self.eta_min
        peak: float = self.base_lr
        if self.peak_decay != 1.0:
            peak = max(eta_min, peak * power(self.peak_decay, index))
        # From the nearer end: exact at both, and never outside of them.
        if weight > 0.5:
            return peak - (peak - eta_min) * (1.0 - weight)
        return eta_min + (peak - eta_min) * weight

    def _rates(self, cycles: Cycles, steps: NDArray[Any]) -> FloatArray:
        index, remaining = cycles.locate_array(checked_steps(steps).ravel())
        peak: Any = self.base_lr
        if self.peak_decay != 1.0:
            # Python's power, once for each cycle: NumPy's may differ from it in the last bit.
            present, place = np.unique(index, return_inverse=True)
            powers = np.array([power(self.peak_decay, i) for i in present.tolist()], np.float64)
            peak = np.maximum(self.eta_min, self.base_lr * powers[place])
        weight = np.sin(_HALF_PI * remaining) ** 2
        extent = peak - self.eta_min
        rates = np.where(weight > 0.5, peak - extent * (1.0 - weight), self.eta_min + extent * weight)
        if self.cycles is not None:
            rates = np.where(index >= self.cycles, self.eta_min, rates)
        shaped: FloatArray = rates.reshape(steps.shape)
        return shaped


def left_at(cycles: Cycles, step: Number, limit: int | None) -> tuple[int, float]:
    """Index of the cycle of a step, and the share that is left there of its peak above eta_min (eq. 5).

    After `limit` cycles nothing is left.
    """
    index, _, length, position = cycles.locate(step)
    if limit is not None and index >= limit:
        return index, 0.0
    return index, math.sin(_HALF_PI * ((length - position) / length)) ** 2


def power(decay: float, index: int) -> float:
    """decay**index for decay < 1; beyond 2**64 it is 0, and an index may be too large for a float."""
    return decay ** min(index, 2**64)


def _boundary(T_0: Number, T_mult: Number, index: int) -> Fraction:
    factor = Fraction(T_mult)
    return Fraction(T_0) * (index if factor == 1 else (factor**index - 1) / (factor - 1))


def _number(value: Fraction) -> Number:
    return value.numerator if value.denominator == 1 else float(value)


def _distinct(steps: Iterator[int]) -> list[int]:
    return list(dict.fromkeys(steps))


register_pytree(WarmRestarts, tuple(CHECKS))
