"""All studies, as cards."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr.search.study.study import Study
from sgdr_service.dashboard.auth_middleware import PREFIX
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.figures.history import best_so_far, sparkline
from sgdr_service.dashboard.launching.commands import typed
from sgdr_service.dashboard.layout import (
    as_page,
    code_block,
    frame,
    heading,
    link,
    progress,
    remark,
    shown,
    state_chip,
    study_url,
)
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.problems import Problem
from sgdr_service.sweeps.status import status

REFRESH_SECONDS = 2.0
ORDERS = {"latest first": "started", "name": "name", "workload": "workload", "most trials": "finished"}
FIRST_SHOWN = 100
"""Cards; searching finds the others."""


@dataclass(frozen=True)
class Card:
    """What is shown of a study; equal to another while that does not change."""

    name: str
    workload: str
    state: str
    finished: int
    share: float | None
    """How much is done of what was asked for."""
    progress: str
    """The same in words."""
    best: str
    verdict: str
    started: str
    spark: str

    @classmethod
    def of(cls, study: Study, best: str, spark: str) -> Card:
        """The card of the study as it stands."""
        stands = status(study)
        return cls(
            name=study.name,
            workload=study.stored.workload,
            state=stands.state,
            finished=stands.finished,
            share=stands.share,
            progress=stands.so_far,
            best=best,
            verdict=study.verdict.decision if study.verdict else "",
            started=study.started.astimezone().strftime("%Y-%m-%d %H:%M") if study.started else "",
            spark=spark,
        )


@as_page
async def page(here: Here) -> None:
    """The page."""
    cards = await _cards(here)
    with frame(here, "Studies"):
        with ui.element("div").classes("controls"):
            sought = ui.input("Search", placeholder="name, workload, state or verdict").props(
                "clearable dense outlined"
            )
            order = ui.select(list(ORDERS), value="latest first", label="Order").props("dense outlined")
        grid = ui.element("div").classes("cards").props("role=list")
        drawn: tuple[list[Card], int] | None = None

        def draw() -> None:
            nonlocal drawn
            chosen = _chosen(cards, sought.value or "", order.value)
            if drawn == (chosen[:FIRST_SHOWN], len(chosen)):
                return
            drawn = (chosen[:FIRST_SHOWN], len(chosen))
            grid.clear()
            with grid:
                _draw(chosen, here.sweeps.url if not cards else None)

        async def refresh() -> None:
            nonlocal cards
            try:
                cards = await _cards(here)
            except Problem:
                return  # what is shown stays; the next time it may be read
            draw()

        sought.on_value_change(draw)
        order.on_value_change(draw)
        draw()
        ui.timer(REFRESH_SECONDS, refresh, immediate=False)


async def _cards(here: Here) -> list[Card]:
    studies = await run_in_threadpool(here.library.all)
    best = [await here.cards.get(Seen.of(study), "best so far", _reached, study) for study in studies]
    return await run_in_threadpool(
        lambda: [Card.of(study, *reached) for study, reached in zip(studies, best, strict=True)]
    )


def _reached(study: Study) -> tuple[str, str]:
    """The study's best value in words, and the way there as a picture."""
    _, values = best_so_far(study.rows, study.stored.direction)
    if not values:
        return "no trial is complete yet", ""
    best = f"{study.stored.metric} {shown(values[-1])}"
    return best, sparkline(values, 220, 36, f"best so far: {best}") if len(values) > 1 else ""


def _chosen(cards: list[Card], sought: str, order: str) -> list[Card]:
    words = sought.casefold().split()

    def matches(card: Card) -> bool:
        shown = f"{card.name} {card.workload} {card.state} {card.verdict}".casefold()
        return all(word in shown for word in words)

    by = ORDERS[order]
    descending = by in ("started", "finished")
    return sorted(filter(matches, cards), key=lambda card: getattr(card, by), reverse=descending)


def _draw(chosen: list[Card], empty: str | None) -> None:
    """`empty`: a storage without any study."""
    if empty is not None:
        with ui.element("div").classes("empty"):
            heading("No study yet", 2)
            ui.label("A study holds the trials of a sweep. Begin one here, or on the command line:")
            code_block(typed(["sgdr", "sweep", "--workload", "digits"], empty))
            link("New sweep", f"{PREFIX}/sweep").classes("call")
        return
    if not chosen:
        remark("No study matches; search for less.")
    for card in chosen[:FIRST_SHOWN]:
        _draw_card(card)
    if len(chosen) > FIRST_SHOWN:
        remark(f"{len(chosen) - FIRST_SHOWN:,} more: search for them by name, workload, state or verdict.")


def _draw_card(card: Card) -> None:
    with ui.element("article").classes("card").props("role=listitem"):
        with ui.element("div").classes("card-head"):
            link(card.name, study_url(card.name)).classes("card-name")
            state_chip(card.state)
        ui.label(f"{card.workload} · {card.progress}")
        progress(card.share, card.progress, 6)
        ui.label(card.best).classes("card-best")
        if card.spark:
            ui.html(card.spark, sanitize=False)
        if card.verdict:
            ui.label(card.verdict).classes("verdict")
        ui.label(card.started).classes("faint")
