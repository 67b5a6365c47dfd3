"""A workload's own values as its arrays hold them: whole ones in int32, all others in float32.

A function is given them as they are. Arrays of the device are not as wide as Python's numbers: what does not
fit is refused before anything is trained, where it would silently become another number.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdr import checks
from sgdr.errors import ArgumentError
from sgdr.search.problem.space import distribution

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

WHOLE, REAL = np.dtype(np.int32), np.dtype(np.float32)
LARGEST, SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
"""The largest number of float32, and its smallest normal one; what is smaller, devices take for 0."""
NUMBERS_ONLY = ("must be a number", "the engine takes numbers only")
TOO_WIDE = "does not fit into float32, in which it reaches update()"


def dtypes(
    workload: Any, names: Collection[str] | Mapping[str, BaseDistribution]
) -> dict[str, np.dtype[Any]]:
    """The type in which each of these values reaches `update`.

    int32 where the workload declares whole numbers, and the search, where `names` says what it draws from,
    keeps to them; else float32. `workload` may be its declaration.
    """
    declared = getattr(workload, "hparams", None) or {}
    known = {name: distribution(name, declared[name]) for name in names if name in declared}
    drawn = known
    if isinstance(names, Mapping):
        drawn = {name: distribution(name, form) for name, form in names.items()}
    return {
        name: WHOLE
        if all(name in domains and _is_whole(domains[name]) for domains in (known, drawn))
        else REAL
        for name in names
    }


def fixed(name: str, value: Any) -> BaseDistribution:
    """What that value alone is drawn from. Raises ValueError for what is no number."""
    from optuna.distributions import CategoricalDistribution

    if not isinstance(value, bool) and checks.number(value) is None:
        raise _bad(name, value, *NUMBERS_ONLY)
    return CategoricalDistribution([value])


def examples(types: Mapping[str, np.dtype[Any]]) -> dict[str, int | float]:
    """A number of each type by name, as a workload is traced with."""
    return {name: 0 if dtype == WHOLE else 0.0 for name, dtype in types.items()}


def check(workload: Any, drawn: Mapping[str, BaseDistribution]) -> None:
    """Raises ValueError where a value may be drawn that the arrays of the workload do not hold."""
    types = dtypes(workload, drawn)
    for name, domain in drawn.items():
        choices = getattr(domain, "choices", ())
        if any(isinstance(choice, str) or choice is None for choice in choices):
            reason, fix = f"has choices {choices!r}", NUMBERS_ONLY[1]
            message = f"hparams {name!r} {reason}; {fix}"
            raise ArgumentError(name, choices, reason, fix, within="hparams", message=message)
        for value in choices or _ends(domain):
            fitted(name, value, types[name])


def fitted(name: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """The value in that type. Raises ValueError where it would become another number."""
    number = float(value) if isinstance(value, bool | np.bool_) and dtype == REAL else checks.number(value)
    if number is None:
        raise _bad(name, value, *NUMBERS_ONLY)
    if dtype == WHOLE:
        if not (-(2**31) <= number < 2**31 and number == int(number)):
            raise _bad(
                name,
                value,
                "does not fit into int32, in which whole values reach update()",
                "keep to whole numbers within 2^31, or declare it with floats",
            )
        return dtype.type(int(number))
    if number == 0 or (isinstance(number, float) and not math.isfinite(number)):
        return dtype.type(number)
    if not SMALLEST <= abs(number) <= LARGEST:
        raise _bad(name, value, TOO_WIDE, f"keep its size within {SMALLEST:.3g} to {LARGEST:.3g}")
    if isinstance(number, int) and int(np.float32(number)) != number:
        fix = "declare and search it with whole numbers alone, which are int32 there"
        raise _bad(name, value, TOO_WIDE, fix)
    return dtype.type(number)


def _bad(name: str, value: Any, reason: str, fix: str) -> ArgumentError:
    message = f"hparams {name!r}: {value!r} {reason}; {fix}"
    return ArgumentError(name, value, reason, fix, within="hparams", message=message)


def _ends(domain: Any) -> list[float]:
    """Values of a range that fit where all of them do: float32 skips whole numbers beside its ends first."""
    step = domain.step if _is_whole(domain) else 0
    return [domain.low, domain.high, min(domain.low + step, domain.high), max(domain.high - step, domain.low)]


def _is_whole(domain: BaseDistribution) -> bool:
    """Whether only whole numbers are drawn; truth values are none."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(domain, CategoricalDistribution):
        return all(type(choice) is int for choice in domain.choices)
    return isinstance(domain, IntDistribution)
