"""Learning curves of several trials, over epochs or over cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sgdr.cycles import cycles_of
from sgdr.formula import Formula
from sgdr.schedule import WarmRestarts
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import is_number
from sgdr_service.dashboard.figures.schedules import are_drawable
from sgdr_service.dashboard.figures.style import Figure, numbers

POINTS = 2000
"""The most points of a drawn curve, beside those before restarts."""
UNFINISHED = {"PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class Drawn:
    """A trial to be drawn."""

    number: int
    state: str
    arm: str
    schedule: WarmRestarts | Formula
    """The schedule, in epochs."""
    curve: Sequence[float | None] = field(repr=False)
    """A value an epoch."""

    @property
    def restarts(self) -> list[int]:
        """The epochs within the curve after which the rate is back at its peak; a constant rate has none."""
        has_some = self.arm == "restarts" and are_drawable(self.schedule, len(self.curve))
        return self.schedule.restarts(until=len(self.curve)) if has_some else []

    def epochs(self) -> list[int]:
        """The epochs, from 1, that are drawn: of a long curve not all, but all before restarts."""
        places = style.thinned(len(self.curve), POINTS)
        return sorted({*(place + 1 for place in places), *self.restarts})

    def x(self, epochs: Sequence[int], aligned: bool) -> list[float]:
        """The x of these epochs: aligned, the index of the cycle plus the fraction that is done."""
        if not aligned:
            return list(epochs)
        assert isinstance(self.schedule, WarmRestarts), "others are not aligned"
        cycles = cycles_of(self.schedule.T_0, self.schedule.T_mult)
        index, left = cycles.locate_array(np.array(epochs, np.int64))
        return [float(place) for place in index + 1.0 - left]


def curves(
    drawn: Sequence[Drawn],
    *,
    metric: str,
    aligned: bool = False,
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """Learning curves, marked at the last epoch before each restart and at the end of all.

    What did not complete is dimmed.

    `aligned`: x is the index of the cycle plus the fraction of it that is done, so that curves of different
    T_0 line up at their restarts. `log_y`: where all values are positive.
    """
    drawn = [each for each in drawn if any(map(is_number, each.curve))]
    if aligned:  # relatives have no cycles by which they could be
        drawn = [each for each in drawn if isinstance(each.schedule, WarmRestarts)]
    if not drawn:
        return style.empty("No trial has a learning curve yet: let the sweep run until one ends.")
    log_y = log_y and all(style.positive(filter(is_number, each.curve)) for each in drawn)
    summary = f"Learning curves of {len(drawn)} trial{'s' * (len(drawn) != 1)}: {_numbers(drawn)}"
    title = "cycle" if aligned else "epoch"
    layout = style.layout(summary, title, metric, log_x=log_x, log_y=log_y)
    traces: list[dict[str, Any]] = []
    highest = 0.0
    drawn_states: set[str] = set()
    for place, each in enumerate(drawn):
        made = _traces(each, place, aligned, each.state not in drawn_states)
        highest = max(highest, made[0]["x"][-1])
        drawn_states.add(each.state)
        traces += made
    layout["xaxis"] |= {} if log_x else style.whole(highest)
    layout["showlegend"] = True
    if len(drawn) == 1 and not aligned:
        layout["shapes"] = style.upright(drawn[0].restarts)
    return style.figure(traces, layout)


def _traces(drawn: Drawn, place: int, aligned: bool, first_of_state: bool) -> list[dict[str, Any]]:
    """The curve, and its marks as a trace of their own, which the legend hides with it."""
    unfinished = UNFINISHED.get(drawn.state)
    color = style.GREY if unfinished else style.PALETTE[place % len(style.PALETTE)]
    said = f"trial {drawn.number}, {style.arm_name(drawn.arm)}"
    hover = f"{said}, {unfinished}" if unfinished else said
    x_said = "cycle" if aligned else "epoch"
    common = {
        "type": "scatter",
        "name": unfinished or said,
        "legendgroup": unfinished or said,
        "opacity": style.DIMMED if unfinished else 1,
        "line": {"color": color, "width": 1 if unfinished else 2},
        "hovertemplate": f"{hover}, {x_said} %{{x}}: %{{y}}<extra></extra>",
    }
    marks = _points(drawn, [*drawn.restarts, len(drawn.curve)], aligned)
    return [
        {
            **common,
            **_points(drawn, drawn.epochs(), aligned),
            "mode": "lines",
            "uid": f"curve-{drawn.number}",
            "showlegend": False,
        },
        {
            **common,
            # The legend shows line and symbol; gaps between the marks leave the line to the curve.
            **{name: [each for value in values for each in (value, None)] for name, values in marks.items()},
            "mode": "lines+markers",
            "uid": f"marks-{drawn.number}",
            "marker": {"color": color, "symbol": style.SYMBOLS[place % len(style.SYMBOLS)], "size": 7},
            "showlegend": not unfinished or first_of_state,
        },
    ]


def _points(drawn: Drawn, epochs: Sequence[int], aligned: bool) -> dict[str, list[Any]]:
    return {
        "x": numbers(drawn.x(epochs, aligned)),
        "y": numbers(drawn.curve[epoch - 1] for epoch in epochs),
        "customdata": [drawn.number] * len(epochs),
    }


def _numbers(drawn: Sequence[Drawn]) -> str:
    listed = ", ".join(str(each.number) for each in drawn[:10])
    return f"{listed} and others" if len(drawn) > 10 else listed
