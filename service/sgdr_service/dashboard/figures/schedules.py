"""Rates over time: how schedules are sampled to be drawn, and several of them in one figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from sgdr.cycles import FloatArray
from sgdr.schedule import WarmRestarts
from sgdr.shapes import Schedule
from sgdr.warmup import Warmup, unwarmed
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.style import Figure, numbers, text

POINTS = 2000
"""The most points of a drawn schedule."""
MOST_RESTARTS = POINTS // 2 - 1
"""The most restarts that are drawn: each takes two points."""
ASIDE = 1e-12
"""So far from a restart, of its place, it is certainly before or after it."""
DECADES = 6
"""The most decades that a logarithmic axis shows: at a trough the rate may come as near to 0 as floats do."""
GOLDEN = (math.sqrt(5) - 1) / 2


def schedules(
    drawn: Sequence[tuple[str, Schedule]], stop: float, unit: str, *, marked: int = 0, log_y: bool = False
) -> Figure:
    """The rates of schedules with their names from 0 to `stop`, in `unit`s.

    `marked`: the place of the one whose restarts are marked.

    Raises ValueError where `stop` is not a finite number > 0.
    """
    if not 0 < stop < math.inf:
        raise ValueError(f"stop={stop!r} must be a finite number > 0")
    if not drawn:
        return style.empty("There is no schedule to draw: add one.")
    sampled = [rates(schedule, stop) for _, schedule in drawn]
    traces = [
        rate_line(x, y, text(name), unit, place)
        for place, ((name, _), (x, y)) in enumerate(zip(drawn, sampled, strict=True))
    ]
    name, schedule = drawn[marked]
    restarts = restarts_within(schedule, stop)
    count = f"{len(restarts)}" if are_drawable(schedule, stop) else f"more than {MOST_RESTARTS}"
    names = ", ".join(name for name, _ in drawn)
    summary = f"The learning rate over {stop:g} {unit}s of {names}; restarts of {name}: {count}"
    span = _log_range([y for _, y in sampled]) if log_y else {"rangemode": "tozero"}
    x_axis, y_axis = style.axis(unit), style.axis("learning rate", log=log_y, **span)
    return style.figure(traces, summary, x_axis, y_axis, shapes=style.upright(restarts), showlegend=True)


def rates(schedule: Schedule, stop: float) -> tuple[FloatArray, FloatArray]:
    """Places from 0 to `stop`, at most `POINTS`, and the rates there, so that jumps at restarts are upright.

    Where there are more restarts than that can show, the places are spread over all phases of the cycles:
    the line fills what lies between the troughs and the peaks.
    """
    if not are_drawable(schedule, stop):
        # Even steps would beat with the cycles and show slow waves that are not there.
        places = np.arange(POINTS)
        x = (places + np.mod(places * GOLDEN, 1.0)) * (stop / POINTS)
        return x, schedule(x)
    jumps = np.array(restarts_within(schedule, stop), float)
    # The end counts as before a restart there.
    even = np.linspace(0, np.nextafter(stop, 0), POINTS - 2 * len(jumps))
    x = np.unique(np.concatenate([even, jumps * (1 - ASIDE), jumps * (1 + ASIDE)]))
    return x, schedule(x)


def _has_cycles(schedule: Schedule) -> TypeGuard[WarmRestarts | Warmup]:
    """Whether it has cycles to be told apart: formulas have none, also after a warm-up."""
    return isinstance(unwarmed(schedule)[0], WarmRestarts)


def are_drawable(schedule: Schedule, stop: float) -> bool:
    """Whether its restarts up to `stop` are few enough to be drawn one by one."""
    return not _has_cycles(schedule) or schedule.cycle(stop).index <= MOST_RESTARTS


def restarts_within(schedule: Schedule, stop: float) -> list[float]:
    """The places before `stop` where its cycles begin, but for the first; none where they are too many."""
    restarts: list[float] = []
    if not _has_cycles(schedule) or not are_drawable(schedule, stop):
        return restarts
    cycle = schedule.cycle(0)
    while (end := cycle.start + cycle.length) < stop:
        after = schedule.cycle(end * (1 + ASIDE))
        if after.index == cycle.index:  # the last of a limited number of cycles
            break
        restarts.append(end)
        cycle = after
    return restarts


def rate_line(x: FloatArray, y: FloatArray, name: str, unit: str, place: int = 0) -> dict[str, Any]:
    """The trace of the schedule at that place of several."""
    said = f"{name}, {unit} %{{x}}: %{{y:.4g}}"
    x_drawn, y_drawn = numbers(x.tolist()), numbers(y.tolist())
    return style.trace(f"schedule-{place}", name, x_drawn, y_drawn, said, mode="lines", line=style.pen(place))


def _log_range(sampled: Sequence[FloatArray]) -> dict[str, Any]:
    """The range of the axis, in decades."""
    positive = np.concatenate(sampled)
    positive = positive[positive > 0]
    if not len(positive):
        return {}
    highest = math.log10(positive.max())
    lowest = max(math.log10(positive.min()), highest - DECADES)
    return {"range": [lowest - 0.1, highest + 0.1]}
