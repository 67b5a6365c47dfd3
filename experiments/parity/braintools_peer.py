"""braintools' CosineAnnealingWarmRestarts, run at every step.

step() works on arrays as it does on numbers, so one loop runs the class for all T_0 of a T_mult side by side,
compiled, with its state as one array over them. step(epoch) gets all steps of a schedule at once; NumPy's
int64 and float64 are rounded to 32 bits where Python's numbers are. `by_step_one_by_one` and
`by_epoch_one_by_one` are the class as a training loop uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.parity.judge import PEAK, Rates, Setting, Steps

AT_ONCE = 20_000
"""Steps of the compiled loop, at most."""


def by_step(settings: Sequence[Setting]) -> Iterator[tuple[Steps, np.ndarray]]:
    """Steps and the rates of all these settings at them, a column each; their T_mult is the same."""
    import brainstate
    import jax.numpy as jnp

    scheduler = _made(settings[0])
    scheduler.T_cur.value = jnp.zeros(len(settings), jnp.int32)
    scheduler.T_i.value = jnp.array([setting.fields.T_0 for setting in settings], jnp.int32)
    scheduler.last_epoch.value = jnp.int32(0)
    scheduler.current_lrs.value = scheduler.get_lr()

    def step(_: Any) -> Any:
        rates = scheduler.current_lrs.value[0]
        scheduler.step()
        return rates

    longest = max(setting.length for setting in settings)
    count = min(AT_ONCE, longest)
    for begin in range(0, longest, count):
        rates = brainstate.transform.for_loop(step, np.arange(count))
        yield np.arange(begin, begin + count), np.asarray(rates, np.float64)


def by_step_one_by_one(setting: Setting, steps: Steps) -> Rates:
    """The class as it is, for steps without a gap."""
    scheduler = _made(setting)
    rates = []
    for _ in steps:
        rates.append(float(scheduler.current_lrs.value[0]))
        scheduler.step()
    return np.array(rates)


def by_epoch(setting: Setting, steps: Steps) -> Rates:
    """The rates that step(epoch) gives at all of these steps at once."""
    scheduler = _made(setting)
    scheduler.step(steps)
    return np.asarray(scheduler.current_lrs.value[0], np.float64)


def by_epoch_one_by_one(setting: Setting, steps: Steps) -> Rates:
    """The rates that step(epoch) gives at one step after the other."""
    scheduler = _made(setting)
    rates = []
    for step in steps.tolist():
        scheduler.step(step)
        rates.append(float(scheduler.current_lrs.value[0]))
    return np.array(rates)


def resumed(setting: Setting, steps: Steps) -> Rates:
    """The rates of a scheduler that is made anew for every step, with last_epoch."""
    return np.array([float(_made(setting, step).current_lrs.value[0]) for step in steps.tolist()])


def _made(setting: Setting, last_epoch: int = 0) -> Any:
    import braintools

    return braintools.optim.CosineAnnealingWarmRestarts(PEAK, *setting.fields, 0.0, last_epoch)
