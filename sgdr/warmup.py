"""`Warmup`: a linear warm-up before any schedule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sgdr.checks import checked_step, checked_steps, factor, is_array, is_jax, number, unboxed
from sgdr.cycles import Cycle, Number
from sgdr.errors import bad_field
from sgdr.extras import needed_by
from sgdr.pytrees import is_plain_callable, register_pytree
from sgdr.schedule import Field


@dataclass(frozen=True)
class Warmup:
    """``Warmup(schedule, steps)``: a linear rise over `steps` steps, then `schedule` from its own step 0.

    The rate at step t is ``schedule(0) * t / steps`` for t < steps and ``schedule(t - steps)`` afterwards:
    it starts from 0, reaches the first rate of `schedule` at step `steps`, and every cycle keeps its length,
    `steps` steps later than without. Called as `schedule` is: Python, NumPy and JAX steps give rates of the
    same kind (here a JAX step, or traced fields, need a `schedule` that JAX can trace).

    `schedule` is a `WarmRestarts`, another `Warmup`, or any callable from step to rate, such as an
    `optax.Schedule`; `steps` a whole number >= 0, in the unit of the steps. It is a JAX pytree of both, in
    which a plain callable is part of the structure. Goyal et al. 2017, "Accurate, large minibatch SGD",
    arXiv:1706.02677, section 2.2 (gradual warmup).

    >>> from sgdr import WarmRestarts
    >>> warm = Warmup(WarmRestarts(base_lr=0.1, T_0=10), steps=4)
    >>> [warm(step) for step in (0, 1, 4)], warm.restarts(until=30)
    ([0.0, 0.025, 0.1], [14, 24])

    Raises:
        ValueError: from the constructor for a bad field; from a call for a bad step.
    """

    schedule: Callable[[Any], Any]
    steps: Field

    kind: ClassVar[str] = "warmup"

    def __post_init__(self) -> None:
        if not callable(self.schedule):
            raise bad_field("schedule", self.schedule, "must be callable", "give e.g. a WarmRestarts")
        if is_array(unboxed(self.steps)):
            return
        steps = number(self.steps)
        if not isinstance(steps, int) or steps < 0:
            raise bad_field("steps", self.steps, "must be an int >= 0", "use steps=0 for no warm-up")
        object.__setattr__(self, "steps", steps)

    def __call__(self, step: Any) -> Any:
        if is_jax(step) or is_array(self.steps):
            return self._rates_jax(step)
        if isinstance(step, np.ndarray):
            return self._rates(step)
        step = checked_step(step)
        if step < self.steps:
            return self.schedule(0) * (step / self.steps)
        return self.schedule(step - self.steps)

    @property
    def base_lr(self) -> Any:
        """The peak rate of `schedule`. Raises AttributeError where that does not name it."""
        return self.schedule.base_lr  # type: ignore[attr-defined]

    def cycle(self, step: Number) -> Cycle:
        """The cycle of `schedule` at `step`, with its start counted from the beginning of the warm-up.

        During the warm-up that is cycle 0 before its start: its position is negative.
        Raises ValueError for a bad step; needs a `schedule` with cycles.
        """
        step = checked_step(step)
        cycle: Cycle = self._own("cycle")(max(step - self.steps, 0))
        start = cycle.start + self.steps
        return replace(cycle, start=start, position=step - start if step < self.steps else cycle.position)

    def restarts(self, until: Number) -> list[int]:
        """The restarts of `schedule` < `until`, each `steps` steps later than without the warm-up.

        The end of the warm-up, where the rate is first at its peak, is not a restart.
        Raises ValueError for a bad `until`, and for a `schedule` that tells no restarts.
        """
        return self._shifted(self._own("restarts"), checked_step(until, "until"))

    def troughs(self, budget: Number) -> list[int]:
        """The ends of cycles of `schedule` <= `budget`, each `steps` steps later than without the warm-up.

        Raises ValueError for a bad `budget`, and for a `schedule` that tells no troughs.
        """
        return self._shifted(self._own("troughs"), checked_step(budget, "budget"))

    def scaled(self, steps_per_epoch: Field) -> "Warmup":
        """The same with every length, `steps` too, times the int `steps_per_epoch`: from epochs to steps.

        Raises ValueError for a `schedule` without `scaled`.
        """
        schedule = self._own("scaled")(steps_per_epoch)
        return Warmup(schedule, self.steps * factor("steps_per_epoch", steps_per_epoch))

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON, and the `kind`; `relatives.from_dict` reads it.

        Raises ValueError for a `schedule` without `to_dict`.
        """
        return {"kind": self.kind, "schedule": self._own("to_dict")(), "steps": self.steps}

    def _own(self, method: str) -> Callable[..., Any]:
        """The method of that name of the schedule. Raises ValueError where it has none."""
        if not hasattr(self.schedule, method):
            raise bad_field("schedule", self.schedule, f"must have {method}()", "wrap e.g. a WarmRestarts")
        return getattr(self.schedule, method)  # type: ignore[no-any-return]

    def _shifted(self, listed: Callable[[Number], list[int]], limit: Number) -> list[int]:
        return [step + self.steps for step in listed(limit - self.steps)] if limit >= self.steps else []

    def _rates(self, steps: NDArray[Any]) -> Any:
        steps = checked_steps(steps)
        if is_array(first := self.schedule(0)):  # fields that are arrays
            return self._rates_jax(steps)
        later = self.schedule(np.maximum(steps - self.steps, 0))
        return np.where(steps < self.steps, first * (steps / max(self.steps, 1)), later)

    def _rates_jax(self, step: Any) -> Any:
        with needed_by("a schedule whose rates are arrays"):
            import jax.numpy as jnp

        step = jnp.asarray(step)
        length = jnp.asarray(self.steps).astype(step.dtype)
        first = jnp.asarray(self.schedule(jnp.zeros_like(step)))
        later = self.schedule(jnp.maximum(step, length) - length)
        done = jnp.maximum(step, jnp.zeros_like(step)).astype(first.dtype)
        done = done / jnp.maximum(length, jnp.ones_like(length)).astype(first.dtype)
        return jnp.where(step < length, first * done, later)


def unwarmed(schedule: Any) -> tuple[Any, Any]:
    """The schedule inside of its warm-ups, and the steps of these together: 0 where it has none."""
    steps = 0
    while isinstance(schedule, Warmup):
        schedule, steps = schedule.schedule, steps + schedule.steps
    return schedule, steps


def unwarmed_fields(fields: Any) -> tuple[Any, int]:
    """The fields, as of `to_dict`, of the schedule inside of a warm-up, and the steps of that.

    What is not of that form, which anybody may have written, is given back as it is, with 0 steps.
    """
    if not isinstance(fields, Mapping) or fields.get("kind") != Warmup.kind:
        return fields, 0
    steps = fields.get("steps")
    inner, more = unwarmed_fields(fields.get("schedule"))
    return (inner, steps + more) if isinstance(steps, int) else (fields, 0)


def flat_fields(schedule: Any) -> dict[str, Any]:
    """The fields of a schedule by name, for people: without its kind, and with the steps of a warm-up as
    `warmup`."""
    inner, steps = unwarmed(schedule)
    fields = {name: value for name, value in inner.to_dict().items() if name != "kind"}
    return {**fields, **({"warmup": steps} if steps else {})}


register_pytree(Warmup, ("schedule", "steps"), is_plain_callable)
