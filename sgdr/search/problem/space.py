"""One declaration of what is searched, for every sampler."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdr import checks
from sgdr.errors import ArgumentError
from sgdr.schedule import WarmRestarts
from sgdr.search.problem import closing
from sgdr.search.problem.options import KEY, Group, Kind, Option, Place, option, options_of
from sgdr.search.problem.signatures import listing
from sgdr.search.problem.starts import RATES
from sgdr.search.problem.types import Named, Schedule
from sgdr.search.problem.warming import WARMUP, check_fits, warmed
from sgdr.shapes import COSINE, RESTARTS, SHAPES

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DEFAULT_BASE_LR = (1e-3, 1.0)
LARGEST = 2**31 - 1
"""The largest factor that a space may have: the population counts in int32."""
BEGIN_ABOVE_0 = "must begin above 0: its scale is logarithmic"
SCHEDULE_NAMES = ("base_lr", "T_0", "cycles", "T_mult", "eta_ratio", WARMUP)

Range = tuple[float, float]


@listing
@dataclass(frozen=True)
class Space:
    """What a sweep searches. A single number in place of a range fixes the value.

    Raises ValueError for a range that is empty, inverted or out of bounds, naming it.
    """

    base_lr: Range | float | None = option(
        None,
        Kind.RANGE,
        "Range of the peak rate, on a logarithmic scale",
        unset=f"the workload's own, else {DEFAULT_BASE_LR[0]:g} to {DEFAULT_BASE_LR[1]:g}",
        ends=("Of the peak rate, above 0", "The same as low fixes it"),
        group=Group.SEARCHED,
    )
    T_0: tuple[int, int] | int | None = option(
        None,
        Kind.WHOLE_RANGE,
        "Range of the first cycle's length in epochs, on a logarithmic scale",
        unset="1 to the budget",
        ends=("Epochs of the first cycle", "At most the budget"),
        group=Group.SEARCHED,
    )
    T_mult: Sequence[int] | int = option(
        (1, 2, 3),
        Kind.WHOLES,
        "Factors, each at least 1, by which a cycle may be longer than the one before",
        group=Group.SEARCHED,
    )
    eta_ratio: Range | float = option(
        (0.0, 0.1),
        Kind.RANGE,
        "Range of eta_min / base_lr, from 0 to 1",
        ends=("Of eta_min / base_lr, from 0", "At most 1"),
        group=Group.SEARCHED,
    )
    closed: bool = option(
        False,
        Kind.SWITCH,
        "Search the number of cycles in place of T_0, and end each trial at its last trough",
        group=Group.SEARCHED,
    )
    start: Sequence[Any] = option(
        (),
        Kind.SCHEDULES,
        'Schedules that you have today, each as "cosine base_lr=0.03", a shape with its values: they are '
        "trained first and to their end, and the answer says what is gained over them",
        unset="none",
        more="A schedule will do too, and a mapping from names to values, of which `shape` is one.",
        group=Group.SEARCHED,
    )
    hparams: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={
            KEY: Option(
                Kind.VALUES,
                "Further values that the workload takes; what is not named here keeps the range that the "
                "workload declares",
                more='Each is (low, high), (low, high, "log"), a list of choices, a number, or an Optuna '
                "distribution. Arrays are given whole numbers in int32, where nothing else is declared and "
                "searched, and all others in float32.",
                shown=Place.REST,
                group=Group.SEARCHED,
            )
        },
    )
    warmup: tuple[int, int] | int = option(
        0,
        Kind.WHOLE_RANGE,
        "Range of the epochs in which the rate first rises from 0, as 0:5; each schedule has what they leave "
        "of the budget",
        ends=("Epochs of rising rates, from 0", "Below the budget"),
        group=Group.SEARCHED,
        label="Warm-up",
    )

    def __post_init__(self) -> None:
        for name, about in options_of(self).items():
            object.__setattr__(self, name, about.checked(getattr(self, name)))
        if self.base_lr is not None:
            low, high = _range("base_lr", self.base_lr)
            if low <= 0:
                raise ArgumentError("base_lr", self.base_lr, BEGIN_ABOVE_0)
            if low < RATES[0] or high > RATES[1]:
                raise ArgumentError("base_lr", self.base_lr, f"must lie from {RATES[0]:g} to {RATES[1]:g}")
        if self.T_0 is not None:
            low, high = _range("T_0", self.T_0)
            if low < 1 or low != int(low) or high != int(high):
                raise ArgumentError("T_0", self.T_0, "must be whole epochs from 1, as 1:60")
        factors = self.T_mult if isinstance(self.T_mult, Sequence) else (self.T_mult,)
        if not factors or any(isinstance(m, bool) or not isinstance(m, int) or m < 1 for m in factors):
            raise ArgumentError("T_mult", self.T_mult, "must be whole numbers of at least 1, as 1,2,3")
        if max(factors) > LARGEST:
            raise ArgumentError("T_mult", self.T_mult, "must be below 2^31")
        low, high = _range("eta_ratio", self.eta_ratio)
        if low < 0 or high > 1:
            raise ArgumentError("eta_ratio", self.eta_ratio, "must lie from 0 to 1: it is eta_min / base_lr")
        low, high = _range(WARMUP, self.warmup)
        if low < 0 or low != int(low) or high != int(high):
            raise ArgumentError(WARMUP, self.warmup, "must be whole epochs from 0, as 0:5 or 5")
        for name in self.hparams:
            if not isinstance(name, str) or not name:
                raise bad_hparam_name(name, " for a name", "give each value a name that is a text")
            if name in SCHEDULE_NAMES:
                raise bad_hparam_name(name, ", which names a part of the schedule", "rename it")
            distribution(name, self.hparams[name])

    def _factors(self) -> tuple[int, ...]:
        return (self.T_mult,) if isinstance(self.T_mult, int) else tuple(dict.fromkeys(self.T_mult))

    def resolved(self, workload: Named, budget: int) -> Space:
        """This space with every default filled in for that workload and budget, in epochs.

        Raises ValueError where T_0 leaves no schedule within the budget, or a value is not the workload's.
        """
        declared = dict(getattr(workload, "hparams", None) or {})
        unknown = sorted(set(self.hparams) - set(declared))
        if unknown:
            known = ", ".join(sorted(declared)) or "none"
            reason = f"workload {workload.name!r} takes {known}"
            message = f"hparams {', '.join(unknown)}: {reason}"
            raise ArgumentError("hparams", self.hparams, reason, message=message)
        base_lr = self.base_lr
        if base_lr is None:
            base_lr = getattr(workload, "base_lr", None) or DEFAULT_BASE_LR
        shortest, longest = self.warmups
        check_fits(self.warmup, longest, budget)
        most = budget - shortest
        low, high = _range("T_0", (1, most) if self.T_0 is None else self.T_0)
        if low > budget - longest:
            after = f" less a warm-up of {longest}" if longest else ""
            raise ArgumentError(
                "T_0", self.T_0, f"begins above the budget of {budget} epochs{after}", "lower it"
            )
        space = replace(
            self,
            base_lr=_range("base_lr", base_lr),
            T_0=(int(low), min(int(high), most)),
            T_mult=self._factors(),
            eta_ratio=_range("eta_ratio", self.eta_ratio),
            warmup=(shortest, longest),
            hparams={name: distribution(name, {**declared, **self.hparams}[name]) for name in declared},
        )
        if space.closed:
            space._cycle_counts(budget)
        return space

    def distributions(self, budget: int, arm: str = RESTARTS.name) -> dict[str, BaseDistribution]:
        """The searched parameters of an arm in a resolved space, as Optuna knows them.

        One cosine cycle has no T_0 and T_mult to search, a constant rate no eta_ratio either (see `shapes`).
        A warm-up of a fixed length is not sampled.
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        base_lr, eta_ratio, T_0 = self._ranges()
        shortest, longest = self.warmups
        if self.closed:
            length = {"cycles": IntDistribution(*self._cycle_counts(budget), log=True)}
        else:
            length = {"T_0": IntDistribution(*T_0, log=True)}
        shared: dict[str, Mapping[str, BaseDistribution]] = {
            "length": length,
            "T_mult": {"T_mult": CategoricalDistribution(self._factors())},
            "eta_ratio": {"eta_ratio": FloatDistribution(*eta_ratio)},
        }
        searched: dict[str, BaseDistribution] = {"base_lr": FloatDistribution(*base_lr, log=True)}
        shape = SHAPES[arm]
        for name in shape.shared:
            searched |= shared[name]
        own = {name: distribution(name, span(budget - shortest)) for name, span in shape.own.items()}
        warmup = {WARMUP: IntDistribution(shortest, longest)} if shortest < longest else {}
        return {**searched, **own, **warmup, **self.hparams}

    def schedule(
        self, params: Mapping[str, Any], budget: int, arm: str = RESTARTS.name
    ) -> tuple[Schedule, int]:
        """The schedule that sampled parameters name, in epochs, and how many epochs its trial trains.

        Restarts without T_mult are one cosine cycle, and without eta_ratio a constant rate. Where a closed
        space has sampled more or fewer cycles than T_mult leaves room for, the nearest number is taken; where
        T_0 is longer than what a warm-up leaves of the budget, all that is left.
        """
        warmup = int(params.get(WARMUP, self.warmups[0]))
        return warmed(lambda within, left: self._unwarmed(within, left, arm), params, budget, warmup)

    def _unwarmed(self, params: Mapping[str, Any], budget: int, arm: str) -> tuple[Schedule, int]:
        """`schedule` for what a warm-up has left of the budget."""
        make = SHAPES[arm].make
        if make is None and "T_mult" not in params:
            make = COSINE.make
        if make is not None:
            return make(params, budget), budget
        base_lr = float(params["base_lr"])
        eta_min = base_lr * float(params.get("eta_ratio", 1.0))
        T_mult = int(params["T_mult"])
        if not self.closed:
            return WarmRestarts(base_lr, int(params["T_0"]), T_mult, eta_min), budget
        low, high = closing.counts(self._ranges()[2], T_mult, budget)
        cycles = min(max(int(params["cycles"]), low), high)
        schedule = WarmRestarts.closing(
            budget=budget, cycles=cycles, T_mult=T_mult, base_lr=base_lr, eta_min=eta_min
        )
        lengths = cycles if T_mult == 1 else (T_mult**cycles - 1) // (T_mult - 1)
        return schedule, budget // lengths * lengths

    def hparam_values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The workload's own values among the sampled parameters."""
        return {name: params[name] for name in self.hparams}

    def to_dict(self) -> dict[str, Any]:
        """A resolved space in plain JSON values."""
        from optuna.distributions import distribution_to_json

        base_lr, eta_ratio, T_0 = self._ranges()
        return {
            "base_lr": list(base_lr),
            "T_0": list(T_0),
            "T_mult": list(self._factors()),
            "eta_ratio": list(eta_ratio),
            WARMUP: list(self.warmups),
            "closed": self.closed,
            "hparams": {name: distribution_to_json(value) for name, value in self.hparams.items()},
        }

    def _ranges(self) -> tuple[Range, Range, tuple[int, int]]:
        assert isinstance(self.base_lr, tuple) and isinstance(self.T_0, tuple), "resolve the space first"
        assert isinstance(self.eta_ratio, tuple)
        return self.base_lr, self.eta_ratio, self.T_0

    @property
    def warmups(self) -> tuple[int, int]:
        """The shortest and the longest warm-up, in epochs."""
        low, high = _range(WARMUP, self.warmup)
        return int(low), int(high)

    def _cycle_counts(self, budget: int) -> tuple[int, int]:
        """The fewest and the most cycles that close the budget, whatever T_mult and the warm-up."""
        shortest, longest = self.warmups
        budgets = range(budget - longest, budget - shortest + 1)
        return closing.counts_of_all(self._ranges()[2], self._factors(), budgets)


def distribution(name: str, form: Any) -> BaseDistribution:
    """An Optuna distribution from a short form (see `Space.hparams`). Raises ArgumentError."""
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(form, CategoricalDistribution):
        return CategoricalDistribution(checks.plain(form.choices))
    if isinstance(form, BaseDistribution):
        return form
    if isinstance(form, np.ndarray) and form.ndim:
        fix = "give a tuple for one, a list for the other"
        raise ArgumentError(name, form, "may be a range or choices", fix, within="hparams")
    form = checks.plain(form)
    if isinstance(form, list) and form:
        return CategoricalDistribution(form)
    log = isinstance(form, tuple) and len(form) == 3 and form[2] == "log"
    low, high = _range(name, form[:2] if log else form, within="hparams")
    if log and low <= 0:
        raise ArgumentError(name, form, BEGIN_ABOVE_0, within="hparams")
    whole = isinstance(low, int) and isinstance(high, int)
    return IntDistribution(low, high, log=log) if whole else FloatDistribution(low, high, log=log)


def bad_hparam_name(name: Any, why: str, fix: str) -> ArgumentError:
    """The error of a workload's value that cannot have the name which it has."""
    return ArgumentError(
        "hparams", name, f"has {name!r}{why}", fix, message=f"hparams has {name!r}{why}; {fix}"
    )


def _range(name: str, value: Any, within: str | None = None) -> Any:
    """(low, high) of a range or a single number."""
    value = checks.plain(value)
    pair = (value, value) if isinstance(value, int | float) else value
    numbers = isinstance(pair, Sequence) and len(pair) == 2 and not isinstance(pair, str)
    if not numbers or any(isinstance(x, bool) or not isinstance(x, int | float) for x in pair):
        reason = "must be a range of two numbers, low and high, or one number"
        raise ArgumentError(name, value, reason, within=within)
    if not all(abs(x) < math.inf for x in pair):
        raise ArgumentError(name, value, "must be finite", within=within)
    if pair[0] > pair[1]:
        raise ArgumentError(name, value, "is inverted: give the low end first", within=within)
    return pair[0], pair[1]
