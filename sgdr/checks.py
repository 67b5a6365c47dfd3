"""What a schedule accepts: fields and steps as Python numbers, or one line that says what to give."""

import math
import reprlib
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdr.cycles import Number, StepArray
from sgdr.errors import ArgumentError, bad_field

_LARGEST = 1e200  # leaves room for the lengths of cycles within the range of a float


def is_jax(value: Any) -> bool:
    """Whether `value` is a JAX array or tracer; does not import JAX, without which there is none."""
    return isinstance(value, getattr(sys.modules.get("jax"), "Array", ()))


def is_array(value: Any) -> bool:
    """Whether `value` is a NumPy array, or a JAX array or tracer."""
    return isinstance(value, np.ndarray) or is_jax(value)


def plain(value: Any) -> Any:
    """The value with Python's numbers in the place of NumPy's, also in tuples, lists and arrays.

    An array without dimensions is the number in it, any other a list. What JAX holds stays as it is.
    """
    if isinstance(value, np.floating):
        return float(value)  # also of more bits than Python's, which have no item of their own
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list) and type(value) in (tuple, list):
        return type(value)(map(plain, value))
    return value


def unboxed(value: Any) -> Any:
    """The number in a NumPy array without dimensions, also within a tuple or a list; all else as it is."""
    if isinstance(value, np.ndarray) and not value.ndim:
        return plain(value)
    if isinstance(value, tuple | list) and type(value) in (tuple, list):
        return type(value)(map(unboxed, value))
    return value


def number(value: Any) -> Number | None:
    """A Python number, or one of NumPy's, as a Python number; None for all else, truth values among them."""
    value = plain(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def checked_step(step: Any, name: str = "step") -> Number:
    """`step` as a Python number. Raises ValueError where it is not a finite number >= 0."""
    known = number(step)
    if known is None or not 0 <= known < math.inf:
        raise bad_step(name, step)
    return known


def checked_steps(steps: NDArray[Any]) -> StepArray:
    """`steps` as int64 or float64. Raises ValueError where one is negative, not finite, or too large."""
    if steps.dtype.kind not in "iuf":
        raise bad_step("step", steps.dtype)
    if steps.size and not (steps.min() >= 0 and steps.max() < math.inf):
        raise bad_step("step", steps[~((steps >= 0) & (steps < math.inf))][0].item())
    if steps.dtype.kind == "f":
        return steps.astype(np.float64)
    if steps.size and steps.max() > np.iinfo(np.int64).max:
        most = steps.max().item()
        raise bad_field("step", most, "must be below 2**63 in an array", "call with a Python int")
    return steps.astype(np.int64)


def bad_step(name: str, value: Any) -> ArgumentError:
    fix = "give an int, a float or an array of them" if name == "step" else "count from step 0"
    return bad_field(name, value, "must be a finite number >= 0", fix, shown=_shown(value))


def _shown(value: Any) -> str:
    return " ".join(reprlib.repr(value).split())


def _check(name: str, value: Any, good: Callable[[Number], bool], wanted: str, fix: str) -> Any:
    known = number(value)
    if known is None or not good(known):
        raise bad_field(name, value, f"must be {wanted}", fix, shown=_shown(value))
    return known


def positive(name: str, value: Any) -> Any:
    fix = f"give a length, e.g. {name}=10"
    return _check(name, value, lambda x: 0 < x <= _LARGEST, "a number > 0 and at most 1e200", fix)


def factor(name: str, value: Any) -> Any:
    """What a length is multiplied by: a number > 0, or an array, which is not checked."""
    value = unboxed(value)
    return value if is_array(value) else positive(name, value)


def at_least_one(name: str, value: Any) -> Any:
    fix = f"use {name}=1 for cycles of equal length"
    return _check(name, value, lambda x: 1 <= x <= _LARGEST, "a number >= 1 and at most 1e200", fix)


def peak_rate(name: str, value: Any) -> float:
    fix = f"give the peak learning rate, e.g. {name}=0.1"
    return float(_check(name, value, lambda x: 0 < x <= _LARGEST, "a number > 0 and at most 1e200", fix))


def lowest_rate(name: str, value: Any) -> float:
    fix = f"use {name}=0.0 to anneal to zero"
    return float(_check(name, value, lambda x: 0 <= x <= _LARGEST, "a number >= 0 and at most base_lr", fix))


def decay(name: str, value: Any) -> float:
    fix = f"use {name}=1.0 for equal peaks"
    return float(_check(name, value, lambda x: 0 < x <= 1, "a number > 0 and at most 1", fix))


def below_peak(eta_min: Any, base_lr: Any) -> None:
    """Raise ValueError where the lowest rate exceeds the peak; arrays are not looked at."""
    if not is_array(base_lr) and not is_array(eta_min) and eta_min > base_lr:
        raise bad_field("eta_min", eta_min, f"must not exceed base_lr={base_lr!r}", "lower eta_min")


def norm(name: str, value: Any) -> Any:
    return _check(name, value, lambda x: x > 0, "a number > 0", f"use {name}=None for none")


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise bad_field(name, value, "must be a mapping", "give a dict", shown=_shown(value))
    return value


def whole_count(name: str, value: Any) -> Any:
    return _check(name, value, _is_count, "an int >= 1", f"give e.g. {name}=4")


def whole_count_or_none(name: str, value: Any) -> Any:
    fix = f"use {name}=None for restarts without end"
    return None if value is None else _check(name, value, _is_count, "an int >= 1 or None", fix)


def _is_count(value: Number) -> bool:
    return isinstance(value, int) and value >= 1


def share(name: str, value: Any) -> float:
    number = positive(name, value)
    if number >= 1:
        raise bad_field(name, value, "must be a share > 0 and < 1", f"give e.g. {name}=0.3")
    return float(number)


def one_of(name: str, value: Any, known: tuple[str, ...]) -> Any:
    if value not in known:
        raise bad_field(name, value, f"must be one of {', '.join(known)}", f"give {name}={known[0]!r}")
    return value


def rising(name: str, value: Any) -> tuple[Number, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise bad_field(name, value, "must be steps in rising order", f"give e.g. {name}=(30, 60)")
    steps = tuple(positive(name, step) for step in value)
    if any(a >= b for a, b in pairwise(steps)):
        raise bad_field(name, steps, "must be steps in rising order", "sort them, each once")
    return steps


def callables(name: str, value: Any) -> tuple[Any, ...]:
    schedules = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else ()
    if not schedules or not all(map(callable, schedules)):
        raise bad_field(name, value, "must be callables from step to rate", "give at least one")
    return schedules
