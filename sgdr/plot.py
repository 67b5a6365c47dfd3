"""Figures of schedules and of a study's best trial."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sgdr.extras import needed_by

with needed_by("sgdr.plot"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

from sgdr.outfile import write_whole
from sgdr.schedule import WarmRestarts
from sgdr.shapes import Schedule
from sgdr.warmup import unwarmed

if TYPE_CHECKING:
    from sgdr.search.study.study import Study

POINTS = 4000
"""The number of evenly spread points of a drawn schedule."""
FORMATS = (".png", ".svg", ".pdf")
MOST_RESTARTS, MOST_BEFORE = 1000, 1_000_000
"""The most restarts that are drawn, and that are counted up to the end of the drawing."""
WIDTH, HEIGHT = 8.0, 3.2
"""The width and height of one panel, in inches."""


def schedule_figure(schedule: Schedule, start: float, stop: float, unit: str = "step") -> Figure:
    """The rate from `start` to `stop`, with its restarts marked."""
    figure = Figure((WIDTH, HEIGHT), layout="constrained")
    _draw_schedule(figure.subplots(), schedule, start, stop, unit)
    return figure


def best_figure(study: Study) -> Figure:
    """The best schedule of a study over its budget, and under it the curve of its trial.

    Raises ValueError when no trial is complete.
    """
    best, stored = study.best, study.stored
    figure = Figure((WIDTH, 2 * HEIGHT), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    _draw_schedule(above, best.schedule, 0, best.budget, "epoch")
    above.set_xlabel("")
    above.set_title(f"{study.name}: trial {best.number}", parse_math=False)
    epochs = np.arange(1, best.budget + 1)
    for name in dict.fromkeys((stored.metric, stored.chosen_by)):
        below.plot(epochs, best.curves[name], label=name, linewidth=1.5 if name == stored.metric else 0.8)
    below.plot(best.epoch, best.value, "o", color="black", label=f"{best.value:.4g} {best.reading}")
    _mark_restarts(below, best.schedule.restarts(until=best.budget))
    values = np.asarray(best.curves[stored.metric])
    if values.min() > 0 and values.max() > 10 * values.min():
        below.set_yscale("log")
    below.set_xlabel("epoch")
    below.set_ylabel(stored.metric)
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.legend(frameon=False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a figure, whole or not at all. Raises ValueError where it cannot be written."""
    if path.suffix not in FORMATS:
        raise ValueError(f"--out {str(path)!r} must end in {', '.join(FORMATS)}")
    write_whole(path, partial(figure.savefig, dpi=150, format=path.suffix[1:]))


def _draw_schedule(axes: Axes, schedule: Schedule, start: float, stop: float, unit: str) -> None:
    inner, warmup = unwarmed(schedule)
    if isinstance(inner, WarmRestarts):
        _check_drawable(inner, max(start - warmup, 0), max(stop - warmup, 0))
    # The last point before each restart and the restart itself, so that the jumps are drawn upright.
    restarts = np.array([x for x in schedule.restarts(until=stop) if x > start], float)
    x = np.unique(np.concatenate([np.linspace(start, stop, POINTS), restarts, np.nextafter(restarts, 0)]))
    axes.plot(x[:-1], schedule(x[:-1]))
    _mark_restarts(axes, restarts)
    axes.set_xlabel(unit)
    axes.set_ylabel("learning rate")
    axes.set_xlim(start, stop)
    axes.set_ylim(bottom=0)


def _check_drawable(schedule: WarmRestarts, start: float, stop: float) -> None:
    """Raises ValueError where there are too many restarts."""
    before, count = schedule.cycle(start).index, schedule.cycle(stop).index
    if count > MOST_BEFORE or count - before > MOST_RESTARTS:
        raise ValueError(
            f"T_0={schedule.T_0!r} gives {count - before} restarts from {start:g} to {stop:g}, the last of "
            f"{count}; at most {MOST_RESTARTS} of {MOST_BEFORE} can be drawn: plot fewer steps"
        )


def _mark_restarts(axes: Axes, restarts: Iterable[float]) -> None:
    for restart in restarts:
        axes.axvline(restart, color="gray", linewidth=0.5, linestyle=":")
