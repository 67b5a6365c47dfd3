"""Schedules of any kind in the compiled program, which looks their rates up: the host works them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sgdr.search.backend.slots import LONGEST_CALL
from sgdr.search.problem.types import Schedule

if TYPE_CHECKING:
    from jaxtyping import Float32, Int32

LARGEST = float(np.finfo(np.float32).max)


class RateTable(NamedTuple):
    """The rates of K slots for one call, in place of schedules: a pytree, and a callable, as they are."""

    first: Int32[Any, " slots"]
    """The step of the first rate."""
    rates: Float32[Any, "slots steps"]
    """The rates from `first` on, for the steps of the longest call."""

    def __call__(self, step: Int32[Any, ""]) -> Float32[Any, ""]:
        """The rate of one slot at that step of its trial, one of those of the call."""
        return self.rates[step - self.first]


class Schedules:
    """What each of K slots follows, and the table of the next call."""

    def __init__(self, slots: int, steps_per_epoch: int) -> None:
        self._steps_per_epoch = steps_per_epoch
        self._rates = [np.zeros(0, np.float32)] * slots

    def fill(self, slot: int, schedule: Schedule, budget: int) -> None:
        """Gives `slot` another schedule. Raises as `rates`."""
        self._rates[slot] = rates(schedule, budget, self._steps_per_epoch)

    def table(self, epoch: Int32[np.ndarray, " slots"], epochs: int) -> RateTable:
        """The rates of so many epochs after the completed ones, `epoch`; 0 beyond a slot's budget."""
        first = epoch * np.int32(self._steps_per_epoch)
        table = np.zeros((len(first), LONGEST_CALL * self._steps_per_epoch), np.float32)
        for row, begin, slot_rates in zip(table, first, self._rates, strict=True):
            part = slot_rates[begin : begin + epochs * self._steps_per_epoch]
            row[: len(part)] = part
        return RateTable(first, table)


def rates(schedule: Schedule, budget: int, steps_per_epoch: int) -> Float32[np.ndarray, " steps"]:
    """The rates of all steps of a budget in epochs, worked out in float64.

    `schedule` is in epochs: it is scaled to steps, or called with fractions of epochs where it has no
    `scaled`. Raises ValueError where it gives anything but a number that float32 holds for each step.
    """
    steps = np.arange(budget * steps_per_epoch)
    try:
        if hasattr(schedule, "scaled"):
            values = np.asarray(schedule.scaled(steps_per_epoch)(steps))
        else:
            values = np.asarray(schedule(steps / steps_per_epoch))
    except Exception as error:
        raise ValueError(
            f"schedule={schedule} fails for a NumPy array of steps ({type(error).__name__}: {error}); "
            "make it one of arrays, e.g. by jax.vmap"
        ) from error
    if values.dtype.kind not in "iuf" or values.shape not in ((), steps.shape):
        raise ValueError(
            f"schedule={schedule} must give a rate for each of {len(steps)} steps, got "
            f"{values.dtype}{list(values.shape)}; return an array of their shape"
        )
    values = np.broadcast_to(values, steps.shape)
    good = np.abs(values) <= LARGEST
    if not good.all():
        at = int(np.argmin(good))
        raise ValueError(
            f"schedule={schedule} must give numbers of float32, got {values[at]} at step {at}; "
            "keep its rates finite"
        )
    return values.astype(np.float32)
