"""Keeps a page as its study is, for as long as somebody has it open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from nicegui import background_tasks, ui

from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.layout import remark
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.problems import Problem

PAUSE_SECONDS = 1.0
"""Seconds between two changes that are shown: nobody sees more."""
RETRY_SECONDS = 3.0


def follow(here: Here, name: str, show: Callable[[Seen], Awaitable[None]], trouble: ui.element) -> None:
    """Calls `show` with the study after every change. To be called where the page is built.

    Where the study cannot be read, the page says so in `trouble`, keeps what it shows, and tries again.
    """
    client = ui.context.client

    def say(words: str) -> None:
        trouble.clear()
        if words:
            with trouble:
                remark(words, "warning")

    async def run() -> None:
        await client.connected()
        while not client.is_deleted:
            try:
                async for seen in here.watched.follow(name):
                    with client:
                        say("")
                        await show(seen)
                    await asyncio.sleep(PAUSE_SECONDS)
                return  # the service ends
            except Problem as problem:
                with client:
                    say("This study was deleted." if problem.status == 404 else problem.detail)
                if problem.status == 404:
                    return
            await asyncio.sleep(RETRY_SECONDS)

    task = background_tasks.create(run(), name=f"follow {name}")
    client.on_delete(lambda: task.cancel())
