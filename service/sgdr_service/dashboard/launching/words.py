"""A sweep that can be, told before it is launched."""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from sgdr.search.strategy.named import STAGED
from sgdr.search.sweeps.cluster import Cluster
from sgdr.search.sweeps.settings import Settings
from sgdr.search.sweeps.starts import widening
from sgdr.shapes import SHAPES
from sgdr_service.dashboard.launching.estimate import Estimate
from sgdr_service.dashboard.layout import shown
from sgdr_service.sweeps.sweeps import Possible

UNITS = (("s", 1.0, 100), ("min", 60.0, 100), ("h", 3600.0, 72), ("days", 86400.0, float("inf")))
"""Units of time: the name, its seconds, and below how many of them it is told in."""
UNMEASURED = "How long that takes is not measured yet: the first sweep of this workload will tell."
CONTROLS = {name: f"{shape.preposition} {shape.words}" for name, shape in SHAPES.items() if shape.is_control}
SCALES = {"T_0": " epochs", "cycles": " cycles", "warmup": " epochs"}


def summary(asked: Possible, cost: Estimate, ahead: int) -> list[str]:
    """Sentences: what is trained, what is searched, and how long that may take.

    `ahead`: sweeps that it has to wait for, or some of them.
    """
    request, settings = asked.request, asked.settings
    of_each = " of each worker" if asked.cluster else ""
    sentences = [
        _trials(settings, cost),
        _arms(settings, cost),
        *([_starts(settings)] if settings.starts else []),
        f"It searches {_searched(settings)}.",
        f"As many trials are trained side by side as suit the devices{of_each}."
        if settings.slots is None
        else f"Slots{of_each}: {settings.slots:,}, each with a trial of its own.",
        *([_workers(asked.cluster)] if asked.cluster else []),
    ]
    if cost.trials:
        sentences.append(_time(settings, cost))
    if request.timeout is not None:
        sentences.append(f"It stops after {duration(request.timeout)}, to be resumed.")
    if request.confirm:
        sentences.append(
            "Then the best of each arm are trained again on new seeds, which is not counted here."
        )
    if ahead:
        sentences.append(f"It waits for its turn: {counted(ahead, 'sweep')} came before it.")
    return sentences


def counted(number: int, what: str) -> str:
    """So many of what."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 1:
        return "less than 1 s"
    name, unit = next((name, unit) for name, unit, below in UNITS if seconds / unit < below)
    value = seconds / unit
    return f"about {value:.2g} {name}" if value < 10 else f"about {value:.0f} {name}"


def _trials(settings: Settings, cost: Estimate) -> str:
    if not cost.trials and settings.cost is not None:
        return f"The study has spent its cost of {settings.cost:g}: raise cost to go on with it."
    if not cost.trials:
        return f"The study has its {counted(settings.whole_trials, 'trial')}: raise trials to go on with it."
    going_on = f" beside {cost.finished:,} that are finished" if cost.finished else ""
    per_epoch = settings.workload.steps_per_epoch
    steps = "" if per_epoch is None else f", {counted(cost.epochs * per_epoch, 'optimizer step')}"
    each, most = counted(settings.budget, "epoch"), f"at most {counted(cost.epochs, 'epoch')}{steps}"
    if settings.cost is None:
        return f"It trains {counted(cost.trials, 'trial')}{going_on} of {each} each: {most}."
    return (
        f"It trains {counted(cost.trials, 'trial')} of {each} each{going_on}, or more where some are ended "
        f"early: {most}."
    )


def _arms(settings: Settings, cost: Estimate) -> str:
    if settings.sampler == STAGED:
        shapes = ", ".join(SHAPES[arm].words for arm in settings.arms)
        return f"It shares the trials out among {shapes} as it learns, and trains what leads on new seeds."
    controls = sum(cost.arms.get(arm, 0) for arm in CONTROLS)
    if not controls:
        return "No trial is a control without restarts, so it will not tell whether restarts help."
    arms = ", ".join(f"{cost.arms[arm]:,} {name}" for arm, name in CONTROLS.items() if cost.arms.get(arm))
    trials = settings.whole_trials
    if controls == trials:
        return f"No trial has restarts, so it will not tell whether restarts help: {arms}."
    which = "all" if settings.cost is None else "the first"
    share = f"{100 * controls / trials:.0f} %"
    return f"{share} of {which} {trials:,} trials are controls without restarts: {arms}."


def _starts(settings: Settings) -> str:
    wider = widening(settings.asked, settings.space)
    which = f"the {counted(len(settings.starts), 'schedule')} that you start from"
    return f"It trains first, and to the end, {which}{f'; {wider}' if wider else ''}."


def _workers(cluster: Cluster) -> str:
    gpus = f" and {cluster.gpus_per_worker:g} GPU" if cluster.gpus_per_worker else ""
    return f"Workers on Ray: {cluster.workers:,}, each with {cluster.cpus_per_worker:g} CPU{gpus}."


def _searched(settings: Settings) -> str:
    searched: dict[str, BaseDistribution] = {}
    for arm in settings.arms:
        searched |= settings.space.distributions(settings.budget, arm)
    names = {"eta_ratio": "eta_min / base_lr"}
    return ", ".join(
        f"{names.get(name, name)} {_range(distribution)}{SCALES.get(name, '')}"
        for name, distribution in searched.items()
    )


def _range(searched: BaseDistribution) -> str:
    if isinstance(searched, CategoricalDistribution):
        *others, last = map(str, searched.choices)
        return f"among {', '.join(others)} and {last}" if others else f"at {last}"
    low, high = (_number(getattr(searched, end)) for end in ("low", "high"))
    return f"at {low}" if low == high else f"from {low} to {high}"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else shown(value)


def _time(settings: Settings, cost: Estimate) -> str:
    if cost.speed is None or cost.seconds is None:
        return UNMEASURED
    rate = cost.speed.value
    speed = f"{rate:,.0f}" if rate >= 100 else f"{rate:.2g}"
    speed += f" epochs a second, as in study {cost.speed.study!r}"
    if settings.cost is not None:
        return f"Training takes at most {duration(cost.seconds)}, at {speed}."
    if cost.left is None:
        most = duration(cost.seconds)
        return f"Training takes at most {most}, at {speed}; how much that pruner leaves is not measured yet."
    pruned = f"pruning left {100 * cost.left.value:.0f} % of the epochs"
    if cost.left.study != cost.speed.study:
        pruned += f" in study {cost.left.study!r}"
    return f"Training takes {duration(cost.seconds)}, at {speed}, where {pruned}."
