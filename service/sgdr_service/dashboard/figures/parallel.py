"""Trials as lines through all that was searched: parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sgdr.choices import Direction
from sgdr.schedule import FIELDS
from sgdr.search.study.flat_names import flat_name
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.rows import Row, arm, eta_ratio, is_number, ranked
from sgdr_service.dashboard.figures.style import Figure, numbers, text

MOST_LINES = 2000
MOST_TICKS = 30
"""Categories that are named on an axis."""
FEW = 8
"""Numbers that are all named on an axis."""
TAKEN = ("arm", "base_lr", "T_0", "T_mult", "eta_ratio")
"""The axes that every study has."""


def parallel(
    rows: Sequence[Row], hparams: Sequence[str], direction: str, metric: str, *, top_percent: float = 100
) -> Figure:
    """The best trials as lines through all that was searched to their values, which colour them.

    `hparams`: the names of the workload's own values. `top_percent`: so many of the completed trials are
    drawn, the best, and at most `MOST_LINES` of those. Raises ValueError where it is not from 0 to 100.
    """
    if not 0 <= top_percent <= 100:
        raise ValueError(f"top_percent={top_percent!r} must be from 0 to 100")
    order = [row for row in ranked(rows, direction) if _is_known(row)]
    if not order:
        return style.empty(style.NONE_COMPLETE)
    best = order[: max(1, math.ceil(len(order) * top_percent / 100))]
    drawn = [best[place] for place in style.thinned(len(best), MOST_LINES)]
    axes = [
        _categories("arm", [arm(row) for row in drawn]),
        _numbers("base_lr", [row["base_lr"] for row in drawn], log=True),
        _numbers("T_0", [row["T_0"] for row in drawn], log=True),
        _numbers("T_mult", [row["T_mult"] for row in drawn]),
        _numbers("eta_ratio", [eta_ratio(row) or 0.0 for row in drawn]),
        *(
            _own(flat_name("hparams", name, (*TAKEN, metric)), [row["hparams"].get(name) for row in drawn])
            for name in hparams
        ),
        _own(metric, [row["value"] for row in drawn]),
    ]
    trace = {
        "type": "parcoords",
        "uid": "parallel",
        "dimensions": axes,
        "line": {
            "color": axes[-1]["values"],
            "colorscale": style.SCALE,
            "reversescale": direction == Direction.MAXIMIZE,
        },
        "unselected": {"line": {"color": style.GREY, "opacity": 0.1}},
    }
    summary = (
        f"The best {len(best):,} of {len(order):,} completed trials as lines through all that was searched; "
        f"the best {metric} is {best[0]['value']:.4g} at trial {best[0]['number']}"
    )
    return style.figure([trace], summary, margin={"l": 64, "r": 64, "t": 64, "b": 24})


def _is_known(row: Row) -> bool:
    """Whether its schedule is known, and can be drawn on logarithmic axes."""
    known = all(is_number(row[name]) for name in FIELDS)
    return known and row["base_lr"] > 0 and row["T_0"] > 0


def _own(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """The axis that fits the values."""
    if all(map(is_number, values)):
        return _numbers(name, values, log=style.spread_out(values))
    return _categories(name, values)


def _numbers(name: str, values: Sequence[float], log: bool = False) -> dict[str, Any]:
    def places(values: Iterable[float]) -> list[float | None]:
        return numbers(math.log10(value) if log else value for value in values)

    named = sorted(set(values)) if len(set(values)) <= FEW else _decades(values) if log else []
    axis = {"label": text(name, style.LONGEST_TICK), "values": places(values)}
    ticks = {"tickvals": places(named), "ticktext": [f"{value:.4g}" for value in named]}
    return {**axis, **(ticks if named else {})}


def _decades(values: Sequence[float]) -> list[float]:
    """Numbers to name on a logarithmic axis: 1, 2 and 5 of each decade, of many decades only 1."""
    low, high = min(values), max(values)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = math.ceil((last - first) / FEW)
    digits = (1, 2, 5) if last - first <= 3 else (1,)
    inner = [float(f"{digit}e{power}") for power in range(first, last + 1, every) for digit in digits]
    return [low, *(value for value in inner if low * 1.2 < value < high / 1.2), high]


def _categories(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """An axis of the distinct values, in order, as whole numbers with names."""
    categories = sorted({str(value): value for value in values}.items(), key=_in_order)
    places = {words: place for place, (words, _) in enumerate(categories)}
    named = style.thinned(len(categories), MOST_TICKS)
    # Plotly finds markup in labels, but none in the names of ticks here.
    return {
        "label": text(name, style.LONGEST_TICK),
        "values": [places[str(value)] for value in values],
        "tickvals": named,
        "ticktext": [style.short(categories[place][0], style.LONGEST_TICK) for place in named],
    }


def _in_order(category: tuple[str, Any]) -> tuple[bool, float, str]:
    """Numbers first, as numbers; the rest by name."""
    words, value = category
    return (False, value, words) if is_number(value) else (True, 0.0, words)
