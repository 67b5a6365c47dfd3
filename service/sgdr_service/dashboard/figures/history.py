"""How the search went on: values over trials, and the best so far."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from sgdr.choices import Direction, Outcome
from sgdr.search.study.listing import row_outcome
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import Row, by_arm, completed, is_number
from sgdr_service.dashboard.figures.style import Figure, number, numbers, text

UNFINISHED: Mapping[str, str] = {
    Outcome.PRUNED: "line-ns-open",
    Outcome.DIVERGED: "x-thin-open",
    Outcome.FAILED: "cross-thin-open",
}
"""What is marked below the values, and how."""
RUG = 0.04
"""The height of a row of these marks, of the figure's."""
SPARKS = 60
"""Points of a sparkline."""


def history(rows: Sequence[Row], direction: str, metric: str, *, log: bool = False) -> Figure:
    """Values over the numbers of trials, by arm, with the best so far; below, what did not complete.

    `log`: the axis of values is logarithmic, where all of them are positive.
    """
    done = completed(rows)
    marked = {name: [row["number"] for row in rows if row_outcome(row) == name] for name in UNFINISHED}
    marked = {name: numbered for name, numbered in marked.items() if numbered}
    if not done and not marked:
        return style.empty(style.NONE_COMPLETE if rows else "No trial has begun yet: let the sweep run.")
    numbered, best = best_so_far(done, direction)
    kind = style.scatter_type(len(rows))
    last = rows[-1]["number"]
    traces = [_points(arm, arm_rows, kind) for arm, arm_rows in by_arm(done).items()]
    if done:
        # The points below it are those to be hovered over and clicked on.
        look = {"color": style.PINK, "width": 2, "dash": "solid"}
        steps = _steps(numbered, best, last)
        traces.append(_step_line("best", "best so far", *steps, look, type=kind, hoverinfo="skip"))
    traces += [_ticks(name, place, ticks, kind) for place, (name, ticks) in enumerate(marked.items())]
    log = log and style.positive(row["value"] for row in done)
    rug = len(marked)
    x = style.axis("trial", anchor="y2" if rug else "y", **style.whole(last))
    y = style.axis(metric, log=log, domain=[RUG * rug + 0.02 if rug else 0, 1])
    y2 = {"domain": [0, RUG * rug], "range": [rug - 0.5, -0.5], "visible": False, "fixedrange": True}
    notes = [] if done else [style.note(style.NONE_COMPLETE)]
    summary = _summary(rows, metric, numbered, best)
    return style.figure(traces, summary, x, y, yaxis2=y2, annotations=notes)


def best_so_far(rows: Iterable[Row], direction: str) -> tuple[list[int], list[float]]:
    """The numbers of the completed trials, and at each the best value up to it."""
    done = completed(rows)
    better = min if direction == Direction.MINIMIZE else max
    return [row["number"] for row in done], list(accumulate((row["value"] for row in done), better))


def compared(
    series: Mapping[str, Sequence[Row]],
    direction: str,
    metric: str,
    *,
    by: Literal["trials", "epochs"] = "trials",
    log: bool = False,
) -> Figure:
    """The best so far of several studies by name, over trials or over the epochs trained by all of them.

    `log`: the axis of values is logarithmic, where all of them are positive.
    """
    traces, reached = [], []
    for place, (name, rows) in enumerate(series.items()):
        spent = list(accumulate(1 if by == "trials" else row["epochs"] or 0 for row in rows))
        at = {row["number"]: so_far for row, so_far in zip(rows, spent, strict=True)}
        numbered, best = best_so_far(rows, direction)
        if best:
            x, y = _steps([at[number] for number in numbered], best, spent[-1])
            traces.append(_step_line(f"study-{place}", text(name), x, y, style.pen(place)))
            reached.append((best[-1], name, x))
    if not traces:
        return style.empty(style.NONE_COMPLETE)
    value, name, _ = (min if direction == Direction.MINIMIZE else max)(reached)
    summary = f"The best {metric} so far over {by}, by study; the best of all is {value:.4g}, of {name}"
    log = log and all(style.positive(trace["y"]) for trace in traces)
    title = "trials" if by == "trials" else "epochs trained"
    x_axis = style.axis(title, **style.whole(max(x[-1] for _, _, x in reached)))
    return style.figure(traces, summary, x_axis, style.axis(metric, log=log), showlegend=True)


def sparkline(values: Sequence[float | None], width: int, height: int, label: str) -> str:
    """An SVG of so many pixels, called `label`: a line through at most `SPARKS` of the values."""
    known = [value for value in values if is_number(value)]
    known = [known[place] for place in style.thinned(len(known), SPARKS)]
    known *= 2 if len(known) == 1 else 1
    ends = min(known, default=0.0), max(known, default=0.0)
    x = np.linspace(2, width - 2, len(known)).tolist()
    y = np.interp(known, ends, (height - 2, 2)).tolist()
    points = " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{html.escape(label)}" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )


def _points(arm: str, rows: Sequence[Row], kind: str) -> dict[str, Any]:
    said = f"trial %{{x}}, {style.arm_name(arm)}: %{{y}}"
    return style.arm_trace(f"arm-{arm}", arm, rows, [row["number"] for row in rows], said, kind)


def _step_line(
    uid: str, name: str, x: Sequence[float], y: Sequence[float], look: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """The best so far, `y`, which stays until the next `x`."""
    line = {"shape": "hv", **look}
    return style.trace(uid, name, x, numbers(y), f"{name}, %{{x}}: %{{y}}", mode="lines", line=line, **more)


def _ticks(name: str, place: int, numbered: Sequence[int], kind: str) -> dict[str, Any]:
    return style.trace(
        f"ticks-{name}",
        f"{name} ({len(numbered):,})",
        numbered,
        [place] * len(numbered),
        f"trial %{{x}}, {name}",
        type=kind,
        customdata=numbered,
        yaxis="y2",
        opacity=style.DIMMED,
        marker={"symbol": UNFINISHED[name], "size": 6, "color": style.GREY, "line": {"width": 1}},
    )


def _steps(x: Sequence[float], best: Sequence[float], end: float) -> tuple[list[float], list[float]]:
    """The places where the best so far is another, and the end of the line."""
    steps = [place for place in range(len(best)) if place == 0 or best[place] != best[place - 1]]
    return [*(x[place] for place in steps), end], [*(best[place] for place in steps), best[-1]]


def _summary(rows: Sequence[Row], metric: str, numbered: Sequence[int], best: Sequence[float]) -> str:
    trials = f"{len(rows):,} trial{'s' * (len(rows) != 1)}"
    if not best:
        return f"{trials}; none is complete yet"
    return f"{trials}; best {metric} {number(best[-1]):.4g} at trial {numbered[best.index(best[-1])]}"
