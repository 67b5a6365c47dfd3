"""The explorer on its page: what is set, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fastapi.concurrency import run_in_threadpool
from nicegui import background_tasks, ui

from sgdr_service.dashboard.explorer import fields
from sgdr_service.dashboard.explorer.chooser import Chooser
from sgdr_service.dashboard.explorer.fields import Faults
from sgdr_service.dashboard.explorer.link import url
from sgdr_service.dashboard.explorer.results import Closing, Code, CycleTable, RateAt
from sgdr_service.dashboard.explorer.setting import Setting
from sgdr_service.dashboard.explorer.state import Exploration
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.schedules import schedules
from sgdr_service.dashboard.layout import in_browser, readdress

REST_SECONDS = 0.3
"""Seconds without a change before all but the figure is worked out again."""
SETTINGS = (*fields.OF_ONE, *fields.SHARED)
COPY = """
try {{ await navigator.clipboard.writeText(new URL({url}, location.href).href); return true; }}
catch {{ return false; }}
"""


class View:
    """`now` is what it shows at first; then the address of the page follows what is set."""

    def __init__(self, now: Exploration) -> None:
        self._now = now
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._client = ui.context.client
        self._client.on_delete(self._stop)
        with ui.element("div").classes("explorer"):
            with ui.element("div").classes("explorer-set"):
                with ui.element("section").classes("explorer-settings").props('aria-label="Settings"'):
                    self._chooser = Chooser(self.now, self._take)
                    texts = now.texts
                    self._settings = {
                        field.name: Setting(field, texts[field.name], self._typed) for field in SETTINGS
                    }
                with ui.element("div").classes("explorer-figure"):
                    self._figure = Figure("Learning rate", "schedules", height="24rem").show(drawn(now))
            with ui.element("section").classes("explorer-results").props('aria-label="Results"'):
                with ui.element("div").classes("controls"):
                    self._log = ui.switch("Logarithmic rates", value=now.log, on_change=self._scaled)
                    ui.button("Copy link", on_click=self._copy).props("outline no-caps dense")
                closing = Closing(self.now, self._take)
                self._results = (closing, RateAt(self.now), CycleTable(self.now))
                self._code = Code(self.now)

    def now(self) -> Exploration:
        """The exploration that it shows, as it is now."""
        return self._now

    def _typed(self) -> None:
        """Takes what the fields say, where all of them are good."""
        messages: dict[str, str] = {}
        try:
            self._draw(self._now.read({name: setting.text for name, setting in self._settings.items()}))
        except Faults as faults:
            messages = faults.messages
        for name, setting in self._settings.items():
            setting.tell(messages.get(name))

    def _take(self, now: Exploration) -> None:
        """Puts it into the fields, in the place of whatever they say."""
        for name, text in now.texts.items():
            self._settings[name].show(text)
            self._settings[name].tell(None)
        self._draw(now)

    def _scaled(self) -> None:
        self._draw(replace(self._now, log=bool(self._log.value)))

    def _draw(self, now: Exploration) -> None:
        """Lets it be drawn as soon as what is being drawn is there."""
        self._now = now
        self._chooser.show()
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = background_tasks.create(self._follow(), name="draw schedules")

    async def _follow(self) -> None:
        """Draws what has changed, until nothing does: the figure at once, and then the rest."""
        while self._changed.is_set():
            self._changed.clear()
            now = self._now
            self._figure.show(await run_in_threadpool(drawn, now))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), REST_SECONDS)
                continue
            with self._client:
                for result in self._results:
                    result.show()
                readdress(url(now))
                await self._code.show()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _copy(self) -> None:
        readdress(url(self._now))
        if await ui.run_javascript(COPY.format(url=json.dumps(in_browser(url(self._now)))), timeout=10.0):
            ui.notify("The link is copied.")
        else:
            ui.notify("The browser lets no page copy here: copy the address of this page.")


def drawn(exploration: Exploration) -> dict[str, Any]:
    """The schedules over the budget."""
    lines = [(explored.name, explored.schedule) for explored in exploration.schedules]
    return schedules(lines, exploration.budget, "epoch", marked=exploration.edited, log_y=exploration.log)
