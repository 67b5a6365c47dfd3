"""The answer, the history of the search, and the best schedule."""

from __future__ import annotations

from nicegui import ui

from sgdr.search.study.restarts import restart_epochs
from sgdr.search.study.study import Best, Study
from sgdr.warmup import flat_fields
from sgdr_service.dashboard.code_view import show_code
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.explorer.link import explorer_url, is_explorable
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.history import history
from sgdr_service.dashboard.figures.trial import best_figure
from sgdr_service.dashboard.layout import facts, heading, link, remark, shown, told, trial_url, written
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.study.answer import AnswerView
from sgdr_service.dashboard.study.part import Part


class Overview(Part):
    """The tab."""

    def __init__(self, here: Here, seen: Seen) -> None:
        super().__init__(here, seen)
        self._shown: tuple[int, object] | None = None
        self._answer = AnswerView(here)
        with ui.element("div").classes("controls"):
            self._log = ui.switch("Logarithmic values", on_change=self._again)
        self._history = Figure("History", "history", on_trial=self._open)
        self._box = ui.element("div")

    async def _draw(self, seen: Seen) -> None:
        await self._answer.show(seen)
        study, log = seen.study, self._log.value
        rows, direction, metric = study.rows, study.stored.direction, study.stored.metric
        get = self._here.shared.get
        self._history.show(await get(seen, ("history", log), history, rows, direction, metric, log=log))
        best = next(iter(await get(seen, "best", study.top, 1)), None)
        now = None if best is None else (best.number, best.confirmed)
        if now == self._shown and self._box.default_slot.children:
            return
        self._shown = now
        self._box.clear()
        with self._box:
            if best is None:
                remark(f"No trial is complete yet; {study.why_none()}.")
            else:
                _draw_best(study, best)


def _draw_best(study: Study, best: Best) -> None:
    stored, confirmed = study.stored, best.confirmed
    with ui.element("div").classes("figure-head"):
        heading("Best schedule", 2)
        link(f"Trial {best.number}", trial_url(study.name, best.number))
        if is_explorable(best.schedule):
            steps = best.stepping.steps_per_epoch
            link("In the explorer", explorer_url(best.schedule, best.budget, steps))
    again = {}
    if confirmed is not None:
        again = {
            "On fresh seeds": shown(confirmed.mean),
            "95 % interval": f"{shown(confirmed.low)} to {shown(confirmed.high)}",
            "Seeds": len(confirmed.values),
        }
    restarts = ", ".join(map(str, restart_epochs(best.schedule, best.budget)[:12]))
    fields = {name: written(value) for name, value in flat_fields(best.schedule).items()}
    value = f"{shown(best.value)} {best.reading}"
    own = {name: str(value) for name, value in best.hparams.items()}
    last = {**again, **fields, "Restarts at epochs": restarts or "none"}
    facts(told({}, (stored.metric, value), own, last))
    if confirmed is None:
        remark("Unconfirmed: its value is partly luck. `sgdr confirm` trains the best again on fresh seeds.")
    title = "Best schedule's learning rate over its validation curve"
    figure = best_figure(best, stored.metric, stored.select_metric)
    Figure(title, f"{study.name}-best", height="30rem").show(figure)
    show_code(best.schedule, best.stepping, best.budget)
