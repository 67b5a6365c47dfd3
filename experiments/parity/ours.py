"""`sgdr.WarmRestarts`, which is judged like the others."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from experiments.parity.judge import PEAK, Rates, Setting, Steps
from sgdr.schedule import WarmRestarts

PADDED = 4096
"""Numbers of steps are rounded up to a multiple of this, so that one compilation does for most."""


def of_array(setting: Setting, steps: Steps) -> Rates:
    """The rates by NumPy, at all of these steps at once."""
    return np.asarray(WarmRestarts(PEAK, *setting.fields)(steps))


def one_by_one(setting: Setting, steps: Steps) -> Rates:
    """The rates in Python, at one step after the other."""
    schedule = WarmRestarts(PEAK, *setting.fields)
    return np.array([schedule(step) for step in steps.tolist()])


def in_jax(setting: Setting, steps: Steps) -> Rates:
    """The rates of the compiled schedule, with traced fields, in float32."""
    import jax.numpy as jnp

    T_0, T_mult = map(jnp.int32, setting.fields)
    schedule = WarmRestarts(jnp.float32(PEAK), T_0, T_mult, jnp.float32(0))
    padded = np.resize(steps, -(-len(steps) // PADDED) * PADDED).astype(np.int32)
    return np.asarray(_compiled()(schedule, padded), np.float64)[: len(steps)]


@cache
def _compiled() -> Any:
    import jax

    return jax.jit(lambda schedule, steps: schedule(steps))
