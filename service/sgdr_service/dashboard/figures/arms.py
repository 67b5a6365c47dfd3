"""The shapes of a study side by side."""

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
    arms = by_arm(completed(rows))
    if not arms:
        return style.empty(style.NONE_COMPLETE)
    log = style.spread_out([row["value"] for arm_rows in arms.values() for row in arm_rows])
    counts = ", ".join(f"{style.arm_name(arm)} {len(arm_rows):,}" for arm, arm_rows in arms.items())
    summary = f"How the {metric} of completed trials is distributed, each trained once: {counts}"
    boxes = [_box(arm, arm_rows) for arm, arm_rows in arms.items()]
    y = style.names_axis(autorange="reversed")
    return style.figure(boxes, summary, style.axis(metric, log=log), y, showlegend=False)


def _box(arm: str, rows: Sequence[Row]) -> dict[str, Any]:
    marker = style.arm_marker(arm, 5)
    return {
        "type": "box",
        "orientation": "h",
        "uid": f"arm-{arm}",
        "name": f"{style.arm_name(arm)} ({len(rows):,})",
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
    names = {candidate.number: _name(candidate) for candidate in verdict.candidates}
    arms = {arm: [candidate for candidate in verdict.candidates if candidate.arm == arm] for arm in ALL_ARMS}
    traces = [_means(arm, candidates, names) for arm, candidates in arms.items() if candidates]
    summary = f"Means of {verdict.metric} with 95 % intervals over up to {verdict.seeds} seeds: {verdict}"
    x, top = style.axis(f"mean {verdict.metric}"), len(names) - 0.5
    y = style.names_axis(categoryorder="array", categoryarray=list(names.values()), range=[top, -0.5])
    return style.figure(traces, summary, x, y, showlegend=False)


def _name(candidate: Confirmed) -> str:
    failed = " (failed)" if candidate.failed is not None else ""
    return f"{style.arm_name(candidate.arm)}: trial {candidate.number}{failed}"


def _means(arm: str, candidates: Sequence[Confirmed], names: dict[int, str]) -> dict[str, Any]:
    above = [_apart(candidate.high, candidate.mean) for candidate in candidates]
    below = [_apart(candidate.mean, candidate.low) for candidate in candidates]
    return style.trace(
        f"arm-{arm}",
        style.arm_name(arm),
        numbers(candidate.mean for candidate in candidates),
        [names[candidate.number] for candidate in candidates],
        "%{y}<br>%{x}",
        customdata=[candidate.number for candidate in candidates],
        error_x={"type": "data", "symmetric": False, "array": above, "arrayminus": below},
        marker=style.arm_marker(arm, 10),
    )


def _apart(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else number(high - low)
