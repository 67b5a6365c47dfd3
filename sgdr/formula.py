"""Schedules by a formula: what a call takes, how fields are checked and scaled, and NumPy and JAX alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, ClassVar, Self

import numpy as np

from sgdr import checks
from sgdr.checks import checked_step, checked_steps, is_array, is_jax
from sgdr.cycles import Number
from sgdr.errors import bad_field
from sgdr.extras import needed_by
from sgdr.schedule import Field


class Formula:
    """A frozen dataclass that says its rates once, in what NumPy and JAX both have."""

    kind: ClassVar[str]
    lengths: ClassVar[tuple[str, ...]]
    """The fields that are scaled."""

    def __call__(self, step: Any) -> Any:
        """The rate at `step`. Raises ValueError for one that is negative, not finite or not a number."""
        if is_jax(step) or holds_array(self):
            with needed_by("a schedule whose fields are arrays"):
                import jax.numpy as jnp

            return self._rates(jnp, _jax_step(step))
        if isinstance(step, np.ndarray):
            return np.asarray(self._rates(np, checked_steps(step)), np.float64)
        return float(self._rates(np, checked_steps(np.asarray(checked_step(step)))))

    def scaled(self, steps_per_epoch: Field) -> Self:
        """The same schedule with every length times `steps_per_epoch`: from epochs to steps.

        Raises ValueError where `steps_per_epoch` is not a finite number > 0.
        """
        steps_per_epoch = checks.factor("steps_per_epoch", steps_per_epoch)
        changed = {name: _times(getattr(self, name), steps_per_epoch) for name in self.lengths}
        return type(self)(**{**vars(self), **changed})

    def restarts(self, until: Number) -> list[int]:
        """The steps < `until` at which the rate is back at its peak: none, where there are no restarts."""
        return []

    def troughs(self, budget: Number) -> list[int]:
        """The ends of cycles <= `budget`: none, where there are no cycles."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON, and the `kind` of schedule; `relatives.from_dict` reads it."""
        return {"kind": self.kind, **{name: _plain(value) for name, value in vars(self).items()}}

    def _check(self, **checks_by_name: Callable[[str, Any], Any]) -> None:
        for name, check in checks_by_name.items():
            value = checks.unboxed(getattr(self, name))
            object.__setattr__(self, name, value if holds_array(value) else check(name, value))

    def _rates(self, xp: Any, step: Any) -> Any:
        """The rates at checked steps, an array of `xp`."""
        raise NotImplementedError


def _jax_step(step: Any) -> Any:
    """The step as in `WarmRestarts`: JAX cannot refuse one by its value, and one below 0 counts as 0."""
    from sgdr.steps_jax import split

    whole, part = split(step)
    return whole if part is None else whole.astype(part.dtype) + part


def real(xp: Any, value: Any) -> Any:
    """The value as an array of floats: float64 in NumPy, and in JAX its default type."""
    return xp.asarray(value, np.float64 if xp is np else xp.asarray(0.0).dtype)


def since(xp: Any, step: Any, begin: Any) -> Any:
    """step - begin: exact where both are whole."""
    return step - begin if is_whole(step) and is_whole(begin) else real(xp, step) - real(xp, begin)


def is_whole(value: Any) -> bool:
    """Whether a number, or an array by its type, is of ints."""
    return bool(np.issubdtype(getattr(value, "dtype", type(value)), np.integer))


def holds_array(value: Any) -> bool:
    """Whether a field, or any in it, is an array: it is not checked then, and evaluated by JAX."""
    if isinstance(value, tuple):
        return any(map(holds_array, value))
    if is_dataclass(value):
        return any(map(holds_array, vars(value).values()))
    return is_array(value)


def _times(value: Any, factor: Field) -> Any:
    if isinstance(value, tuple):
        return tuple(_times(entry, factor) for entry in value)
    if not callable(value):
        return value * factor
    if not hasattr(value, "scaled"):
        raise bad_field("schedules", value, "must have scaled() for this", "give e.g. a WarmRestarts")
    return value.scaled(factor)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if not callable(value):
        return value
    if not hasattr(value, "to_dict"):
        raise bad_field("schedules", value, "must have to_dict() for this", "give e.g. a WarmRestarts")
    return value.to_dict()
