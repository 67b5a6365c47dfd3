"""Milliseconds of requests, one after the other on one connection, and progress while they are counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import httpx2
import numpy as np
from rich.console import Console
from rich.progress import track

Ask = Callable[[], httpx2.Response]


def milliseconds(ask: Ask) -> float:
    """What one request takes until all of its answer is there. Raises RuntimeError where it fails."""
    start = time.perf_counter()
    answer = ask()
    taken = time.perf_counter() - start
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.request.url} answers {answer.status_code}: {answer.text[:300]}")
    return 1000 * taken


def in_turn(asks: Mapping[str, Ask], rounds: int, what: str) -> dict[str, list[float]]:
    """Milliseconds of each, the requests taking turns."""
    taken: dict[str, list[float]] = {name: [] for name in asks}
    for _ in tracked(rounds, what):
        for name, ask in asks.items():
            taken[name].append(milliseconds(ask))
    return taken


def p99(values: Sequence[float]) -> float:
    """The value that one of a hundred exceeds."""
    return float(np.quantile(values, 0.99))


def tracked(rounds: int, what: str) -> Iterable[int]:
    """range(rounds), with a bar on stderr."""
    return track(range(rounds), what, console=Console(stderr=True), transient=True)
