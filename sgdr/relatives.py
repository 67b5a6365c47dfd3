"""Relatives of warm restarts: one cosine, one cycle, triangles, steps, and schedules put together.

They are called as a `WarmRestarts` is: Python numbers give floats and NumPy arrays float64 arrays, without
JAX; JAX arrays, or fields that are arrays, give JAX arrays, and each is a JAX pytree of its fields. In all of
them `base_lr` is the peak and `eta_min` the lowest rate, and lengths are in the unit of the steps.

Each formula stands here once, for NumPy and JAX alike. optax has some of them, but for JAX alone, where one
step outside of jit takes milliseconds; tests hold these to its values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from typing import Any, Self

import numpy as np

from sgdr import checks
from sgdr.checks import is_array
from sgdr.cycles import Number, cycles_of
from sgdr.decays import Linear, Power, StableDecay
from sgdr.errors import bad_field
from sgdr.formula import Formula, holds_array, real, since
from sgdr.pytrees import is_plain_callable, register_pytree
from sgdr.schedule import Field, WarmRestarts
from sgdr.warmup import Warmup

ANNEALS = ("cosine", "linear")
MODES = ("triangular", "triangular2", "exp_range")


def cosine_annealing(base_lr: Field, length: Field, eta_min: Field = 0.0) -> WarmRestarts:
    """One cosine from `base_lr` down to `eta_min` over `length`, and `eta_min` from there on.

    As `optax.cosine_decay_schedule`, and as CosineAnnealingLR of torch and braintools up to their T_max;
    torch's rises again after it. Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, for one cycle. Raises
    ValueError for a bad field.
    """
    checks.factor("length", length)
    return WarmRestarts(base_lr, length, 1, eta_min, cycles=1)


def constant(base_lr: Field) -> WarmRestarts:
    """The rate `base_lr` at every step. Raises ValueError for a bad field."""
    return WarmRestarts(base_lr, 1, 1, base_lr, cycles=1)


@dataclass(frozen=True)
class OneCycle(Formula):
    """Up to the peak `base_lr`, and down to far below the start: over `length`, after which it stays there.

    It begins at base_lr / div_factor, is at its peak at pct_start * length, and ends at
    base_lr / div_factor / final_div_factor. With `pct_final` it comes down to its first rate there, and goes
    on to the last one in a third phase. `anneal` is the form of every phase, cosine or linear.

    Smith & Topin 2017, "Super-Convergence", arXiv:1708.07120. As `optax.cosine_onecycle_schedule`, as
    `optax.linear_onecycle_schedule` with anneal="linear" and pct_final=0.85. torch's OneCycleLR counts both
    ends as steps: its total_steps=n and pct_start=p are length=n-1 and pct_start=(p*n-1)/(n-1) here. Raises
    ValueError for a bad field.
    """

    base_lr: Field
    length: Field
    pct_start: Field = 0.3
    div_factor: Field = 25.0
    final_div_factor: Field = 1e4
    pct_final: Field = None
    anneal: str = "cosine"

    kind = "one-cycle"
    lengths = ("length",)

    def __post_init__(self) -> None:
        self._check(base_lr=checks.peak_rate, length=checks.positive, pct_start=checks.share)
        self._check(div_factor=checks.at_least_one, final_div_factor=checks.at_least_one)
        self._check(pct_final=lambda name, value: value if value is None else checks.share(name, value))
        self._check(anneal=lambda name, value: checks.one_of(name, value, ANNEALS))
        shares = self.pct_start, self.pct_final
        if self.pct_final is not None and not holds_array(shares) and self.pct_final <= self.pct_start:
            raise bad_field(
                "pct_final", self.pct_final, f"must exceed pct_start={self.pct_start!r}", "raise it"
            )

    def troughs(self, budget: Number) -> list[int]:
        """The end of the cycle, where it is <= `budget`."""
        return WarmRestarts(1.0, self.length, cycles=1).troughs(budget)

    def _rates(self, xp: Any, step: Any) -> Any:
        t, length, peak = real(xp, step), real(xp, self.length), real(xp, self.base_lr)
        first = peak / real(xp, self.div_factor)
        ends = [(0.0, first), (self.pct_start, peak)]
        if self.pct_final is not None:
            ends.append((self.pct_final, first))
        ends.append((1.0, first / real(xp, self.final_div_factor)))
        rate = first
        for (begin, before), (end, after) in pairwise(ends):
            begin, end = real(xp, begin) * length, real(xp, end) * length
            done = xp.clip((t - begin) / (end - begin), 0.0, 1.0)
            left = 1.0 - done
            if self.anneal == "cosine":
                angle = real(xp, math.pi / 2) * done
                left, done = xp.cos(angle) ** 2, xp.sin(angle) ** 2
            # Both ends weighed, since the last rate would be lost in the rounding of a difference.
            rate = xp.where(t >= begin, before * left + after * done, rate)
        return rate


@dataclass(frozen=True)
class Cyclic(Formula):
    """Triangles between `eta_min` and `base_lr`: up over `up`, down over `down` (None: as long), and again.

    It begins at `eta_min`. `mode`: triangular, all alike; triangular2, each half as high as the one before;
    exp_range, the height times gamma to the power of the step.

    Smith 2017, "Cyclical learning rates for training neural networks", arXiv:1506.01186. As CyclicLR of torch
    and braintools, whose base_lr is `eta_min` here, and max_lr `base_lr`. Raises ValueError for a bad field.
    """

    base_lr: Field
    up: Field
    down: Field = None
    eta_min: Field = 0.0
    mode: str = "triangular"
    gamma: Field = 1.0

    kind = "cyclic"
    lengths = ("up", "down")

    def __post_init__(self) -> None:
        if self.down is None:
            object.__setattr__(self, "down", self.up)
        self._check(base_lr=checks.peak_rate, up=checks.positive, down=checks.positive)
        self._check(eta_min=checks.lowest_rate, gamma=checks.decay)
        self._check(mode=lambda name, value: checks.one_of(name, value, MODES))
        checks.below_peak(self.eta_min, self.base_lr)

    def scaled(self, steps_per_epoch: Field) -> Self:
        """The same schedule with both lengths times `steps_per_epoch`, and gamma for each step."""
        steps = super().scaled(steps_per_epoch)
        gamma = self.gamma ** (1 / checks.factor("steps_per_epoch", steps_per_epoch))
        return type(self)(**{**vars(steps), "gamma": gamma})

    def troughs(self, budget: Number) -> list[int]:
        """The ends of triangles <= `budget`, where the rate is lowest and rises again."""
        return WarmRestarts(1.0, self.up + self.down).troughs(budget)

    def _rates(self, xp: Any, step: Any) -> Any:
        length = self.up + self.down
        index, risen, remaining = _triangle(xp, step, length)
        up, down, length = (real(xp, number) for number in (self.up, self.down, length))
        left = remaining * length
        height = xp.where(risen < up, risen / up, left / down)
        if self.mode == "triangular2":
            height = height * xp.exp2(-real(xp, index))
        elif self.mode == "exp_range":
            # A power of a gamma in float32 would be off by its rounding to the power of the step.
            log = math.log(self.gamma) if not is_array(self.gamma) else xp.log(self.gamma)
            height = height * xp.exp(real(xp, step) * real(xp, log))
        eta_min = real(xp, self.eta_min)
        return eta_min + (real(xp, self.base_lr) - eta_min) * height


@dataclass(frozen=True)
class StepDecay(Formula):
    """`base_lr`, times `gamma` from each of `milestones` on; a constant rate without milestones.

    As `optax.piecewise_constant_schedule` and torch's MultiStepLR. Raises ValueError for a bad field.
    """

    base_lr: Field
    milestones: Any
    gamma: Field = 0.1

    kind = "step-decay"
    lengths = ("milestones",)

    def __post_init__(self) -> None:
        self._check(base_lr=checks.peak_rate, milestones=checks.rising, gamma=checks.decay)

    def _rates(self, xp: Any, step: Any) -> Any:
        gamma = real(xp, self.gamma)
        rate = real(xp, self.base_lr) + xp.zeros_like(real(xp, step))
        for milestone in self.milestones:
            rate = xp.where(since(xp, step, milestone) >= 0, rate * gamma, rate)
        return rate


@dataclass(frozen=True)
class Joined(Formula):
    """One schedule after another: the next from each of `milestones` on, from its own step 0.

    As `optax.join_schedules` and torch's SequentialLR. `schedules` are any callables from step to rate, of
    which `scaled` needs their own. Raises ValueError for a bad field.
    """

    schedules: Any
    milestones: Any

    kind = "joined"
    lengths = ("schedules", "milestones")

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedules", checks.callables("schedules", self.schedules))
        self._check(milestones=checks.rising)
        if len(self.milestones) != len(self.schedules) - 1:
            count = f"must be one fewer than the {len(self.schedules)} schedules"
            fix = "give the step at which each but the first begins"
            raise bad_field("milestones", self.milestones, count, fix)

    def restarts(self, until: Number) -> list[int]:
        """The restarts < `until` of each schedule in its own part; where the next begins is none."""
        return self._listed("restarts", until)

    def troughs(self, budget: Number) -> list[int]:
        """The ends <= `budget` of the cycles of each schedule that end in its own part."""
        return self._listed("troughs", budget)

    def _listed(self, what: str, limit: Number) -> list[int]:
        begins, steps = (0, *self.milestones), []
        for schedule, begin, end in zip(self.schedules, begins, (*self.milestones, limit), strict=True):
            listed = getattr(schedule, what, None)
            if listed and begin < limit:
                steps += [math.ceil(begin + step) for step in listed(min(end, limit) - begin)]
        return steps

    def _rates(self, xp: Any, step: Any) -> Any:
        rate = self.schedules[0](step)
        for schedule, milestone in zip(self.schedules[1:], self.milestones, strict=True):
            own = since(xp, step, milestone)
            rate = xp.where(own >= 0, schedule(xp.maximum(own, xp.zeros_like(own))), rate)
        return rate


@dataclass(frozen=True)
class Chained(Formula):
    """Several schedules at once: the product of a rate and of factors, such as ``StepDecay(1.0, (30, 60))``.

    As ChainedScheduler of torch and braintools of members that change the rate by a factor each; here the
    others than the first begin at 1. Their own warm restarts set the rate instead, and undo what came before.
    `schedules` are as of `Joined`. Raises ValueError for a bad field.
    """

    schedules: Any

    kind = "chained"
    lengths = ("schedules",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedules", checks.callables("schedules", self.schedules))

    def restarts(self, until: Number) -> list[int]:
        """The restarts < `until` of any of them, in order."""
        return self._listed("restarts", until)

    def troughs(self, budget: Number) -> list[int]:
        """The ends <= `budget` of cycles of any of them, in order."""
        return self._listed("troughs", budget)

    def _listed(self, what: str, limit: Number) -> list[int]:
        lists = (getattr(schedule, what)(limit) for schedule in self.schedules if hasattr(schedule, what))
        return sorted({step for listed in lists for step in listed})

    def _rates(self, xp: Any, step: Any) -> Any:
        return math.prod(schedule(step) for schedule in self.schedules)


KINDS: dict[str, type[Any]] = {
    **{cls.kind: cls for cls in (OneCycle, Cyclic, StepDecay, Linear, StableDecay, Power, Joined, Chained)},
    Warmup.kind: Warmup,
}


def from_dict(values: Mapping[str, Any]) -> WarmRestarts | Warmup | Formula:
    """The schedule that `to_dict` made these values of: a `WarmRestarts` where they name no `kind`.

    Raises ValueError for an unknown kind, a missing or unknown name, or a bad value.
    """
    entries = dict(checks.mapping("the fields of a schedule", values))
    if "kind" not in entries:
        return WarmRestarts.from_dict(entries)
    kind = checks.one_of("kind", entries.pop("kind"), tuple(KINDS))
    names = {field.name: field.default is MISSING for field in fields(KINDS[kind])}
    if not {name for name, needed in names.items() if needed} <= entries.keys() <= names.keys():
        raise ValueError(
            f"the fields of a {kind} schedule must be {', '.join(names)}, got {', '.join(entries)}"
        )
    if "schedule" in entries:
        entries["schedule"] = from_dict(entries["schedule"])
    if "schedules" in entries:
        nested = entries["schedules"]
        entries["schedules"] = tuple(map(from_dict, nested)) if isinstance(nested, list | tuple) else nested
    schedule: Warmup | Formula = KINDS[kind](**entries)
    return schedule


def _triangle(xp: Any, step: Any, length: Any) -> tuple[Any, Any, Any]:
    """The index of each step's triangle of that length, how far into it, and the fraction still to go."""
    if xp is not np:
        from sgdr.cycles_jax import placed

        return placed(step, length)
    index, remaining = cycles_of(length, 1).locate_array(step.ravel())
    index, remaining = index.reshape(step.shape), remaining.reshape(step.shape)
    return index, (1 - remaining) * length, remaining


def _has_plain_callable(schedules: Any) -> bool:
    """Whether one is a plain callable: then they are part of the structure."""
    return any(map(is_plain_callable, schedules))


register_pytree(
    OneCycle,
    ("anneal", "base_lr", "length", "pct_start", "div_factor", "final_div_factor", "pct_final"),
    lambda anneal: True,
)
register_pytree(Cyclic, ("mode", "base_lr", "up", "down", "eta_min", "gamma"), lambda mode: True)
register_pytree(StepDecay, ("base_lr", "milestones", "gamma"))
register_pytree(Joined, ("schedules", "milestones"), _has_plain_callable)
register_pytree(Chained, ("schedules",), _has_plain_callable)
