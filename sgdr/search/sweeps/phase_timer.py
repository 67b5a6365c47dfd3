"""A timer that tells where the time of a sweep goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class PhaseTimer:
    """Seconds of wall time by phase; what happens in an inner phase does not count for the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()
        self._running: list[str] = []
        self._turned = self._began

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts the time within for `name`."""
        self._turn()
        self._running.append(name)
        try:
            yield
        finally:
            self._turn()
            self._running.pop()

    def wall(self) -> float:
        """Seconds since the timer was made."""
        return time.perf_counter() - self._began

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._running:
            name = self._running[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._turned
        self._turned = now
