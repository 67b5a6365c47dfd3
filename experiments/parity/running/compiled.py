"""Functions of the step, compiled by JAX as training loops compile them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sgdr.cycles import FloatArray
from sgdr.export.parity.own import Steps

AT_ONCE = 4096
"""Steps: what looks a cycle up compares each of them with thousands of starts."""


def rates_of(schedule: Callable[[Any], Any], steps: Steps) -> FloatArray:
    """The schedule's rates at these steps, each of which it gets as an int of 32 bits."""
    import jax
    import jax.numpy as jnp

    many = jax.jit(jax.vmap(lambda step: jnp.asarray(schedule(step), jnp.float32)))
    padded = np.zeros(-(-len(steps) // AT_ONCE) * AT_ONCE, np.int32)
    padded[: len(steps)] = steps
    parts = [np.asarray(many(part), np.float64) for part in padded.reshape(-1, AT_ONCE)]
    return np.concatenate(parts)[: len(steps)]
