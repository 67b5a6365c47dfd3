"""Waiting for a database that is away: a restart, a network that is cut, a deadlock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from sgdr.search.storage.outages import is_outage

RETRY_SECONDS = 900.0
"""How long a worker waits for its storage, before it ends as it does when the storage fails."""
LONGEST_PAUSE = 5.0

Result = TypeVar("Result")


class Retrying:
    """Does what is asked again and again while the storage is away."""

    def __init__(
        self,
        on_remark: Callable[[str], None] = lambda remark: None,
        on_return: Callable[[], None] = lambda: None,
        seconds: float = RETRY_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`on_return` is called when the storage is back, after each outage."""
        self._on_remark, self._on_return, self._seconds, self._sleep = on_remark, on_return, seconds, sleep

    def __call__(self, action: Callable[[bool], Result]) -> Result:
        """What `action` returns. It is told whether it may have been done before, at least in part.

        Raises what it raises, but outages only once they have lasted too long.
        """
        began, pause, maybe_applied = time.monotonic(), 0.1, False
        while True:
            try:
                done = action(maybe_applied)
            except Exception as error:
                if not is_outage(error) or time.monotonic() - began > self._seconds:
                    raise
                if pause > 1 > pause / 2:  # a deadlock, or a lost connection, is over by then
                    self._on_remark("the storage is away; waiting for it")
                maybe_applied = True
                self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if maybe_applied:
                    self._on_return()
                return done
