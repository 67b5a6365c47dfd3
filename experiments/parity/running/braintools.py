"""braintools' schedulers."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.parity.running.definitions import defined
from sgdr.cycles import Cycles, FloatArray
from sgdr.export.parity.own import Own, Steps
from sgdr.export.plan import Plan


def code(text: str, plan: Plan, steps: Steps) -> FloatArray:
    """The rates of exported code."""
    return _stepped(defined(text, "scheduler"), plan.cycles, steps)


def by_step(plan: Plan, own: Own, steps: Steps) -> FloatArray:
    """The rates of braintools' own class, step after step."""
    return _stepped(_own(own), own.cycles, steps)


def by_epoch(plan: Plan, own: Own, steps: Steps) -> FloatArray:
    """The rates of braintools' own class, which is told the numbers of the steps, all at once.

    As float64 and int64 they are rounded to 32 bits where Python's own numbers would be.
    """
    scheduler = _own(own)
    scheduler.step(steps)
    return np.asarray(scheduler.current_lrs.value[0], np.float64)


WAYS = {"step()": by_step, "step(epoch)": by_epoch}


def _own(own: Own) -> Any:
    import braintools

    return braintools.optim.CosineAnnealingWarmRestarts(**own.settings)


def _stepped(scheduler: Any, cycles: Cycles | None, steps: Steps) -> FloatArray:
    first = int(np.searchsorted(steps - np.arange(len(steps)), 0, side="right"))  # until one is left out
    rates = [
        _rate(scheduler),
        *(_in_a_loop if hasattr(scheduler, "T_cur") else _one_by_one)(scheduler, first - 1),
    ]
    now = first - 1
    for step in steps[first:].tolist():
        if step > now + 1:
            assert cycles is not None
            _place(scheduler, cycles, step - 1)
        scheduler.step()
        now = step
        rates.append(_rate(scheduler))
    return np.array(rates, np.float64)


def _in_a_loop(scheduler: Any, count: int) -> list[float]:
    """The rates after each of so many steps, compiled: one at a time takes a thousand times as long."""
    import brainstate

    if count < 1:
        return []
    scheduler.step()  # after the first step its state has the types that it keeps
    rates = [_rate(scheduler)]

    def step(_: Any) -> Any:
        scheduler.step()
        return scheduler.current_lrs.value[0]

    if count > 1:
        rates += brainstate.transform.for_loop(step, np.arange(count - 1)).tolist()
    return rates


def _one_by_one(scheduler: Any, count: int) -> list[float]:
    rates = []
    for _ in range(count):
        scheduler.step()
        rates.append(_rate(scheduler))
    return rates


def _place(scheduler: Any, cycles: Cycles, step: int) -> None:
    import jax.numpy as jnp

    scheduler.last_epoch.value = step
    if hasattr(scheduler, "T_cur"):
        _, _, length, position = cycles.locate(step)
        scheduler.T_cur.value, scheduler.T_i.value = jnp.asarray(position), jnp.asarray(length)


def _rate(scheduler: Any) -> float:
    return float(scheduler.current_lrs.value[0])
