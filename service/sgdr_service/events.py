"""What changes, for many who follow it: each thing is read by one poller, whoever follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fastapi.concurrency import run_in_threadpool

POLL_SECONDS = 0.5

Seen = TypeVar("Seen")


@dataclass
class _Feed(Generic[Seen]):
    """What the followers of one thing share: how it stands, and the task that polls it."""

    version: int = 0
    latest: Seen | None = None
    error: Exception | None = None
    listeners: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def tell(self) -> None:
        """Wakes everybody who waits."""
        self.version += 1
        self.changed.set()
        self.changed = asyncio.Event()


class Feeds(Generic[Seen]):
    """The feeds of what is followed; `read` gives how the thing of that name stands, to be compared by ==."""

    def __init__(self, read: Callable[[str], Seen], closing: asyncio.Event) -> None:
        self.read, self._closing = read, closing
        self.followed: dict[str, _Feed[Seen]] = {}
        """The feeds of what somebody follows now, by name."""

    async def follow(self, name: str) -> AsyncIterator[Seen]:
        """How it stands now and after every change, until the service ends or the reading fails."""
        feed: _Feed[Seen] = self.followed.setdefault(name, _Feed())
        feed.listeners += 1
        if feed.task is None:
            feed.task = asyncio.create_task(self._poll(name, feed))
        try:
            seen = 0
            while not self._closing.is_set():
                changed = feed.changed
                if feed.error is not None:
                    raise feed.error
                if feed.version > seen and feed.latest is not None:
                    seen = feed.version
                    yield feed.latest
                    continue
                await self._either(changed)
        finally:
            feed.listeners -= 1
            if not feed.listeners:
                feed.task.cancel()
                if self.followed.get(name) is feed:
                    del self.followed[name]

    async def _either(self, changed: asyncio.Event) -> None:
        """Waits until there is news, or the service is to end."""
        waits = [asyncio.create_task(event.wait()) for event in (changed, self._closing)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _poll(self, name: str, feed: _Feed[Seen]) -> None:
        while True:
            try:
                latest = await run_in_threadpool(self.read, name)
            except Exception as error:
                feed.error = error
                feed.tell()
                if self.followed.get(name) is feed:
                    del self.followed[name]
                return
            if latest != feed.latest:
                feed.latest = latest
                feed.tell()
            await asyncio.sleep(POLL_SECONDS)
