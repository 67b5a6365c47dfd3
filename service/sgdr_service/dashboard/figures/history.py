"""How the search went on: values over trials, and the best so far."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import Row, by_arm, completed, is_number, outcome
from sgdr_service.dashboard.figures.style import Figure, number, numbers, text

UNFINISHED = {"pruned": "line-ns-open", "diverged": "x-thin-open", "failed": "cross-thin-open"}
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
    marked = {name: [row["number"] for row in rows if outcome(row) == name] for name in UNFINISHED}
    marked = {name: found for name, found in marked.items() if found}
    if not done and not marked:
        return style.empty(style.NONE_COMPLETE if rows else "No trial has begun yet: let the sweep run.")
    numbered, best = best_so_far(done, direction)
    kind = style.scatter_type(len(rows))
    last = rows[-1]["number"]
    traces = [_points(arm, found, kind) for arm, found in by_arm(done).items()]
    if done:
        x, y = _steps(numbered, best, last)
        # The points below it are those to be hovered over and clicked on.
        traces.append({**_step_line("best", x, y, "best so far", kind, style.PINK), "hoverinfo": "skip"})
    rug = [_ticks(name, row, found, kind) for row, (name, found) in enumerate(marked.items())]
    height = RUG * len(rug)
    log = log and style.positive(row["value"] for row in done)
    layout = style.layout(_summary(rows, metric, numbered, best), "trial", metric, log_y=log)
    layout["xaxis"] |= {"anchor": "y2" if rug else "y", **style.whole(last)}
    layout["yaxis"]["domain"] = [height + 0.02 if rug else 0, 1]
    layout["yaxis2"] = {
        "domain": [0, height],
        "range": [len(rug) - 0.5, -0.5],
        "visible": False,
        "fixedrange": True,
    }
    if not done:
        layout["annotations"] = [style.note(style.NONE_COMPLETE)]
    return style.figure([*traces, *rug], layout)


def best_so_far(rows: Iterable[Row], direction: str) -> tuple[list[int], list[float]]:
    """The numbers of the completed trials, and at each the best value up to it."""
    done = completed(rows)
    better = min if direction == "minimize" else max
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
            x, y = _steps([at[each] for each in numbered], best, spent[-1])
            color = style.PALETTE[place % len(style.PALETTE)]
            dash = style.DASHES[place % len(style.DASHES)]
            traces.append(_step_line(f"study-{place}", x, y, text(name), "scatter", color, dash))
            reached.append((best[-1], name, x))
    if not traces:
        return style.empty(style.NONE_COMPLETE)
    value, name, _ = (min if direction == "minimize" else max)(reached)
    summary = f"The best {metric} so far over {by}, by study; the best of all is {value:.4g}, of {name}"
    log = log and all(style.positive(trace["y"]) for trace in traces)
    title = "trials" if by == "trials" else "epochs trained"
    layout = style.layout(summary, title, metric, log_y=log)
    layout["xaxis"] |= style.whole(max(x[-1] for _, _, x in reached))
    layout["showlegend"] = True
    return style.figure(traces, layout)


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
    numbered = [row["number"] for row in rows]
    return {
        "type": kind,
        "mode": "markers",
        "uid": f"arm-{arm}",
        "name": f"{style.arm_name(arm)} ({len(rows):,})",
        "x": numbered,
        "y": numbers(row["value"] for row in rows),
        "customdata": numbered,
        "marker": style.arm_marker(arm, 6 if kind == "scatter" else 4),
        "hovertemplate": f"trial %{{x}}, {style.arm_name(arm)}: %{{y}}<extra></extra>",
    }


def _step_line(
    uid: str, x: Sequence[float], y: Sequence[float], name: str, kind: str, color: str, dash: str = "solid"
) -> dict[str, Any]:
    return {
        "type": kind,
        "mode": "lines",
        "uid": uid,
        "name": name,
        "x": x,
        "y": numbers(y),
        "line": {"shape": "hv", "color": color, "width": 2, "dash": dash},
        "hovertemplate": f"{name}, %{{x}}: %{{y}}<extra></extra>",
    }


def _ticks(name: str, row: int, numbered: Sequence[int], kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "mode": "markers",
        "uid": f"ticks-{name}",
        "name": f"{name} ({len(numbered):,})",
        "x": numbered,
        "y": [row] * len(numbered),
        "customdata": numbered,
        "yaxis": "y2",
        "opacity": style.DIMMED,
        "marker": {"symbol": UNFINISHED[name], "size": 6, "color": style.GREY, "line": {"width": 1}},
        "hovertemplate": f"trial %{{x}}, {name}<extra></extra>",
    }


def _steps(x: Sequence[float], best: Sequence[float], end: float) -> tuple[list[float], list[float]]:
    """The places where the best so far is another, and the end of the line."""
    kept = [place for place in range(len(best)) if place == 0 or best[place] != best[place - 1]]
    return [*(x[place] for place in kept), end], [*(best[place] for place in kept), best[-1]]


def _summary(rows: Sequence[Row], metric: str, numbered: Sequence[int], best: Sequence[float]) -> str:
    trials = f"{len(rows):,} trial{'s' * (len(rows) != 1)}"
    if not best:
        return f"{trials}; none is complete yet"
    return f"{trials}; best {metric} {number(best[-1]):.4g} at trial {numbered[best.index(best[-1])]}"
