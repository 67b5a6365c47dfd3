"""Learning curves of the best trials."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sgdr.choices import Outcome
from sgdr.search.study.listing import row_outcome
from sgdr.search.study.study import Study
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.curves import Drawn, curves
from sgdr_service.dashboard.layout import slider
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.study.part import Part

MOST = 50
FIRST = 5


class CurvesPart(Part):
    """The tab."""

    def __init__(self, here: Here, seen: Seen) -> None:
        super().__init__(here, seen)
        with ui.element("div").classes("controls"):
            self._k = slider("Best trials", MOST, FIRST, self._again)
            self._pruned = ui.switch("Pruned trials too", on_change=self._again)
            self._aligned = ui.switch("Aligned by cycle", on_change=self._again)
            self._log_x = ui.switch("Logarithmic epochs", on_change=self._again)
            self._log_y = ui.switch("Logarithmic values", value=True, on_change=self._again)
        self._figure = Figure("Learning curves", "curves", height="34rem", on_trial=self._open)

    async def _draw(self, seen: Seen) -> None:
        get, which = self._here.shared.get, (int(self._k.value), self._pruned.value)
        drawn = await get(seen, ("drawn", *which), chosen, seen.study, *which)
        how = {"aligned": self._aligned.value, "log_x": self._log_x.value, "log_y": self._log_y.value}
        key, metric = ("curves", *which, *how.values()), seen.study.stored.metric
        self._figure.show(await get(seen, key, curves, drawn, metric=metric, **how))


def chosen(study: Study, k: int, pruned: bool) -> list[Drawn]:
    """The k best trials, and the k latest pruned ones where they are wanted, with their curves."""
    rows, metric = study.rows, study.stored.metric
    numbers = [best.number for best in study.top(k)]
    if pruned:
        cut = [row["number"] for row in rows if row_outcome(row) == Outcome.PRUNED]
        numbers = [*cut[-k:], *numbers]  # the best are drawn last, above the others
    by_number = {row["number"]: row for row in rows}
    curves = dict(study.curves_of(numbers))

    def drawn(number: int) -> Drawn:
        row, curve = by_number[number], curves[number].get(metric, [])
        schedule: Any = study.schedule(number)  # what has a curve was begun, and has one
        return Drawn(number, row["state"], row["arm"] or "restarts", schedule, curve)

    return [drawn(number) for number in numbers if number in curves and number in by_number]
