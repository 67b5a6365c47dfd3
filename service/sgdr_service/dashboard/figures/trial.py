"""One trial: its learning rate, and under it its curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sgdr.choices import State
from sgdr.search.study.best import Best
from sgdr_service.dashboard.figures import style
from sgdr_service.dashboard.figures.curves import POINTS, Drawn
from sgdr_service.dashboard.figures.rows import is_number
from sgdr_service.dashboard.figures.schedules import rate_line, rates
from sgdr_service.dashboard.figures.style import Figure, numbers, text


class Chosen(NamedTuple):
    """What a completed trial is worth."""

    epoch: int
    """The epoch, from 1, that was chosen."""
    value: float
    reading: str
    """The words for where the value was read."""


def best_figure(best: Best, metric: str, select_metric: str | None) -> Figure:
    """`trial_figure` of a completed trial, with the epoch that was chosen."""
    drawn = Drawn(best.number, State.COMPLETE, best.arm, best.schedule, best.curves[metric])
    chosen = Chosen(best.epoch, best.value, best.reading)
    return trial_figure(drawn, best.curves, metric, select_metric, best.budget, chosen)


def trial_figure(
    drawn: Drawn,
    curves: Mapping[str, Sequence[float | None]],
    metric: str,
    select_metric: str | None,
    budget: int,
    chosen: Chosen | None = None,
) -> Figure:
    """The rate of a trial over its budget in epochs, and under it what there is of its curves.

    `select_metric`: what an epoch is chosen by, where it is another than `metric`. `chosen`: what it
    is worth.
    """
    x, y = rates(drawn.schedule, budget)
    names = [name for name in dict.fromkeys((metric, select_metric or metric)) if name in curves]
    values = [value for value in curves.get(metric, ()) if is_number(value)]
    log = bool(values) and min(values) > 0 and max(values) > 10 * min(values)
    traces = [rate_line(x, y, "learning rate", "epoch")]
    traces += [_curve(name, place, curves[name]) for place, name in enumerate(names)]
    traces += [] if chosen is None else [_chosen(chosen)]
    x_axis = style.axis("epoch", anchor="y2", **style.whole(budget))
    y_axis = style.axis("learning rate", domain=[0.6, 1], rangemode="tozero")
    y_below = style.axis(metric, log=log, domain=[0, 0.54])
    restarts = style.upright(drawn.restarts)
    summary = _summary(drawn, metric, budget, chosen)
    return style.figure(traces, summary, x_axis, y_axis, yaxis2=y_below, shapes=restarts)


def _summary(drawn: Drawn, metric: str, budget: int, chosen: Chosen | None) -> str:
    restarts = len(drawn.restarts)
    worth = "" if chosen is None else f"{metric} {chosen.value:.4g} {chosen.reading}, "
    return (
        f"Trial {drawn.number}: {worth}{len(drawn.curve)} of {budget} epochs, with "
        f"{restarts} restart{'s' * (restarts != 1)}"
    )


def _curve(name: str, place: int, curve: Sequence[float | None]) -> dict[str, Any]:
    epochs = [at + 1 for at in style.thinned(len(curve), POINTS)]
    color, width = ((style.VERMILION, 2), (style.GREY, 1))[place]
    return style.trace(
        f"curve-{place}",
        text(name),
        epochs,
        numbers(curve[epoch - 1] for epoch in epochs),
        f"epoch %{{x}}: {text(name)} %{{y}}",
        mode="lines",
        yaxis="y2",
        line={"color": color, "width": width, "dash": style.DASHES[2 * place]},
    )


def _chosen(chosen: Chosen) -> dict[str, Any]:
    name, at = f"{chosen.value:.4g} {chosen.reading}", [chosen.epoch]
    star = {"color": style.PINK, "symbol": "star", "size": 12}
    shown = numbers([chosen.value])
    return style.trace("chosen", name, at, shown, f"chosen: {name}", yaxis="y2", marker=star)
