"""The schedules that the user has today, in a sweep: its space holds them, its queue begins with them.

Each is an enqueued trial: of an arm where the arm's parameters can say it, else with a schedule of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    json_to_distribution,
)
from optuna.storages import BaseStorage
from optuna.trial import TrialState, create_trial

from sgdr.errors import ArgumentError
from sgdr.search.problem.arms import arm_of, effect
from sgdr.search.problem.space import Space
from sgdr.search.problem.starts import NAME, Start
from sgdr.search.problem.warming import WARMUP
from sgdr.search.sweeps.enqueued import FIXED, START, held
from sgdr.shapes import SHAPES
from sgdr.warmup import unwarmed

RANGES = ("base_lr", "T_0", "T_mult", "eta_ratio", WARMUP)
"""What a space may be widened in, beside the workload's own values."""


def widened(space: Space, starts: Sequence[Start], budget: int, shapes: Sequence[str]) -> Space:
    """The resolved space with ranges that hold what the starts have, as far as it is searched.

    Raises ArgumentError where a value of the workload's cannot be held.
    """
    for start in starts:
        schedule, arm = start.schedule, arm_of(start.schedule, budget)
        searched = space.distributions(budget, arm) if arm in shapes else {}
        wider: dict[str, Any] = {"base_lr": _around(space.base_lr, schedule.base_lr)}
        values = {name: next(_values(name, schedule, budget), None) for name in searched}
        if "eta_ratio" in values:
            wider["eta_ratio"] = _around(space.eta_ratio, values["eta_ratio"])
        # A closed space finds its lengths by the number of cycles: others are outside of it.
        if not space.closed and isinstance(T_0 := values.get("T_0"), int):
            wider["T_0"] = _around(space.T_0, T_0)
            if isinstance(T_mult := values["T_mult"], int):
                wider["T_mult"] = tuple(dict.fromkeys((*_factors(space), T_mult)))
        if not space.closed and arm in shapes:
            # A shorter warm-up than is asked for is the start's own.
            shortest, longest = space.warmups
            wider[WARMUP] = shortest, max(longest, unwarmed(schedule)[1])
        hparams = {name: _holding(name, space.hparams[name], value) for name, value in start.hparams.items()}
        space = replace(space, **wider, hparams=hparams)
    return space


def space_of(stored: Mapping[str, Any], asked: Space) -> Space:
    """The space that a study keeps, as of `Space.to_dict`, for a sweep that asks for that one."""
    texts = stored["hparams"]
    ends: dict[str, Any] = {name: tuple(stored[name]) for name in RANGES if name in stored}
    return replace(asked, **ends, hparams={name: json_to_distribution(texts[name]) for name in texts})


def widening(narrow: Space, wide: Space) -> str:
    """What is said of a resolved space that was widened to hold the starts; empty where it was not."""
    parts = [
        f"{name} to {_shown(getattr(wide, name))}"
        for name in RANGES
        if getattr(narrow, name) != getattr(wide, name)
    ]
    parts += [
        f"{name} to {_shown(distribution)}"
        for name, distribution in wide.hparams.items()
        if distribution != narrow.hparams[name]
    ]
    return f"the space is widened to hold what it is to start from: {', '.join(parts)}" if parts else ""


def arm_params(
    start: Start, space: Space, budget: int, shapes: Sequence[str]
) -> tuple[str, dict[str, Any]] | None:
    """The arm and the parameters that say a start; None where none do."""
    arm = arm_of(start.schedule, budget)
    if arm not in shapes:
        return None
    searched = space.distributions(budget, arm)
    own: dict[str, Any] = {}
    ratios: list[Any] = [None]
    for name, distribution in searched.items():
        if name in start.hparams:
            own[name] = start.hparams[name]
            continue
        values = [value for value in _values(name, start.schedule, budget) if _holds(distribution, value)]
        if not values:
            return None
        own[name] = values[0]
        ratios = values if name == "eta_ratio" else ratios
    meant = effect(start.schedule, budget)
    for ratio in ratios:
        params = own if ratio is None else {**own, "eta_ratio": ratio}
        schedule, epochs = space.schedule(params, budget, arm)
        if epochs == budget and effect(schedule, budget) == meant:
            return arm, params
    return None


def enqueue(
    storage: BaseStorage,
    study_id: int,
    starts: Sequence[Start],
    space: Space,
    budget: int,
    shapes: Sequence[str],
) -> None:
    """Puts those of the starts that the study does not have yet into its queue."""
    if not starts:
        return
    there = [trial.system_attrs.get(START) for trial in storage.get_all_trials(study_id, deepcopy=False)]
    for start in starts:
        arm, params = arm_params(start, space, budget, shapes) or (None, dict(start.hparams))
        stated = {**start.to_dict(), "arm": arm}
        if stated not in there:
            template = create_trial(state=TrialState.WAITING, system_attrs={FIXED: params, START: stated})
            storage.create_new_trial(study_id, template_trial=template)


def needs_table(starts: Sequence[Start], space: Space, budget: int, shapes: Sequence[str]) -> bool:
    """Whether slots are to take any schedule: a formula, a warm-up, or a start that is of no arm."""
    if space.warmups[1] > 0 or any(SHAPES[shape].is_formula for shape in shapes):
        return True
    return any(arm_params(start, space, budget, shapes) is None for start in starts)


def _values(name: str, schedule: Any, budget: int) -> Iterator[Any]:
    """The values of a searched parameter that may mean the schedule, the likeliest first."""
    schedule, warmup = unwarmed(schedule)
    if name == WARMUP:
        yield warmup
    elif name == "eta_ratio":
        ratio = schedule.eta_min / schedule.base_lr
        # The quotient times base_lr may differ from eta_min in its last bit.
        yield from (ratio, math.nextafter(ratio, 1.0), math.nextafter(ratio, 0.0))
    elif name == "cycles":
        yield len(schedule.troughs(budget=budget - warmup))
    else:
        value = getattr(schedule, "up" if name == "half_cycle" else name, None)
        yield int(value) if isinstance(value, float) and value.is_integer() and name != "base_lr" else value


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    try:
        held(NAME, value, distribution)
    except ValueError:
        return False
    return True


def _around(ends: Any, value: Any) -> tuple[Any, Any]:
    low, high = ends
    return min(low, value), max(high, value)


def _factors(space: Space) -> Sequence[int]:
    return (space.T_mult,) if isinstance(space.T_mult, int) else space.T_mult


def _holding(name: str, distribution: BaseDistribution, value: Any) -> BaseDistribution:
    """The distribution, widened to hold the value. Raises ArgumentError where it cannot."""
    if _holds(distribution, value):
        return distribution
    if isinstance(distribution, CategoricalDistribution):
        return CategoricalDistribution((*distribution.choices, value))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    made: Any = type(distribution)
    low, high = _around((distribution.low, distribution.high), value)
    try:
        wide: BaseDistribution = made(low, high, log=distribution.log, step=distribution.step)
    except ValueError as error:
        reason = f"of {NAME} cannot be searched: {error}"
        raise ArgumentError(name, value, reason, within="hparams") from error
    if not _holds(wide, value):
        reason = f"of {NAME} is between the steps of {distribution}"
        raise ArgumentError(name, value, reason, within="hparams")
    return wide


def _shown(ends: Any) -> str:
    if isinstance(ends, CategoricalDistribution):
        ends = ends.choices
    elif isinstance(ends, FloatDistribution | IntDistribution):
        ends = ends.low, ends.high
    is_range = len(ends) == 2 and not isinstance(ends, str)
    return (":" if is_range else ",").join(f"{end:g}" if isinstance(end, float) else str(end) for end in ends)
