"""`SchedulerState`: schedules and a step in them, as a value.

Everything is derived from one number, the step: there is nothing that could disagree after a resume.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sgdr import checks
from sgdr.checks import checked_step, is_array
from sgdr.cycles import Cycle, Number
from sgdr.pytrees import register_pytree
from sgdr.schedule import Field, WarmRestarts


@dataclass(frozen=True)
class SchedulerState:
    """Schedules, one for each group of parameters, and a training's step in them: a value, and a JAX pytree.

    It is what `CosineAnnealingWarmRestarts` is, for `jax.jit` and `jax.lax.scan`: `step()` returns the state
    after one more step. With a Python step its results are Python numbers; with a JAX one, or traced fields,
    JAX arrays. The schedules differ in their rates at most.

    >>> from sgdr import CosineAnnealingWarmRestarts
    >>> state = CosineAnnealingWarmRestarts(base_lr=0.1, T_0=10).state()
    >>> state.step(20).get_lr(), state.step(20).at_restart, state.get_lr()
    ([0.1], True, [0.1])

    Raises:
        ValueError: from `step` for a bad epoch; from what is read for a bad `last_epoch`.
    """

    schedules: tuple[WarmRestarts, ...]
    last_epoch: Field
    """The step that the rates are of: so many steps are done."""

    def step(self, epoch: Field = None) -> SchedulerState:
        """The state one step on, or at `epoch`, which may be a fraction and lie before.

        Raises ValueError for an epoch that is no number >= 0; a traced one counts as 0 there.
        """
        if epoch is None:
            return replace(self, last_epoch=self.last_epoch + 1)
        epoch = checks.unboxed(epoch)
        return replace(self, last_epoch=epoch if is_array(epoch) else checked_step(epoch, "epoch"))

    def get_lr(self) -> list[Any]:
        """The rate of each group at this step."""
        return [schedule(self.last_epoch) for schedule in self.schedules]

    @property
    def T_cur(self) -> Field:
        """Steps since the last restart."""
        return self._position[1]

    @property
    def T_i(self) -> Field:
        """Steps of the present cycle."""
        return self._position[2]

    @property
    def at_restart(self) -> Any:
        """Whether a cycle after the first begins here: the rate is back at its peak.

        Where a boundary is not whole, that is the first whole step after it, as in `WarmRestarts.restarts`;
        between whole steps it is the boundary itself.
        """
        schedule = self.schedules[0]
        if not self._traced:
            return restarts_at(schedule.cycle, self.last_epoch)
        return self._passes(None if schedule.cycles is None else schedule.cycles - 1)

    @property
    def at_trough(self) -> Any:
        """Whether a cycle is just complete: its last step, that of the lowest rate, is done.

        It is time to keep the model as a snapshot. So at every restart, and at the end of the last cycle of a
        limited number; see `WarmRestarts.troughs`.
        """
        schedule = self.schedules[0]
        if not self._traced:
            return ends_at(schedule.cycle, self.last_epoch)
        return self._passes(schedule.cycles)

    @property
    def _traced(self) -> bool:
        schedule = self.schedules[0]
        return is_array(self.last_epoch) or any(is_array(field) for field in (schedule.T_0, schedule.T_mult))

    @property
    def _position(self) -> tuple[Any, Any, Any]:
        """Index, position and length of the present cycle."""
        schedule = self.schedules[0]
        if not self._traced:
            cycle = schedule.cycle(self.last_epoch)
            return cycle.index, cycle.position, cycle.length
        from sgdr.cycles_jax import cycle as located

        return located(self.last_epoch, schedule.T_0, schedule.T_mult, schedule.cycles)

    def _passes(self, limit: Any) -> Any:
        """Whether one of the first `limit` boundaries lies in the step that led here."""
        from sgdr.cycles_jax import passes_boundary

        schedule = self.schedules[0]
        return passes_boundary(self.last_epoch, schedule.T_0, schedule.T_mult, limit)


def restarts_at(cycle_at: Callable[[Number], Cycle], step: Number) -> bool:
    """`SchedulerState.at_restart`, of a schedule whose `cycle` that is."""
    here = cycle_at(step)
    if step % 1:
        return here.index > 0 and here.position == 0
    return step > 0 and here.index > cycle_at(step - 1).index


def ends_at(cycle_at: Callable[[Number], Cycle], step: Number) -> bool:
    """`SchedulerState.at_trough`, of a schedule whose `cycle` that is."""
    here = cycle_at(step)
    if here.position < here.length:
        return restarts_at(cycle_at, step)
    if step % 1:
        return step - here.start == here.length
    before = cycle_at(step - 1)
    return restarts_at(cycle_at, step) or before.position < before.length


register_pytree(SchedulerState, ("schedules", "last_epoch"))
