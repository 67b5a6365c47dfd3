"""How a training in epochs asks for its rates: at every optimizer update, or once an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sgdr import checks

Interval: TypeAlias = Literal["step", "epoch"]
INTERVALS: tuple[Interval, ...] = ("step", "epoch")


@dataclass(frozen=True)
class Stepping:
    """What turns a schedule in epochs into the rates of optimizer updates."""

    steps_per_epoch: int | None = None
    """Optimizer updates in an epoch; None where that is not known."""
    interval: Interval = "step"
    """"step": every update has its own rate, ``schedule(epoch + step / steps_per_epoch)``; "epoch": all the
    updates of an epoch have the same, ``schedule(epoch)``."""

    def with_given(self, steps_per_epoch: int | None, interval: Interval | None) -> Stepping:
        """The same with what is given, as far as it is not None."""
        return Stepping(steps_per_epoch or self.steps_per_epoch, interval or self.interval)

    def rate(self, schedule: Any, step: Any) -> Any:
        """The rate of an update, counted from 0 over the whole training; of an epoch where an epoch has no
        known number of updates."""
        if self.steps_per_epoch is None:
            return schedule(step)
        if self.interval == "epoch":
            return schedule(step // self.steps_per_epoch)
        return schedule.scaled(self.steps_per_epoch)(step)


def checked_interval(interval: Any) -> Interval | None:
    """The interval, or None. Raises ValueError for anything else."""
    if interval is None:
        return None
    for known in INTERVALS:
        if isinstance(interval, str) and interval == known:
            return known
    raise ValueError(
        f"interval must be 'step' or 'epoch', got {interval!r}; give 'step' where the rate changes at every "
        "optimizer update, 'epoch' where it changes once an epoch"
    )


def checked_steps_per_epoch(steps_per_epoch: Any) -> int | None:
    """The whole number of updates, or None. Raises ValueError for anything else."""
    return None if steps_per_epoch is None else checks.whole_count("steps_per_epoch", steps_per_epoch)
