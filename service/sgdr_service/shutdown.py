"""Knowing that the service is about to end, before the server waits for its connections to end.

A stream of events would go on for ever: the server tells the app of its end only after the last connection.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def closing_event() -> Iterator[asyncio.Event]:
    """An event of the running loop that is set at the first SIGINT or SIGTERM, which the server then gets."""
    event = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # signals come to the main thread only, where there is no such server
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def heard(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(event.set)
        then = before[signal.Signals(number)]
        if callable(then):
            then(number, frame)

    for number in SIGNALS:
        signal.signal(number, heard)
    try:
        yield event
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is heard:
                signal.signal(number, handler)
