"""Learning curves of the best trials."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from sgdr.search.study.study import Study
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.curves import Drawn, curves
from sgdr_service.dashboard.figures.rows import outcome
from sgdr_service.dashboard.layout import slider
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.study.part import Part

MOST = 50
FIRST = 5


class CurvesPart(Part):
    """The tab."""

    def __init__(self, here: Here) -> None:
        super().__init__(here)
        with ui.element("div").classes("controls"):
            self._k = slider("Best trials", MOST, FIRST, self._again)
            self._pruned = ui.switch("Pruned trials too", on_change=self._again)
            self._aligned = ui.switch("Aligned by cycle", on_change=self._again)
            self._log_x = ui.switch("Logarithmic epochs", on_change=self._again)
            self._log_y = ui.switch("Logarithmic values", value=True, on_change=self._again)
        self._figure = Figure("Learning curves", "curves", height="34rem", on_trial=self._open)

    async def _draw(self, seen: Seen) -> None:
        k, pruned = int(self._k.value), self._pruned.value
        how = {"aligned": self._aligned.value, "log_x": self._log_x.value, "log_y": self._log_y.value}
        drawn = await self._here.shared.get(
            seen, ("drawn", k, pruned), partial(chosen, seen.study, k, pruned)
        )
        make = partial(curves, drawn, metric=seen.study.attributes["metric"], **how)
        self._figure.show(await self._here.shared.get(seen, ("curves", k, pruned, *how.values()), make))


def chosen(study: Study, k: int, pruned: bool) -> list[Drawn]:
    """The k best trials, and the k latest pruned ones where they are wanted, with their curves."""
    rows, metric = study.rows, study.attributes["metric"]
    numbers = [best.number for best in study.top(k)]
    if pruned:
        cut = [row["number"] for row in rows if outcome(row) == "pruned"]
        numbers = [*cut[-k:], *numbers]  # the best are drawn last, above the others
    found = dict(study.curves_of(numbers))
    by_number = {row["number"]: row for row in rows}
    return [
        _drawn(by_number[number], study.schedule(number), found[number].get(metric, []))
        for number in numbers
        if number in found and number in by_number
    ]


def _drawn(row: dict[str, Any], schedule: Any, curve: list[float]) -> Drawn:
    return Drawn(
        number=row["number"],
        state=row["state"],
        arm=row["arm"] or "restarts",
        schedule=schedule,
        curve=curve,
    )
