"""The good values in the space of schedules: over T_0 and T_mult, base_lr and eta_min."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any, Literal, TypeAlias

import numpy as np

from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import Row, arm, by_arm, completed, eta_ratio, is_number
from sgdr_service.dashboard.figures.style import Figure, number, numbers, text

Cells: TypeAlias = dict[tuple[str, str], list[float]]

MOST_BINS = 12
NONE_WITH_RESTARTS = "No trial with restarts is complete yet: let the sweep run, or give it more trials."


def heat_map(
    rows: Sequence[Row], direction: str, metric: str, *, statistic: Literal["best", "median"] = "best"
) -> Figure:
    """The best or the median value of the schedules with restarts, over T_0, in bins, and T_mult."""
    done = [row for row in completed(rows) if arm(row) == "restarts"]
    done = [row for row in done if is_number(row["T_0"]) and is_number(row["T_mult"])]
    if not done:
        return style.empty(NONE_WITH_RESTARTS)
    better = min if direction == "minimize" else max
    bins, cells = _binned(done)
    factors = [f"{factor:g}" for factor in sorted({row["T_mult"] for row in done})]
    worth = {cell: (better if statistic == "best" else median)(values) for cell, values in cells.items()}
    T_mult, T_0 = best = better(worth, key=lambda cell: worth[cell])
    what = f"{statistic} {text(metric)}"
    hover = {
        cell: f"{what} {worth[cell]:.4g} of {len(values):,}<br>T_0 {cell[1]}, T_mult {cell[0]}"
        for cell, values in cells.items()
    }
    trace = {
        "type": "heatmap",
        "uid": "heat-map",
        "x": bins,
        "y": factors,
        "z": [[number(worth.get((factor, each))) for each in bins] for factor in factors],
        "hovertext": [[hover.get((factor, each), "") for each in bins] for factor in factors],
        "hoverinfo": "text",
        "hoverongaps": False,
        "texttemplate": "%{z:.3g}",
        "textfont": {"color": "white"},
        "xgap": 2,
        "ygap": 2,
        "colorscale": style.SCALE,
        "reversescale": direction == "maximize",
        "colorbar": {"title": {"text": text(metric), "side": "right"}, "thickness": 12, "outlinewidth": 0},
    }
    summary = (
        f"The {statistic} {metric} of {len(done):,} trials by T_0 and T_mult; the best of these, "
        f"{worth[best]:.4g}, is at T_0 {T_0} and T_mult {T_mult}"
    )
    layout = style.layout(summary, "T_0 in epochs", "T_mult")
    for name in ("xaxis", "yaxis"):
        layout[name] |= {"type": "category", "showgrid": False}
    return style.figure([trace], layout)


def scatter(rows: Sequence[Row], metric: str, *, log: bool = False) -> Figure:
    """Values over base_lr and, beside it, over eta_min / base_lr, by arm. A constant rate has no such ratio.

    `log`: the axis of values is logarithmic, where all of them are positive.
    """
    done = [row for row in completed(rows) if is_number(row["base_lr"])]
    if not done:
        return style.empty(style.NONE_COMPLETE)
    kind = style.scatter_type(2 * len(done))
    traces = []
    for name, found in by_arm(done).items():
        traces.append(_points(name, found, [row["base_lr"] for row in found], "x", kind))
        if name != "constant":
            traces.append(_points(name, found, [eta_ratio(row) for row in found], "x2", kind))
    log = log and style.positive(row["value"] for row in done)
    summary = f"The {metric} of {len(done):,} completed trials over base_lr and over eta_ratio"
    layout = style.layout(summary, "base_lr", metric, log_x=True, log_y=log)
    layout["xaxis"]["domain"] = [0, 0.48]
    layout["xaxis2"] = style.axis("eta_ratio = eta_min / base_lr", domain=[0.52, 1])
    layout["showlegend"] = True
    return style.figure(traces, layout)


def _binned(rows: Sequence[Row]) -> tuple[list[str], Cells]:
    """The bins of T_0 by name, and the values of the rows by T_mult and bin."""
    lengths = [row["T_0"] for row in rows]
    edges = _edges(lengths)
    bins = [str(low) if low + 1 == after else f"{low}–{after - 1}" for low, after in pairwise(edges)]
    cells: Cells = defaultdict(list)
    for row, after in zip(rows, np.searchsorted(edges, lengths, side="right").tolist(), strict=True):
        cells[f"{row['T_mult']:g}", bins[after - 1]].append(row["value"])
    return bins, cells


def _edges(lengths: Sequence[float]) -> list[int]:
    """The lengths at which bins begin, on a logarithmic scale, and last where the last has ended."""
    low, after = math.floor(min(lengths)), math.floor(max(lengths)) + 1
    spaced = np.geomspace(max(low, 1), after, MOST_BINS + 1).round().astype(int).tolist()
    return sorted({low, *spaced[1:-1], after})


def _points(
    name: str, rows: Sequence[Row], x: Sequence[float | None], axis: str, kind: str
) -> dict[str, Any]:
    x_said = "base_lr" if axis == "x" else "eta_ratio"
    return {
        "type": kind,
        "mode": "markers",
        "uid": f"{axis}-{name}",
        "name": f"{style.arm_name(name)} ({len(rows):,})",
        "legendgroup": name,
        "showlegend": axis == "x",
        "x": numbers(x),
        "y": numbers(row["value"] for row in rows),
        "customdata": [row["number"] for row in rows],
        "xaxis": axis,
        "marker": style.arm_marker(name, 6 if kind == "scatter" else 4),
        "hovertemplate": f"trial %{{customdata}}, {x_said} %{{x}}: %{{y}}<extra></extra>",
    }
