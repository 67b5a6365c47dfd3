"""Restarts against the two kinds of controls."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from sgdr.schedule import FIELDS
from sgdr.search.study.study import Study
from sgdr.shapes import SHAPES
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.arms import arms_figure
from sgdr_service.dashboard.figures.rows import by_arm, ranked
from sgdr_service.dashboard.launching.commands import typed
from sgdr_service.dashboard.layout import (
    code_block,
    remark,
)
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
    column("base_lr"),
    column("T_0"),
    column("T_mult"),
    column("eta_min"),
    column("failed"),
)
ARMS = (
    column("arm"),
    column("finished", "finished trials"),
    column("complete"),
    column("best"),
    column("trial", "its trial"),
)


class ArmsPart(Part):
    """The tab."""

    def __init__(self, here: Here) -> None:
        super().__init__(here)
        self._drawn: Any = None
        self._words = ui.element("div").props("aria-live=polite")
        self._figure = Figure("Arms", "arms", on_trial=self._open)
        self._arms = Table("What the search found", "arms", ARMS, [], key="arm")
        self._box = ui.element("div")

    async def _draw(self, seen: Seen) -> None:
        study = seen.study
        rows, kept, verdict = study.rows, study.attributes, study.verdict
        make = partial(arms_figure, verdict, rows, kept["metric"])
        self._figure.show(await self._here.shared.get(seen, "arms", make))
        self._arms.show(found_by_arm(study))
        if self._drawn == (verdict is not None, verdict):
            return
        self._drawn = (verdict is not None, verdict)
        self._words.clear()
        self._box.clear()
        if verdict is None:
            with self._words:
                _say(study, self._here.sweeps.url)
        else:
            with self._box:
                table = [candidate_row(each) for each in verdict.candidates]
                Table("Confirmed on fresh seeds", f"{study.name}-verdict", CANDIDATES, table, key="number")


def _say(study: Study, storage: str) -> None:
    remark(
        "No verdict yet: what a search finds is partly luck. Train the best of each arm again on fresh seeds:"
    )
    code_block(typed(["sgdr", "confirm", study.name], storage))


def found_by_arm(study: Study) -> list[dict[str, Any]]:
    """A row an arm."""
    complete = by_arm(ranked(study.rows, study.attributes["direction"]))
    rows = []
    for arm, finished in study.arms.items():
        found = complete.get(arm, [])
        best = found[0] if found else None
        rows.append(
            {
                "arm": SHAPES[arm].words,
                "finished": finished,
                "complete": len(found),
                "best": best and best["value"],
                "trial": best and best["number"],
            }
        )
    return rows


def candidate_row(each: Any) -> dict[str, Any]:
    """A candidate of a verdict as a row."""
    schedule = each.schedule
    return {
        "number": each.number,
        "arm": SHAPES[each.arm].words,
        "mean": each.mean,
        "low": each.low,
        "high": each.high,
        "seeds": len(each.values),
        "searched": each.searched,
        **{name: getattr(schedule, name, None) for name in FIELDS},
        "failed": each.failed,
    }
