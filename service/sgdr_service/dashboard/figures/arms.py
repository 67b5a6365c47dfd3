"""Restarts, one cosine cycle and a constant rate side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sgdr.search.problem.arms import ALL_ARMS
from sgdr.search.study.verdict import Confirmed, Verdict
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import Row, by_arm, completed
from sgdr_service.dashboard.figures.style import Figure, number, numbers

FEW = 500
"""Values of an arm that are drawn as points beside their box."""


def arms_figure(verdict: Verdict | None, rows: Sequence[Row], metric: str) -> Figure:
    """What each arm is worth.

    With a verdict: the means of its candidates over seeds, with their 95 % intervals. Without: how the
    values of the completed trials, each of one seed, are distributed. The summary says which.
    """
    if verdict is not None:
        return _candidates(verdict)
    done = by_arm(completed(rows))
    if not done:
        return style.empty(style.NONE_COMPLETE)
    log = style.spread_out([row["value"] for found in done.values() for row in found])
    counts = ", ".join(f"{style.arm_name(name)} {len(found):,}" for name, found in done.items())
    summary = f"How the {metric} of completed trials is distributed, each trained once: {counts}"
    layout = style.layout(summary, metric, log_x=log)
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    layout["showlegend"] = False
    return style.figure([_box(name, found) for name, found in done.items()], layout)


def _box(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    marker = style.arm_marker(name, 5)
    return {
        "type": "box",
        "orientation": "h",
        "uid": f"arm-{name}",
        "name": f"{style.arm_name(name)} ({len(rows):,})",
        "x": numbers(row["value"] for row in rows),
        "customdata": [row["number"] for row in rows],
        "boxpoints": "all" if len(rows) <= FEW else False,
        "jitter": 0.5,
        "pointpos": 0,
        "marker": {**marker, "opacity": style.DIMMED},
        "line": {"color": marker["color"]},
        "fillcolor": "rgba(0, 0, 0, 0)",
    }


def _candidates(verdict: Verdict) -> Figure:
    names = {each.number: _name(each) for each in verdict.candidates}
    present = [name for name in ALL_ARMS if any(each.arm == name for each in verdict.candidates)]
    traces = [
        _means(name, [each for each in verdict.candidates if each.arm == name], names) for name in present
    ]
    summary = f"Means of {verdict.metric} with 95 % intervals over up to {verdict.seeds} seeds: {verdict}"
    layout = style.layout(summary, f"mean {verdict.metric}")
    layout["yaxis"] |= {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": list(names.values()),
        "range": [len(names) - 0.5, -0.5],
        "showgrid": False,
    }
    layout["showlegend"] = False
    return style.figure(traces, layout)


def _name(candidate: Confirmed) -> str:
    said = f"{style.arm_name(candidate.arm)}: trial {candidate.number}"
    return f"{said} (failed)" if candidate.failed is not None else said


def _means(name: str, candidates: Sequence[Confirmed], names: dict[int, str]) -> dict[str, Any]:
    above = [_apart(each.high, each.mean) for each in candidates]
    below = [_apart(each.mean, each.low) for each in candidates]
    return {
        "type": "scatter",
        "mode": "markers",
        "uid": f"arm-{name}",
        "name": style.arm_name(name),
        "x": numbers(each.mean for each in candidates),
        "y": [names[each.number] for each in candidates],
        "customdata": [each.number for each in candidates],
        "error_x": {"type": "data", "symmetric": False, "array": above, "arrayminus": below},
        "marker": style.arm_marker(name, 10),
        "hovertemplate": "%{y}<br>%{x}<extra></extra>",
    }


def _apart(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else number(high - low)
