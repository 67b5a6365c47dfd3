"""What was searched, and what is good in it."""

from __future__ import annotations

from nicegui import ui

from sgdr.choices import State
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.importance import importance_figure, importances
from sgdr_service.dashboard.figures.parallel import parallel
from sgdr_service.dashboard.figures.space import heat_map, scatter
from sgdr_service.dashboard.layout import slider
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.study.part import Part


class SpacePart(Part):
    """The tab."""

    def __init__(self, here: Here, seen: Seen) -> None:
        super().__init__(here, seen)
        self._weighed = 0
        self._heat = Figure("Value over T_0 and T_mult", "heat-map")
        self._scatter = Figure("Value over base_lr and eta_ratio", "scatter", on_trial=self._open)
        with ui.element("div").classes("controls"):
            self._percent = slider("Best % of the completed trials", 100, 100, self._again)
        self._parallel = Figure("Parallel coordinates", "parallel", height="26rem")
        self._parallel.section.classes("wide-figure")
        self._importance = Figure("Importance of the parameters", "importance", height="16rem")

    async def _draw(self, seen: Seen) -> None:
        study, get = seen.study, self._here.shared.get
        rows, direction, metric = study.rows, study.stored.direction, study.stored.metric
        hparams, percent = list(study.stored.space["hparams"]), int(self._percent.value)
        self._heat.show(await get(seen, "heat", heat_map, rows, direction, metric))
        self._scatter.show(await get(seen, "scatter", scatter, rows, metric))
        lines = await get(
            seen, ("parallel", percent), parallel, rows, hparams, direction, metric, top_percent=percent
        )
        self._parallel.show(lines)
        complete = study.counts.get(State.COMPLETE, 0)
        if complete >= 1.1 * self._weighed:  # it takes longer than all others, and changes slowly
            self._weighed = complete
            shares = await get(seen, "importance", importances, rows, hparams, direction)
            self._importance.show(importance_figure(shares))
