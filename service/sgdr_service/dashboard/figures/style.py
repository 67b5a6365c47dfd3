"""How all figures look: colours, marks, axes, and user text that Plotly does not take for markup."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from sgdr.shapes import SHAPES
from sgdr_service.dashboard.figures.rows import Row

Figure: TypeAlias = dict[str, Any]
"""`data`, `layout` and `config` in plain JSON values; `layout.meta.summary` says what it shows."""

# After Okabe & Ito, "Color Universal Design", 2008; those with a contrast of 3:1 to white and to #121212.
BLUE, VERMILION, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
OLIVE, GREY = "#8C7A00", "#808080"
# As far from those as three more can be, with normal vision and with each kind of colour blindness.
VIOLET, BROWN, MAGENTA = "#8A4FFF", "#A0522D", "#F048E4"
PALETTE = (BLUE, VERMILION, GREEN, PINK, OLIVE)
COLORS = {
    "blue": BLUE,
    "vermilion": VERMILION,
    "green": GREEN,
    "pink": PINK,
    "olive": OLIVE,
    "grey": GREY,
    "violet": VIOLET,
    "brown": BROWN,
    "magenta": MAGENTA,
}
"""The colours by the names that `sgdr.shapes` has for them."""
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SCALE = [[0.0, BLUE], [0.5, "#737373"], [1.0, "#BF5300"]]
"""The colours from the best to the worst. White text has a contrast of 4.5:1 to all of it."""
DIMMED = 0.5
"""The opacity of what did not complete."""
GRID = "rgba(128, 128, 128, 0.25)"
LONGEST, LONGEST_TICK = 40, 20
"""Characters of user text, and of such beside or above an axis."""
MOST_SVG = 2000
"""Points; more are drawn by WebGL."""
NONE_COMPLETE = "No trial is complete yet: let the sweep run, or give it more trials."


def short(words: object, most: int = LONGEST) -> str:
    """User text, cut where it is longer than so many characters."""
    shown = str(words)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def text(words: object, most: int = LONGEST) -> str:
    """`short`, in which Plotly finds neither markup nor templates."""
    return html.escape(short(words, most), quote=False).replace("%{", "%&#123;")


def number(value: float | None) -> float | None:
    """The value to 6 significant digits, which is short in JSON; None where JSON has no such number."""
    if value is None or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.6g}")


def numbers(values: Iterable[float | None]) -> list[float | None]:
    """Each as `number` gives it."""
    return [number(value) for value in values]


def thinned(count: int, most: int) -> list[int]:
    """The places of at most so many of `count` things: the first, the last, and others evenly between."""
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]


def arm_name(arm: str) -> str:
    """The name of an arm for people; `arm` itself where it is none."""
    return SHAPES[arm].words if arm in SHAPES else text(arm)


def arm_marker(arm: str, size: float = 7) -> dict[str, Any]:
    """The colour and the symbol that the arm has in all figures."""
    shape = SHAPES.get(arm)
    color, symbol = (COLORS[shape.color], shape.marker) if shape else (GREY, "x")
    return {"color": color, "symbol": symbol, "size": size}


def scatter_type(points: int) -> str:
    """The kind of trace that draws so many points fluently."""
    return "scattergl" if points > MOST_SVG else "scatter"


def axis(title: str = "", *, log: bool = False, **more: Any) -> dict[str, Any]:
    """An axis with that title. A zoom is kept while title and scale stay: it means nothing on others."""
    kind = "log" if log else "linear"
    return {
        "title": {"text": text(title), "standoff": 8},
        "type": kind,
        "automargin": True,
        "gridcolor": GRID,
        "zeroline": False,
        "uirevision": f"{title} {kind}",
        "exponentformat": "e",
        **({"nticks": 5} if log else {}),
        **more,
    }


def names_axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis of names."""
    return axis(title, type="category", showgrid=False, **more)


def positive(values: Iterable[float]) -> bool:
    """Whether a logarithmic axis shows all of them."""
    return all(value > 0 for value in values)


def spread_out(values: Sequence[float]) -> bool:
    """Whether they are better told apart on a logarithmic axis: all positive, and over a factor of 100."""
    return bool(values) and min(values) > 0 and max(values) / min(values) > 100


def whole(highest: float) -> dict[str, Any]:
    """What makes the ticks of a linear axis from 0 to `highest` whole numbers."""
    return {"tickformat": ",d", **({"dtick": 1} if highest < 10 else {})}


def pen(place: int) -> dict[str, Any]:
    """The colour and the dashes of the line at that place of several."""
    return {"color": PALETTE[place % len(PALETTE)], "width": 2, "dash": DASHES[place % len(DASHES)]}


def trace(uid: str, name: str, x: Iterable[Any], y: Iterable[Any], said: str, **more: Any) -> dict[str, Any]:
    """Points, or with another `mode` a line; over each the pointer finds what `said` is a template of."""
    points = {"type": "scatter", "mode": "markers", "uid": uid, "name": name, "x": x, "y": y}
    return {**points, "hovertemplate": f"{said}<extra></extra>", **more}


def arm_trace(
    uid: str, arm: str, rows: Sequence[Row], x: Iterable[Any], said: str, kind: str, **more: Any
) -> dict[str, Any]:
    """The values of an arm's trials over `x`."""
    return trace(
        uid,
        f"{arm_name(arm)} ({len(rows):,})",
        numbers(x),
        numbers(row["value"] for row in rows),
        said,
        type=kind,
        customdata=[row["number"] for row in rows],
        marker=arm_marker(arm, 6 if kind == "scatter" else 4),
        **more,
    )


def note(words: str) -> dict[str, Any]:
    """An annotation in the middle; what follows its first colon is on a line of its own."""
    return {
        "text": text_lines(words),
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "showarrow": False,
        "font": {"size": 14},
    }


def text_lines(words: str) -> str:
    """`text` of any length, broken after its first colon and where a line is full."""
    lines = words.replace(": ", ":\n", 1).split("\n")
    return "<br>".join(text(part) for line in lines for part in textwrap.wrap(line, LONGEST))


def upright(places: Sequence[float]) -> list[dict[str, Any]]:
    """Shapes: thin dotted lines from the bottom to the top at these x, all as one path."""
    if not places:
        return []
    path = "".join(f"M{place},0V1" for place in numbers(places))
    line = {"color": GREY, "width": 1, "dash": "dot"}
    return [{"type": "path", "path": path, "yref": "paper", "line": line, "layer": "below"}]


def figure(
    traces: list[dict[str, Any]],
    summary: str,
    xaxis: dict[str, Any] | None = None,
    yaxis: dict[str, Any] | None = None,
    **layout: Any,
) -> Figure:
    """The figure of these traces, which shows what `summary` says, with more of its `layout`.

    Backgrounds are transparent; the page's styles colour the text. What the user zoomed and hid is kept.
    """
    look = {
        "xaxis": xaxis or axis(),
        "yaxis": yaxis or axis(),
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "margin": {"l": 8, "r": 8, "t": 28, "b": 8},
        "legend": {
            "orientation": "h",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "x": 0,
            "itemsizing": "constant",
            "maxheight": 0.3,  # of the figure: on narrow screens a longer one scrolls
        },
        "hoverlabel": {"namelength": -1},
        "modebar": {"bgcolor": "rgba(0, 0, 0, 0)", "color": GREY, "activecolor": BLUE},
        "uirevision": "kept",
        "meta": {"summary": summary},
    }
    config = {
        "responsive": False,  # the page tells figures of its width, so that those behind a tab are left alone
        "displaylogo": False,
        "modeBarButtonsToRemove": ["toImage", "select2d", "lasso2d"],
    }
    return {"data": traces, "layout": {**look, **layout}, "config": config}


def empty(words: str) -> Figure:
    """A figure that only says why there is nothing to draw, and what to do."""
    hidden = {"visible": False}
    return figure([], words, hidden, hidden, annotations=[note(words)])
