"""Keras' CosineDecayRestarts on JAX: a function of the step, run at every one.

It is compiled, as `fit` compiles it: for each schedule once, over an array of steps. `one_by_one` is the same
for a single step, as a training step asks for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.parity.judge import PEAK, Rates, Setting, Steps


def called(setting: Setting, steps: Steps) -> Rates:
    """The rates at all of these steps at once."""
    import jax

    rate: Any = jax.jit(_peer(setting))
    rates = np.asarray(rate(steps.astype(np.int32)), np.float64)
    rate.clear_cache()  # a thousand of them take gigabytes
    return rates


def one_by_one(setting: Setting, steps: Steps) -> Rates:
    """The rates at one step after the other."""
    import jax

    rate = jax.jit(_peer(setting))
    return np.array([float(rate(np.int32(step))) for step in steps])


def _peer(setting: Setting) -> Any:
    import keras

    T_0, T_mult = setting.fields
    return keras.optimizers.schedules.CosineDecayRestarts(PEAK, T_0, t_mul=float(T_mult), alpha=0.0)
