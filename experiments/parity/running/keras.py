"""Keras' schedules, compiled as its training loop compiles them with the backend JAX."""

from __future__ import annotations

from experiments.parity.running.compiled import rates_of
from experiments.parity.running.definitions import defined
from sgdr.cycles import FloatArray
from sgdr.export.parity.own import Own, Steps
from sgdr.export.plan import Plan


def code(text: str, plan: Plan, steps: Steps) -> FloatArray:
    """The rates of exported code."""
    return rates_of(defined(text, "learning_rate"), steps)


def called(plan: Plan, own: Own, steps: Steps) -> FloatArray:
    """The rates of Keras' own class."""
    import keras

    return rates_of(keras.optimizers.schedules.CosineDecayRestarts(**own.settings), steps)


WAYS = {"CosineDecayRestarts": called}
