"""Learning curves of several trials, over epochs or over cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sgdr.choices import Outcome, State
from sgdr.cycles import cycles_of
from sgdr.schedule import WarmRestarts
from sgdr.shapes import Schedule
from sgdr.warmup import unwarmed
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import is_number
from sgdr_service.dashboard.figures.schedules import are_drawable
from sgdr_service.dashboard.figures.style import Figure, numbers

POINTS = 2000
"""The most points of a drawn curve, beside those before restarts."""
UNFINISHED: Mapping[str, str] = {State.PRUNED: Outcome.PRUNED, State.FAIL: Outcome.FAILED}


@dataclass(frozen=True)
class Drawn:
    """A trial to be drawn."""

    number: int
    state: str
    arm: str
    schedule: Schedule
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
        restarts, warmup = unwarmed(self.schedule)
        assert isinstance(restarts, WarmRestarts), "others are not aligned"
        cycles = cycles_of(restarts.T_0, restarts.T_mult)
        done = np.array(epochs, np.int64) - warmup
        index, left = cycles.locate_array(np.maximum(done, 0))
        places = np.where(done < 0, done / restarts.T_0, index + 1.0 - left)  # a warm-up comes before 0
        return [float(place) for place in places]


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
    drawn = [trial for trial in drawn if any(map(is_number, trial.curve))]
    if aligned:  # formulas have no cycles by which they could be
        drawn = [trial for trial in drawn if isinstance(unwarmed(trial.schedule)[0], WarmRestarts)]
    if not drawn:
        return style.empty("No trial has a learning curve yet: let the sweep run until one ends.")
    traces: list[dict[str, Any]] = []
    drawn_states: set[str] = set()
    for place, trial in enumerate(drawn):
        traces += _traces(trial, place, aligned, trial.state not in drawn_states)
        drawn_states.add(trial.state)
    listed = ", ".join(str(trial.number) for trial in drawn[:10]) + " and others" * (len(drawn) > 10)
    summary = f"Learning curves of {len(drawn)} trial{'s' * (len(drawn) != 1)}: {listed}"
    last = max(line["x"][-1] for line in traces[::2])
    x = style.axis("cycle" if aligned else "epoch", log=log_x, **({} if log_x else style.whole(last)))
    positive = all(style.positive(filter(is_number, trial.curve)) for trial in drawn)
    y = style.axis(metric, log=log_y and positive)
    restarts = drawn[0].restarts if len(drawn) == 1 and not aligned else []
    return style.figure(traces, summary, x, y, showlegend=True, shapes=style.upright(restarts))


def _traces(drawn: Drawn, place: int, aligned: bool, first_of_state: bool) -> list[dict[str, Any]]:
    """The curve, and its marks as a trace of their own, which the legend hides with it."""
    unfinished = UNFINISHED.get(drawn.state)
    color = style.GREY if unfinished else style.PALETTE[place % len(style.PALETTE)]
    words = f"trial {drawn.number}, {style.arm_name(drawn.arm)}"
    hover = f"{words}, {unfinished}" if unfinished else words
    common: dict[str, Any] = {
        "name": unfinished or words,
        "said": f"{hover}, {'cycle' if aligned else 'epoch'} %{{x}}: %{{y}}",
        "legendgroup": unfinished or words,
        "opacity": style.DIMMED if unfinished else 1,
        "line": {"color": color, "width": 1 if unfinished else 2},
    }
    curve = _points(drawn, drawn.epochs(), aligned)
    marks = _points(drawn, [*drawn.restarts, len(drawn.curve)], aligned)
    # The legend shows line and symbol; gaps between the marks leave the line to the curve.
    marks = {name: [end for value in values for end in (value, None)] for name, values in marks.items()}
    symbol = {"color": color, "symbol": style.SYMBOLS[place % len(style.SYMBOLS)], "size": 7}
    shown = not unfinished or first_of_state
    return [
        style.trace(f"curve-{drawn.number}", **common, **curve, mode="lines", showlegend=False),
        style.trace(
            f"marks-{drawn.number}", **common, **marks, mode="lines+markers", marker=symbol, showlegend=shown
        ),
    ]


def _points(drawn: Drawn, epochs: Sequence[int], aligned: bool) -> dict[str, Any]:
    return {
        "x": numbers(drawn.x(epochs, aligned)),
        "y": numbers(drawn.curve[epoch - 1] for epoch in epochs),
        "customdata": [drawn.number] * len(epochs),
    }
