"""One trial: its learning rate, and under it its curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sgdr.search.study.best import Best
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.curves import POINTS, Drawn
from sgdr_service.dashboard.figures.rows import is_number
from sgdr_service.dashboard.figures.schedules import rate_line, rates
from sgdr_service.dashboard.figures.style import Figure, numbers, text


def best_figure(best: Best, metric: str, select_metric: str | None) -> Figure:
    """`trial_figure` of a completed trial, with the epoch that was chosen."""
    drawn = Drawn(best.number, "COMPLETE", best.arm, best.schedule, best.curves[metric])
    chosen = best.epoch, best.value
    return trial_figure(drawn, best.curves, metric, select_metric, best.budget, chosen)


def trial_figure(
    drawn: Drawn,
    curves: Mapping[str, Sequence[float | None]],
    metric: str,
    select_metric: str | None,
    budget: int,
    chosen: tuple[int, float] | None = None,
) -> Figure:
    """The rate of a trial over its budget in epochs, and under it what there is of its curves.

    `select_metric`: what an epoch is chosen by, where it is another than `metric`. `chosen`: that epoch, from
    1, and its value.
    """
    x, y = rates(drawn.schedule, budget)
    names = [name for name in dict.fromkeys((metric, select_metric or metric)) if name in curves]
    values = [value for value in curves.get(metric, ()) if is_number(value)]
    log = bool(values) and min(values) > 0 and max(values) > 10 * min(values)
    layout = style.layout(_summary(drawn, metric, budget, chosen), "epoch", "learning rate")
    layout["xaxis"] |= {"anchor": "y2", **style.whole(budget)}
    layout["yaxis"] |= {"domain": [0.6, 1], "rangemode": "tozero"}
    layout["yaxis2"] = style.axis(metric, log=log, domain=[0, 0.54])
    layout["shapes"] = style.upright(drawn.restarts)
    below = [_curve(name, place, curves[name]) for place, name in enumerate(names)]
    mark = [] if chosen is None else [_chosen(*chosen)]
    return style.figure([rate_line(x, y, "learning rate", "epoch"), *below, *mark], layout)


def _summary(drawn: Drawn, metric: str, budget: int, chosen: tuple[int, float] | None) -> str:
    restarts = len(drawn.restarts)
    worth = "" if chosen is None else f"{metric} {chosen[1]:.4g} at epoch {chosen[0]}, "
    return (
        f"Trial {drawn.number}: {worth}{len(drawn.curve)} of {budget} epochs, with "
        f"{restarts} restart{'s' * (restarts != 1)}"
    )


def _curve(name: str, place: int, curve: Sequence[float | None]) -> dict[str, Any]:
    epochs = [at + 1 for at in style.thinned(len(curve), POINTS)]
    return {
        "type": "scatter",
        "mode": "lines",
        "uid": f"curve-{place}",
        "name": text(name),
        "x": epochs,
        "y": numbers(curve[epoch - 1] for epoch in epochs),
        "yaxis": "y2",
        "line": {
            "color": (style.VERMILION, style.GREY)[place],
            "width": (2, 1)[place],
            "dash": style.DASHES[2 * place],
        },
        "hovertemplate": f"epoch %{{x}}: {text(name)} %{{y}}<extra></extra>",
    }


def _chosen(epoch: int, value: float) -> dict[str, Any]:
    name = f"{value:.4g} at epoch {epoch}"
    return {
        "type": "scatter",
        "mode": "markers",
        "uid": "chosen",
        "name": name,
        "x": [epoch],
        "y": numbers([value]),
        "yaxis": "y2",
        "marker": {"color": style.PINK, "symbol": "star", "size": 12},
        "hovertemplate": f"chosen: {name}<extra></extra>",
    }
