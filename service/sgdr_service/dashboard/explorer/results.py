"""What the explorer works out of a schedule, beside its figure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr_service.dashboard.code_view import FRAMEWORKS
from sgdr_service.dashboard.explorer import closing, cycles
from sgdr_service.dashboard.explorer.code import OWN, code
from sgdr_service.dashboard.explorer.state import Exploration
from sgdr_service.dashboard.layout import code_block, heading, remark
from sgdr_service.dashboard.table import Table, column

COLUMNS = (
    column("cycle"),
    column("start", "start (epoch)"),
    column("length", "length (epochs)"),
    column("trough", "trough (epoch)"),
    column("peak", "peak rate"),
    column("last", "rate at its last step"),
)


class Closing:
    """Whether the budget ends at a trough, with what else would; `on_taken` is called with what is taken."""

    def __init__(self, now: Exploration, on_taken: Callable[[Exploration], None]) -> None:
        self._on_taken = on_taken
        self._box = ui.element("div").props("aria-live=polite")
        self.show(now)

    def show(self, now: Exploration) -> None:
        """Shows where the budget of the exploration ends as it is now."""
        self._box.clear()
        words = closing.said(now.current, now.budget)
        if closing.is_closed(now.current, now.budget):
            with self._box:
                remark(words)
            return
        with self._box, remark(words, "warning"):
            buttons = ui.element("div").classes("controls")
        for offer in closing.offers(now):
            with buttons:
                taken = partial(self._on_taken, offer.exploration)
                ui.button(offer.words, on_click=taken).props("outline no-caps dense")


class RateAt:
    """The rate at an epoch that is typed."""

    def __init__(self, now: Exploration) -> None:
        self._now = now
        heading("Rate at an epoch", 3)
        with ui.element("div").classes("controls"):
            self._epoch = ui.input("Epoch", value="0", on_change=self._tell).props(
                "dense outlined hide-bottom-space autocomplete=off inputmode=decimal debounce=300"
            )
            self._epoch.without_auto_validation()
            self._words = ui.label().props("aria-live=polite")
        self._tell()

    def show(self, now: Exploration) -> None:
        """Shows the rate of the exploration as it is now."""
        self._now = now
        self._tell()

    def _tell(self) -> None:
        fault, words = None, ""
        try:
            words = cycles.at(self._now.current, self._epoch.value or "", self._now.steps_per_epoch)
        except ValueError as error:
            fault = str(error)
        self._epoch.error = fault
        self._words.text = words


class CycleTable:
    """The cycles of the schedule."""

    def __init__(self, now: Exploration) -> None:
        self._table = Table("Cycles", "cycles", COLUMNS, [], key="cycle")
        self._more = ui.label().classes("faint")
        self.show(now)

    def show(self, now: Exploration) -> None:
        """Shows the cycles of the exploration as it is now."""
        rows = cycles.rows(now.current, now.budget, now.steps_per_epoch)
        more = cycles.begun(now.current, now.budget) - len(rows)
        self._more.text = f"{more:,} more cycles are not listed." if more else ""
        self._table.show(rows)


class Code:
    """The schedule as code, for the target that is chosen."""

    def __init__(self, now: Exploration) -> None:
        self._now = now
        heading("Code", 3)
        self._left_out = ui.label().classes("faint")
        with ui.tabs(on_change=self._draw) as self._tabs:
            for target, name in {OWN: OWN, **FRAMEWORKS}.items():
                ui.tab(target, name)
        self._tabs.props('no-caps dense align=left outside-arrows mobile-arrows aria-label="Frameworks"')
        self._code = code_block("")
        self._tabs.value = OWN

    async def show(self, now: Exploration) -> None:
        """Shows the code of the exploration as it is now."""
        self._now = now
        await self._draw()

    async def _draw(self) -> None:
        explored, budget = self._now.current, self._now.budget
        left = max(budget - explored.warmup, 0)
        self._left_out.text = (
            f"Only the code for sgdr has the warm-up; the others train the {left} epochs after it."
            if explored.warmup
            else ""
        )
        target = str(self._tabs.value)
        self._code.show(await run_in_threadpool(code, explored, target, self._now.steps_per_epoch, budget))
