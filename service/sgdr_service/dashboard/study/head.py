"""How a study stands, above all its views: its state, what can be done with it, and its facts."""

from __future__ import annotations

from typing import Any

from anyio import to_thread
from nicegui import ui

from sgdr.search.storage.connect import StorageError
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.layout import (
    api_url,
    compare_url,
    dialog,
    facts,
    link,
    progress,
    remark,
    resume_url,
    shown,
    state_chip,
)
from sgdr_service.dashboard.permission import token_field, why_not
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.sweeps.refusals import NotFound, NotOurs
from sgdr_service.sweeps.status import SERVICE, SweepStatus, status

CANCELLABLE = ("queued", "running", "confirming")


class Head:
    """How a study stands, in words, and what can be done with it.

    Only what has changed is drawn again. What is clicked on stays as it is while the numbers change: a click
    on an element that is replaced at that moment would be lost.
    """

    def __init__(self, here: Here) -> None:
        """Makes the places, where it is made; `show` fills them."""
        self._here = here
        self._drawn: dict[int, Any] = {}
        with ui.element("div").classes("controls"):
            self._state = ui.element("div")
            self._bar = ui.element("div").classes("wide")
            self._links = ui.element("div").style("display: contents")
        self._below = ui.element("div")

    def show(self, seen: Seen) -> None:
        """Draws the study as it was seen."""
        study, stands = seen.study, status(seen.study)
        can_cancel = stands.launched_by == SERVICE and stands.state in CANCELLABLE
        verdict = study.verdict.words if study.verdict else None
        shown_facts = _facts(seen, stands)
        if self._is_new(self._state, stands.state):
            with self._state:
                state_chip(stands.state)
        if self._is_new(self._bar, (stands.share, stands.so_far)):
            with self._bar:
                progress(stands.share, stands.so_far, 8)
            self._bar.set_visibility(stands.share is not None)
        if self._is_new(self._links, (can_cancel, stands.resumable)):
            with self._links:
                self._draw_links(study.name, can_cancel, stands.resumable)
        if self._is_new(self._below, (shown_facts, stands.state, stands.error, verdict)):
            with self._below:
                _tell(stands, verdict)
                facts(shown_facts)

    def _is_new(self, place: ui.element, now: Any) -> bool:
        """Whether that place showed something else until now; it is empty then."""
        if place.id in self._drawn and self._drawn[place.id] == now:
            return False
        self._drawn[place.id] = now
        place.clear()
        return True

    def _draw_links(self, name: str, can_cancel: bool, can_resume: bool) -> None:
        for table in ("trials", "curves"):
            download = link(f"{table.title()} as CSV", api_url(name, f"/{table}.csv"))
            download.props["download"] = f"{name}-{table}.csv"
        link("Compare", compare_url(name))
        if can_cancel:
            cancel = ui.button("Cancel", on_click=lambda: _ask_to_cancel(self._here, name))
            cancel.props("outline no-caps dense color=negative")
        elif can_resume:
            link("Resume", resume_url(name))


def _facts(seen: Seen, stands: SweepStatus) -> dict[str, Any]:
    stored, best = seen.study.stored, seen.study.best if stands.best else None
    return {
        "Workload": stored.workload,
        "Trials": f"{stands.finished}" if stands.trials is None else f"{stands.finished} of {stands.trials}",
        "Cost": f"{stands.spent:.1f} full trainings" if stands.cost is None else stands.so_far,
        "Running": stands.running or None,
        "Workers": stands.workers if stands.workers > 1 else None,
        "Outcomes": ", ".join(f"{count} {outcome}" for outcome, count in stands.outcomes.items()),
        "Budget": f"{stored.budget} epochs",
        "Objective": f"{stored.metric}, {stored.direction}d, {stored.objective}",
        "Best": None if best is None else f"{shown(best.value)} (trial {best.number})",
    }


def _tell(stands: SweepStatus, verdict: str | None) -> None:
    if verdict:
        remark(verdict[0].upper() + verdict[1:] + ".")
    if stands.error:
        remark(f"The sweep failed: {stands.error}", "error")
    elif stands.state == "dead":
        remark("The process of this sweep is gone without a word; what it has finished is kept.", "warning")
    elif stands.state == "queued":
        remark("It begins when those before it have ended.")


def _ask_to_cancel(here: Here, name: str) -> None:
    with dialog("Cancel the sweep?") as asked:
        ui.label(f"The finished trials of {name} are kept, and the sweep can be resumed.")
        field = token_field(here)
        trouble = ui.element("div")

        async def cancel() -> None:
            trouble.clear()
            why = why_not(here, field)
            if why is None:
                try:
                    await to_thread.run_sync(here.sweeps.cancel, name, limiter=here.writers)
                    asked.close()
                    return
                except (NotFound, NotOurs, StorageError) as error:
                    why = str(error)
            with trouble:
                remark(why, "error")

        with ui.element("div").classes("controls"):
            ui.button("Cancel the sweep", on_click=cancel).props("no-caps color=negative")
            ui.button("Let it run", on_click=asked.close).props("no-caps flat")
