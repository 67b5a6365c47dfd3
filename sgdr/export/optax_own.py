"""optax's own schedules, where they are right."""

from __future__ import annotations

import math
from typing import Any

from sgdr.decays import Linear, Power, StableDecay
from sgdr.export.formulas import arguments
from sgdr.export.plan import LAST_STEP, Plan
from sgdr.relatives import StepDecay

MOST_JOINED = 8
"""Cycles of an optax.sgdr_schedule, which evaluates each of them at every step."""
CLOSE = 1e-9
"""A point so near to a whole step, as a share of the length, is that step: the rate does not jump there."""


def own(plan: Plan, cycles: int | None) -> list[str] | None:
    """Lines that make `learning_rate` by optax alone; None where it has no schedule that is right.

    `cycles` is the number of cycles of warm restarts that are joined.
    """
    call = None if plan.held > 1 else _call(plan, cycles)
    if call is None or not plan.warmup:
        return call and _assigned("learning_rate", call)
    return [
        *_assigned(
            "warm_up",
            [
                "optax.linear_schedule(",
                "    init_value=0.0,",
                f"    end_value={plan.schedule(0)!r},",
                f"    transition_steps={plan.warmup!r},",
                ")",
            ],
        ),
        *_assigned("after", call),
        f"learning_rate = optax.join_schedules([warm_up, after], boundaries=[{plan.warmup!r}])",
    ]


def _assigned(name: str, call: list[str]) -> list[str]:
    return [f"{name} = {call[0]}", *call[1:]]


def _call(plan: Plan, cycles: int | None) -> list[str] | None:
    s = plan.schedule
    if plan.restarts:
        return None if cycles is None else _restarts(plan, cycles)
    if isinstance(s, StepDecay):
        return _steps(s)
    if not isinstance(s, Linear | Power | StableDecay) or not isinstance(s.length, int):
        return None
    settings: dict[str, Any] = {"init_value": s.base_lr, "end_value": s.eta_min}
    if isinstance(s, StableDecay):
        begin = s.length * (1 - s.pct_decay)
        if s.fall != "linear" or abs(begin - round(begin)) > CLOSE * s.length:
            return None
        settings |= {"transition_steps": s.length - round(begin), "transition_begin": round(begin)}
        return _written("linear_schedule", settings)
    if isinstance(s, Linear):
        return _written("linear_schedule", settings | {"transition_steps": s.length})
    if s.power % 1:  # what is left is rounded, to less than nothing at the end, which has no such power
        return None
    return _written("polynomial_schedule", settings | {"power": s.power, "transition_steps": s.length})


def _written(function: str, settings: dict[str, Any]) -> list[str]:
    return [f"optax.{function}(", *arguments({name: repr(value) for name, value in settings.items()}), ")"]


def _steps(s: StepDecay) -> list[str]:
    if not s.milestones:
        return [f"optax.constant_schedule({s.base_lr!r})"]
    scales: dict[int, float] = {}
    for milestone in map(math.ceil, s.milestones):  # several may fall on one step
        scales[milestone] = scales.get(milestone, 1.0) * s.gamma
    return [
        "optax.piecewise_constant_schedule(",
        f"    init_value={s.base_lr!r},",
        "    boundaries_and_scales={",
        *(f"        {step!r}: {scale!r}," for step, scale in scales.items()),
        "    },",
        ")",
    ]


def joined(plan: Plan) -> int | None:
    """The number of cycles of an optax.sgdr_schedule that is right for the whole training, else None."""
    count: int | None = plan.schedule.cycles
    if count is None and plan.steps is not None:
        count = plan.cycles.locate(max(plan.steps - plan.warmup - 1, 0))[0] + 1
    if not plan.whole or plan.held > 1 or count is None or count > MOST_JOINED:
        return None
    longest: int = plan.schedule.T_0 * plan.schedule.T_mult ** (count - 1)
    return count if count * longest <= LAST_STEP else None


def _restarts(plan: Plan, count: int) -> list[str]:
    s = plan.schedule
    if count == 1:
        return [
            "optax.cosine_decay_schedule(",
            f"    init_value={s.base_lr!r},",
            f"    decay_steps={s.T_0!r},",
            f"    alpha={s.eta_min!r} / {s.base_lr!r},",
            ")",
        ]
    peak = repr(s.base_lr)
    if s.peak_decay != 1.0:
        peak = f"max({s.eta_min!r}, {s.base_lr!r} * {s.peak_decay!r}**i)"
    length = repr(s.T_0) if s.T_mult == 1 else f"{s.T_0!r} * {s.T_mult!r}**i"
    return [
        "optax.sgdr_schedule(",
        "    [",
        "        {",
        f'            "init_value": {peak},',
        f'            "peak_value": {peak},',
        '            "warmup_steps": 0,',
        f'            "decay_steps": {length},',
        f'            "end_value": {s.eta_min!r},',
        "        }",
        f"        for i in range({count})",
        "    ]",
        ")",
    ]
