"""What the explorer works out of a schedule, beside its figure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr_service.dashboard.code_view import FRAMEWORKS
from sgdr_service.dashboard.explorer import closing, cycles
from sgdr_service.dashboard.explorer.code import OWN, code
from sgdr_service.dashboard.explorer.state import Exploration, Now
from sgdr_service.dashboard.layout import code_block, heading, remark
from sgdr_service.dashboard.table import CYCLE, Table, column

COLUMNS = (*CYCLE, column("peak", "peak rate"), column("last", "rate at its last step"))


class Closing:
    """Whether the budget ends at a trough, with what else would; `on_taken` is called with what is taken."""

    def __init__(self, now: Now, on_taken: Callable[[Exploration], None]) -> None:
        self._now, self._on_taken = now, on_taken
        self._box = ui.element("div").props("aria-live=polite")
        self.show()

    def show(self) -> None:
        """Shows where the budget ends."""
        now = self._now()
        is_closed = closing.is_closed(now.current, now.budget)
        self._box.clear()
        with self._box, remark(closing.said(now.current, now.budget), "info" if is_closed else "warning"):
            if is_closed:
                return
            with ui.element("div").classes("controls"):
                for offer in closing.offers(now):
                    taken = partial(self._on_taken, offer.exploration)
                    ui.button(offer.words, on_click=taken).props("outline no-caps dense")


class RateAt:
    """The rate at an epoch that is typed."""

    def __init__(self, now: Now) -> None:
        self._now = now
        heading("Rate at an epoch", 3)
        with ui.element("div").classes("controls"):
            self._epoch = ui.input("Epoch", value="0", on_change=self.show).props(
                "dense outlined hide-bottom-space autocomplete=off inputmode=decimal debounce=300"
            )
            self._epoch.without_auto_validation()
            self._words = ui.label().props("aria-live=polite")
        self.show()

    def show(self) -> None:
        """Shows the rate, or what is wrong with the epoch."""
        now, fault, words = self._now(), None, ""
        try:
            words = cycles.at(now.current, self._epoch.value or "", now.steps_per_epoch)
        except ValueError as error:
            fault = str(error)
        self._epoch.error, self._words.text = fault, words


class CycleTable:
    """The cycles of the schedule."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._table = Table("Cycles", "cycles", COLUMNS, [], key="cycle")
        self._more = ui.label().classes("faint")
        self.show()

    def show(self) -> None:
        """Shows the cycles."""
        now = self._now()
        rows = cycles.rows(now.current, now.budget, now.steps_per_epoch)
        more = cycles.begun(now.current, now.budget) - len(rows)
        self._more.text = f"{more:,} more cycles are not listed." if more else ""
        self._table.show(rows)


class Code:
    """The schedule as code, for the target that is chosen."""

    def __init__(self, now: Now) -> None:
        self._now = now
        heading("Code", 3)
        with ui.tabs(on_change=self.show) as self._tabs:
            for target, name in {OWN: OWN, **FRAMEWORKS}.items():
                ui.tab(target, name)
        self._tabs.props('no-caps dense align=left outside-arrows mobile-arrows aria-label="Frameworks"')
        self._code = code_block("")
        self._turn = 0
        self._tabs.value = OWN

    async def show(self) -> None:
        """Shows the code for the target, unless another has been asked for meanwhile."""
        now = self._now()
        self._turn += 1
        turn = self._turn
        text = await run_in_threadpool(
            code, now.current, str(self._tabs.value), now.steps_per_epoch, now.budget
        )
        if turn == self._turn:  # what is slower may end later
            self._code.show(text)
