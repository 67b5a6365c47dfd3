"""The good values in the space of schedules: over T_0 and T_mult, base_lr and eta_min."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any, Literal, TypeAlias

import numpy as np

from sgdr.choices import Direction
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import Row, by_arm, completed, eta_ratio, is_number
from sgdr_service.dashboard.figures.style import Figure, number, text

Cells: TypeAlias = dict[tuple[str, str], list[float]]

MOST_BINS = 12
NONE_WITH_RESTARTS = "No trial with restarts is complete yet: let the sweep run, or give it more trials."


def heat_map(
    rows: Sequence[Row], direction: str, metric: str, *, statistic: Literal["best", "median"] = "best"
) -> Figure:
    """The best or the median value of the schedules with restarts, over T_0, in bins, and T_mult."""
    done = by_arm(completed(rows)).get("restarts", [])
    done = [row for row in done if is_number(row["T_0"]) and is_number(row["T_mult"])]
    if not done:
        return style.empty(NONE_WITH_RESTARTS)
    better = min if direction == Direction.MINIMIZE else max
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
        "z": [[number(worth.get((factor, lengths))) for lengths in bins] for factor in factors],
        "hovertext": [[hover.get((factor, lengths), "") for lengths in bins] for factor in factors],
        "hoverinfo": "text",
        "hoverongaps": False,
        "texttemplate": "%{z:.3g}",
        "textfont": {"color": "white"},
        "xgap": 2,
        "ygap": 2,
        "colorscale": style.SCALE,
        "reversescale": direction == Direction.MAXIMIZE,
        "colorbar": {"title": {"text": text(metric), "side": "right"}, "thickness": 12, "outlinewidth": 0},
    }
    summary = (
        f"The {statistic} {metric} of {len(done):,} trials by T_0 and T_mult; the best of these, "
        f"{worth[best]:.4g}, is at T_0 {T_0} and T_mult {T_mult}"
    )
    return style.figure([trace], summary, style.names_axis("T_0 in epochs"), style.names_axis("T_mult"))


def scatter(rows: Sequence[Row], metric: str, *, log: bool = False) -> Figure:
    """Values over base_lr and, beside it, over eta_min / base_lr, by arm. A constant rate has no such ratio.

    `log`: the axis of values is logarithmic, where all of them are positive.
    """
    done = [row for row in completed(rows) if is_number(row["base_lr"])]
    if not done:
        return style.empty(style.NONE_COMPLETE)
    kind = style.scatter_type(2 * len(done))
    traces = []
    for name, arm_rows in by_arm(done).items():
        traces.append(_points(name, arm_rows, "base_lr", [row["base_lr"] for row in arm_rows], kind))
        if name != "constant":
            traces.append(_points(name, arm_rows, "eta_ratio", [eta_ratio(row) for row in arm_rows], kind))
    summary = f"The {metric} of {len(done):,} completed trials over base_lr and over eta_ratio"
    x = style.axis("base_lr", log=True, domain=[0, 0.48])
    x2 = style.axis("eta_ratio = eta_min / base_lr", domain=[0.52, 1])
    y = style.axis(metric, log=log and style.positive(row["value"] for row in done))
    return style.figure(traces, summary, x, y, xaxis2=x2, showlegend=True)


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


def _points(arm: str, rows: Sequence[Row], name: str, x: Sequence[float | None], kind: str) -> dict[str, Any]:
    axis = "x" if name == "base_lr" else "x2"
    said = f"trial %{{customdata}}, {name} %{{x}}: %{{y}}"
    return style.arm_trace(
        f"{axis}-{arm}", arm, rows, x, said, kind, xaxis=axis, legendgroup=arm, showlegend=axis == "x"
    )
