"""Schedules of optax, compiled."""

from __future__ import annotations

from typing import Any

from experiments.parity.running.compiled import rates_of
from experiments.parity.running.definitions import defined
from sgdr.cycles import FloatArray
from sgdr.export.parity.own import Own, Steps
from sgdr.export.plan import Plan


def code(text: str, plan: Plan, steps: Steps) -> FloatArray:
    """The rates of exported code."""
    return rates_of(defined(text, "learning_rate"), steps)


def joined(plan: Plan, own: Own, steps: Steps) -> FloatArray:
    """The rates of optax's own sgdr_schedule."""
    import optax

    s = plan.schedule
    cycles: list[dict[str, Any]] = []
    for index in range(own.settings["cycles"]):
        peak = max(s.eta_min, s.base_lr * s.peak_decay**index)
        length = s.T_0 * s.T_mult**index
        cycles.append(
            {
                "init_value": peak,
                "peak_value": peak,
                "warmup_steps": 0,
                "decay_steps": length,
                "end_value": s.eta_min,
            }
        )
    return rates_of(optax.sgdr_schedule(cycles), steps)


WAYS = {"sgdr_schedule": joined}
