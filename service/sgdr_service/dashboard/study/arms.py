"""Restarts against the other shapes."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sgdr.schedule import FIELDS
from sgdr.search.study.study import Study
from sgdr.search.study.verdict import Confirmed, Verdict
from sgdr.shapes import SHAPES
from sgdr.warmup import flat_fields
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.arms import arms_figure
from sgdr_service.dashboard.figures.rows import by_arm, ranked
from sgdr_service.dashboard.launching.commands import typed
from sgdr_service.dashboard.layout import code_block, remark
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.study.part import Part
from sgdr_service.dashboard.table import Table, column

CANDIDATES = (
    column("number", "trial"),
    column("arm"),
    column("mean", "mean on fresh seeds"),
    column("low", "95 % from"),
    column("high", "95 % to"),
    column("seeds"),
    column("searched", "value in the search"),
    *map(column, FIELDS),
    column("failed"),
)
ARMS = (
    column("arm"),
    column("finished", "finished trials"),
    column("complete"),
    column("best"),
    column("trial", "its trial"),
)
UNCONFIRMED = (
    "No verdict yet: what a search finds is partly luck. Train the best of each arm again on fresh seeds:"
)


class ArmsPart(Part):
    """The tab."""

    def __init__(self, here: Here, seen: Seen) -> None:
        super().__init__(here, seen)
        self._drawn: tuple[Verdict | None] | None = None
        self._words = ui.element("div").props("aria-live=polite")
        self._figure = Figure("Arms", "arms", on_trial=self._open)
        self._arms = Table("What the search found", "arms", ARMS, [], key="arm")
        self._box = ui.element("div")

    async def _draw(self, seen: Seen) -> None:
        study, verdict, metric = seen.study, seen.study.verdict, seen.study.stored.metric
        figure = await self._here.shared.get(seen, "arms", arms_figure, verdict, study.rows, metric)
        self._figure.show(figure)
        self._arms.show(found_by_arm(study))
        if self._drawn == (verdict,):
            return
        self._drawn = (verdict,)
        self._words.clear()
        self._box.clear()
        if verdict is None:
            with self._words:
                remark(UNCONFIRMED)
                code_block(typed(["sgdr", "confirm", study.name], self._here.sweeps.url))
        else:
            with self._box:
                rows = [candidate_row(candidate) for candidate in verdict.candidates]
                Table("Confirmed on fresh seeds", f"{study.name}-verdict", CANDIDATES, rows, key="number")


def found_by_arm(study: Study) -> list[dict[str, Any]]:
    """A row an arm."""
    complete = by_arm(ranked(study.rows, study.stored.direction))
    rows = []
    for arm, finished in study.arms.items():
        trials = complete.get(arm, [])
        best = {"best": trials[0]["value"], "trial": trials[0]["number"]} if trials else {}
        rows.append({"arm": SHAPES[arm].words, "finished": finished, "complete": len(trials), **best})
    return rows


def candidate_row(candidate: Confirmed) -> dict[str, Any]:
    """A candidate of a verdict as a row."""
    own = ("number", "mean", "low", "high", "searched", "failed")
    fields = flat_fields(candidate.schedule)
    return {
        **{name: getattr(candidate, name) for name in own},
        **{name: fields.get(name) for name in FIELDS},
        "arm": SHAPES[candidate.arm].words,
        "seeds": len(candidate.values),
    }
