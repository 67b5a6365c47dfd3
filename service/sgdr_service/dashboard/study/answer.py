"""The answer of a study: which schedule to use, and how sure that is."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sgdr.search.study.study import Answer, Study
from sgdr.shapes import SHAPES
from sgdr.warmup import flat_fields
from sgdr_service.dashboard.code_view import show_code
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.explorer.link import explorer_url, is_explorable
from sgdr_service.dashboard.layout import heading, link, trial_url, written
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.table import Table, column

EQUAL = (
    column("number", "trial"),
    column("shape"),
    column("value", "expected value"),
    column("low", "difference, 95 % from"),
    column("high", "95 % to"),
    column("schedule", flex=1),
)


class AnswerView:
    """The place of the answer: empty while no trial is complete."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self._drawn: Answer | None = None
        self._box = ui.element("section").props('aria-label="Answer" aria-live=polite')

    async def show(self, seen: Seen) -> None:
        """Draws the answer of the study as it stands, where it is another than before."""
        answer = await self._here.shared.get(seen, "answer", _of, seen.study)
        if answer is self._drawn:
            return
        self._drawn = answer
        self._box.clear()
        if answer is not None:
            with self._box:
                _draw(seen.study, answer)


def _of(study: Study) -> Answer | None:
    """The answer; None where no trial is complete."""
    try:
        return study.answer
    except ValueError:
        return None


def _draw(study: Study, answer: Answer) -> None:
    stepping = study.stepping(answer.number)
    with ui.element("div").classes("figure-head"):
        heading("Which schedule to use", 2)
        link(f"Trial {answer.number}", trial_url(study.name, answer.number))
        if is_explorable(answer.schedule):
            link("In the explorer", explorer_url(answer.schedule, answer.budget, stepping.steps_per_epoch))
    with ui.element("div").classes("answer"):
        for sentence in answer.words.splitlines():
            ui.label(sentence)
    with ui.expansion("As code").classes("more"):
        show_code(answer.schedule, stepping, answer.budget)
    if answer.equal:
        title = "Cannot be told from it"
        Table(title, f"{study.name}-equal", EQUAL, equal_rows(answer), key="number")


def equal_rows(answer: Answer) -> list[dict[str, Any]]:
    """A row for each schedule that cannot be told from the recommended one, the best first."""
    rows = []
    for peer in answer.equal:
        said = {**flat_fields(peer.schedule), **peer.hparams}
        told = (f"{name} {written(value)}" for name, value in said.items() if value is not None)
        row = {name: getattr(peer, name) for name in ("number", "value", "low", "high")}
        rows.append({**row, "shape": SHAPES[peer.shape].words, "schedule": ", ".join(told)})
    return rows
