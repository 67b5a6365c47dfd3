"""The schedulers that frameworks have themselves, set as near to a schedule as they can be.

All of it is exact arithmetic on what they are documented, and were read, to compute. Where they round, only
running them tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sgdr.cycles import Cycles, FloatArray, Number, cycles_of
from sgdr.export.parity.looked import MOST_STEPS, Looked
from sgdr.export.plan import Plan
from sgdr.schedule import WarmRestarts

Steps: TypeAlias = NDArray[np.int64]

MOST_JOINED = 64
"""Cycles of an optax.sgdr_schedule that are looked at: it computes each of them at every step."""
MOST_TRIED = 256
"""Whole lengths, or numbers of equal cycles, that are tried: so many of the least, and of those beyond."""
SAMPLES = 500
"""Steps by which settings are chosen."""
SHORTEST = 4
"""The fewest samples in a cycle of settings that are tried, unless the plan has shorter ones."""


@dataclass(frozen=True)
class Own:
    """A framework's own scheduler with its settings."""

    call: str
    """The scheduler's call as it is written in code."""
    settings: dict[str, Any]
    rates: Callable[[Steps], FloatArray]
    """What they mean, without rounding."""
    cycles: Cycles | None
    """Theirs; None where they are not those of a schedule."""


def nearest(plan: Plan, target: str, looked: Looked) -> Own:
    """The scheduler of `target` with the settings that come nearest, by the mean difference.

    Their cycles are of `SHORTEST` samples at least, or as short as the plan's: shorter ones are no cycles, or
    come near at the samples only by chance.
    """
    candidates = list(_SETTINGS[target](plan, looked))
    if len(candidates) == 1:
        return candidates[0]
    steps = _sampled(looked)
    rates = plan.rates(steps)
    return min(candidates, key=lambda own: np.abs(own.rates(steps) - rates).mean())


def mean_difference(plan: Plan, own: Own, looked: Looked) -> float:
    """The mean difference of rates, at steps spread evenly over those looked at one after the other."""
    steps = _sampled(looked)
    return float(np.abs(own.rates(steps) - plan.rates(steps)).mean())


def _sampled(looked: Looked) -> Steps:
    count = min(looked.every, SAMPLES)
    return np.arange(count, dtype=np.int64) * looked.every // count


def _torch(plan: Plan, looked: Looked) -> Iterable[Own]:
    """The settings to try of PyTorch's class, which takes ints."""
    s = plan.schedule
    for T_0, T_mult in _whole_settings(plan, looked):
        settings = {"T_0": T_0, "T_mult": T_mult, "eta_min": s.eta_min}
        meant = WarmRestarts(s.base_lr, T_0, T_mult, s.eta_min)
        yield _meaning("CosineAnnealingWarmRestarts", settings, meant)


def _braintools(plan: Plan, looked: Looked) -> Iterable[Own]:
    """The settings to try of braintools' class.

    It takes real numbers too, but begins every cycle at a whole step, and drops what is left.
    """
    s = plan.schedule
    fields = {"base_lr": s.base_lr, "T_0": s.T_0, "T_mult": s.T_mult, "eta_min": s.eta_min}
    for T_0, T_mult in _whole_settings(plan, looked):
        settings = {**fields, "T_0": T_0, "T_mult": T_mult}
        yield _meaning("CosineAnnealingWarmRestarts", settings, WarmRestarts(**settings))
    if plan.whole:
        return
    starts, lengths = _whole_cycles(s.T_0, s.T_mult)

    def rates(steps: Steps) -> FloatArray:
        index = np.searchsorted(starts, steps, side="right") - 1
        position = (steps - starts[index]) / lengths[index]
        weight = (1 + np.cos(math.pi * position)) / 2
        return np.asarray(s.eta_min + (s.base_lr - s.eta_min) * weight)

    yield Own(_call("CosineAnnealingWarmRestarts", fields), fields, rates, None)


def _whole_cycles(T_0: Number, T_mult: Number) -> tuple[FloatArray, FloatArray]:
    """Starts and lengths of braintools' cycles among the steps that are looked at one after the other."""
    starts, lengths = [0.0], [float(T_0)]
    while starts[-1] < MOST_STEPS:
        starts.append(starts[-1] + max(1, math.ceil(lengths[-1])))
        lengths.append(lengths[-1] * T_mult)
    return np.array(starts), np.array(lengths)


def _keras(plan: Plan, looked: Looked) -> Iterable[Own]:
    """The settings to try of Keras' class.

    It has every field but the number of cycles; with a floor, its peaks decay to that, not to 0.
    """
    s = plan.schedule
    alpha = s.eta_min / s.base_lr
    settings = {
        "initial_learning_rate": s.base_lr,
        "first_decay_steps": s.T_0,
        "t_mul": float(s.T_mult),
        "m_mul": s.peak_decay,
        "alpha": alpha,
    }
    falling = WarmRestarts(s.base_lr, s.T_0, s.T_mult, 0.0, s.peak_decay)

    def rates(steps: Steps) -> FloatArray:
        return np.asarray(s.eta_min + (1 - alpha) * falling(steps))

    yield Own(_call("CosineDecayRestarts", settings), settings, rates, plan.cycles)


def _optax(plan: Plan, looked: Looked) -> Iterable[Own]:
    """The settings to try of optax's function.

    It joins as many cycles as it is given, of any length and peak.
    """
    s = plan.schedule
    count = joined(plan, looked)
    length = repr(s.T_0) if s.T_mult == 1 else f"{s.T_0!r} * {s.T_mult!r}**i"
    call = f"sgdr_schedule(cycles of decay_steps={length} for i in range({count}))"
    yield Own(call, {"cycles": count}, s, plan.cycles)


def joined(plan: Plan, looked: Looked) -> int:
    """The number of cycles of the optax.sgdr_schedule."""
    limit = MOST_JOINED if plan.schedule.cycles is None else min(plan.schedule.cycles, MOST_JOINED)
    return min(limit, plan.cycles.locate(looked.steps - 1)[0] + 1)


def _transformers(plan: Plan, looked: Looked) -> Iterable[Own]:
    """The settings to try of transformers' function.

    It has equal cycles, a whole number of them in the training, and no floor.
    """
    s = plan.schedule
    begun = plan.cycles.locate(looked.steps - 1)[0] + 1
    for count in sorted(
        {*_spread(1, max(1, looked.steps // _shortest(plan, looked))), begun, max(1, begun - 1)}
    ):
        settings = {"num_warmup_steps": 0, "num_training_steps": looked.steps, "num_cycles": count}
        meant = WarmRestarts(s.base_lr, looked.steps / count, cycles=count)
        yield _meaning("get_cosine_with_hard_restarts_schedule_with_warmup", settings, meant)


def _meaning(name: str, settings: dict[str, Any], schedule: WarmRestarts) -> Own:
    return Own(_call(name, settings), settings, schedule, cycles_of(schedule.T_0, schedule.T_mult))


def _call(name: str, settings: dict[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in settings.items())})"


def _whole_settings(plan: Plan, looked: Looked) -> Iterable[tuple[int, int]]:
    """T_0 and T_mult to try: their own where these are whole, else whole ones of any length."""
    s = plan.schedule
    if plan.whole:
        return [(int(s.T_0), int(s.T_mult))]
    least = _shortest(plan, looked)
    lengths = sorted({*_spread(least, max(least, looked.steps)), *_whole_near(s.T_0)})
    return product(lengths, _whole_near(s.T_mult))


def _shortest(plan: Plan, looked: Looked) -> int:
    return min(SHORTEST * math.ceil(looked.every / SAMPLES), _whole_near(plan.schedule.T_0)[0])


def _spread(least: int, most: int) -> set[int]:
    """Whole numbers from `least` to `most`: the first ones, and from there on some in equal proportions."""
    last = min(most, least + MOST_TRIED)
    return {*range(least, last + 1), *(round(number) for number in np.geomspace(last, most, MOST_TRIED))}


def _whole_near(number: Number) -> list[int]:
    return sorted({max(1, math.floor(number)), math.ceil(number)})


_SETTINGS: dict[str, Callable[[Plan, Looked], Iterable[Own]]] = {
    "torch": _torch,
    "optax": _optax,
    "keras": _keras,
    "braintools": _braintools,
    "transformers": _transformers,
}
