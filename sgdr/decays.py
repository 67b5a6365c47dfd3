"""Schedules that only fall: a straight line, a plateau with a decay at its end, and a power of what is left.

They are formulas like those of `sgdr.relatives`: NumPy and JAX alike, frozen, and JAX pytrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sgdr import checks
from sgdr.formula import Formula, real
from sgdr.pytrees import register_pytree
from sgdr.schedule import Field

FALLS = ("linear", "sqrt")


@dataclass(frozen=True)
class Linear(Formula):
    """A straight line from `base_lr` down to `eta_min` over `length`, and `eta_min` from there on.

    As `optax.linear_schedule`, and as LinearLR of torch. Raises ValueError for a bad field.
    """

    base_lr: Field
    length: Field
    eta_min: Field = 0.0

    kind = "linear"
    lengths = ("length",)

    def __post_init__(self) -> None:
        _check_fall(self)

    def _rates(self, xp: Any, step: Any) -> Any:
        return _fallen(xp, self, _left(xp, step, self.length))


@dataclass(frozen=True)
class Power(Formula):
    """`base_lr` times a power of the share of `length` that is left, down to `eta_min`: a line at power 1.

    As `optax.polynomial_schedule`, and PolynomialLR of torch. Raises ValueError for a bad field.
    """

    base_lr: Field
    length: Field
    power: Field = 2.0
    eta_min: Field = 0.0

    kind = "power"
    lengths = ("length",)

    def __post_init__(self) -> None:
        _check_fall(self)
        self._check(power=checks.positive)

    def _rates(self, xp: Any, step: Any) -> Any:
        return _fallen(xp, self, _left(xp, step, self.length) ** real(xp, self.power))


@dataclass(frozen=True)
class StableDecay(Formula):
    """`base_lr` until the last share `pct_decay` of `length`, in which it falls to `eta_min`, where it stays.

    `fall` is its form: linear, or sqrt, which is 1 minus the square root of the share of the fall that is
    done. After a warm-up it is known as warm-up, stable, decay (WSD).

    Hu et al. 2024, "MiniCPM", arXiv:2404.06395; Hägele et al. 2024, "Scaling laws and compute-optimal
    training beyond fixed training durations", arXiv:2405.18392. Raises ValueError for a bad field.
    """

    base_lr: Field
    length: Field
    pct_decay: Field = 0.2
    eta_min: Field = 0.0
    fall: str = "linear"

    kind = "wsd"
    lengths = ("length",)

    def __post_init__(self) -> None:
        _check_fall(self)
        self._check(pct_decay=checks.share)
        self._check(fall=lambda name, value: checks.one_of(name, value, FALLS))

    def _rates(self, xp: Any, step: Any) -> Any:
        # From where it begins, in float64 where the fields are numbers: the root of a rounded share of the
        # whole would be far off there.
        begin = self.length * (1 - self.pct_decay)
        done = (real(xp, step) - real(xp, begin)) / (real(xp, self.length) - real(xp, begin))
        done = xp.clip(done, 0.0, 1.0)
        return _fallen(xp, self, 1.0 - done if self.fall == "linear" else 1.0 - xp.sqrt(done))


def _check_fall(schedule: Linear | Power | StableDecay) -> None:
    schedule._check(base_lr=checks.peak_rate, length=checks.positive, eta_min=checks.lowest_rate)
    checks.below_peak(schedule.eta_min, schedule.base_lr)


def _left(xp: Any, step: Any, length: Any) -> Any:
    """The share of the length that is left at each step, from 1 down to 0."""
    return xp.clip(1.0 - real(xp, step) / real(xp, length), 0.0, 1.0)


def _fallen(xp: Any, schedule: Linear | Power | StableDecay, height: Any) -> Any:
    """The rate at heights from 0, the lowest rate, to 1, the peak."""
    peak, eta_min = real(xp, schedule.base_lr), real(xp, schedule.eta_min)
    # Both ends weighed, so that the peak and the lowest rate are exact.
    return peak * height + eta_min * (1.0 - height)


register_pytree(Linear, ("base_lr", "length", "eta_min"))
register_pytree(Power, ("base_lr", "length", "power", "eta_min"))
register_pytree(StableDecay, ("fall", "base_lr", "length", "pct_decay", "eta_min"), lambda fall: True)
