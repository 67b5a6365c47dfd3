"""The history of the search, and the schedule to use."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from sgdr.schedule import WarmRestarts
from sgdr.search.study.study import Best, Study
from sgdr_service.dashboard.code_view import show_code
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.explorer.link import explorer_url
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.history import history
from sgdr_service.dashboard.figures.trial import best_figure
from sgdr_service.dashboard.layout import facts, heading, link, remark, shown, told, trial_url
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.study.part import Part


class Overview(Part):
    """The tab."""

    def __init__(self, here: Here) -> None:
        super().__init__(here)
        self._best: ui.element | None = None
        self._number: tuple[int, object] | None = None
        with ui.element("div").classes("controls"):
            self._log = ui.switch("Logarithmic values", on_change=self._again)
        self._history = Figure("History", "history", on_trial=self._open)
        self._box = ui.element("div")

    async def _draw(self, seen: Seen) -> None:
        study, log = seen.study, self._log.value
        kept = study.attributes
        make = partial(history, study.rows, kept["direction"], kept["metric"], log=log)
        self._history.show(await self._here.shared.get(seen, ("history", log), make))
        best = await self._here.shared.get(seen, "best", partial(_best, study))
        now = None if best is None else (best.number, best.confirmed)
        if now == self._number and self._box.default_slot.children:
            return
        self._number = now
        self._box.clear()
        with self._box:
            if best is None:
                remark(f"No trial is complete yet; {study.why_none()}.")
            else:
                _draw_best(study, best)


def _best(study: Study) -> Best | None:
    return next(iter(study.top(1)), None)


def _draw_best(study: Study, best: Best) -> None:
    kept, again = study.attributes, best.confirmed
    with ui.element("div").classes("figure-head"):
        heading("Best schedule", 2)
        link(f"Trial {best.number}", trial_url(study.name, best.number))
        if isinstance(best.schedule, WarmRestarts):
            steps = best.stepping.steps_per_epoch
            link("In the explorer", explorer_url(best.schedule, best.budget, steps))
    facts(
        told(
            {},
            (kept["metric"], f"{shown(best.value)} at epoch {best.epoch}"),
            {name: str(value) for name, value in best.hparams.items()},
            {
                "On fresh seeds": None if again is None else shown(again.mean),
                "95 % interval": None if again is None else f"{shown(again.low)} to {shown(again.high)}",
                "Seeds": None if again is None else len(again.values),
                **{name: _plain(value) for name, value in best.schedule.to_dict().items()},
                "Restarts at epochs": ", ".join(map(str, best.schedule.restarts(until=best.budget)[:12]))
                or "none",
            },
        )
    )
    if again is None:
        remark("Unconfirmed: its value is partly luck. `sgdr confirm` trains the best again on fresh seeds.")
    title = "Best schedule's learning rate over its validation curve"
    drawn = best_figure(best, kept["metric"], kept["select_metric"])
    Figure(title, f"{study.name}-best", height="30rem").show(drawn)
    if isinstance(best.schedule, WarmRestarts):
        show_code(best.schedule, best.stepping, best.budget)


def _plain(value: Any) -> str | None:
    return f"{value:.6g}" if isinstance(value, int | float) else None if value is None else str(value)
