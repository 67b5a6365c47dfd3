"""Many listeners to one sweep: who hears of each change, how late, and what it costs the others."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import numpy as np
from pydantic_core import from_json

from experiments.bench import report
from experiments.bench.service.server import Server, serving
from experiments.bench.service.studies import PAGE, STUDY, filled
from experiments.bench.service.timing import milliseconds, p99
from experiments.bench.service.writer import Growing

BETWEEN = (0.8, 1.4)
"""Seconds between two changes, drawn evenly: more than between two looks of the service, so that each
is told by itself, and not in step with them."""
PAUSE = 0.05
"""Seconds between two other requests."""
CONNECT_SECONDS = 60.0
OTHERS = {"GET /v1/lr": "/v1/lr?base_lr=0.1&T_0=10&step=37", "first page of trials": PAGE}

Heard = list[tuple[float, int]]
"""Moments of changes, by `time.monotonic`, and how many trials the sweep had then."""


@dataclass(frozen=True)
class Cost:
    """What the server takes, and others wait, over some seconds."""

    cpu: float
    """Share of a core."""
    resident: int
    p99: dict[str, float]
    """Milliseconds of each other request."""


def measure(folder: Path, trials: int, listeners: int, changes: int) -> str:
    """The two tables."""
    url = filled(folder, trials)
    spawn = multiprocessing.get_context("spawn")
    with serving(url) as server, ProcessPoolExecutor(1, mp_context=spawn) as pool:
        with Growing(url, STUDY) as growing:  # the listening ends when the sweep does
            _ask_others(server, BETWEEN[1])
            before, _ = _cost(server, growing, changes)
            listening = pool.submit(listen, server.url, listeners)
            _connected(server, listeners)
            cost, written = _cost(server, growing, changes)
        heard = listening.result()
    return (
        f"{listeners} listeners to GET /v1/sweeps/{{study}}/events of one server, which looks every half "
        f"second; a study of {trials:,} trials, and {changes} more, one about every second.\n\n"
        f"{latencies(heard, written)}\n\n{_costs(before, cost, listeners)}"
    )


def _cost(server: Server, growing: Growing, changes: int) -> tuple[Cost, Heard]:
    """The cost while the study changes so often, and when each change was written."""
    written: Heard = []
    draw = random.Random(0)
    pauses = [draw.uniform(*BETWEEN) for _ in range(changes)]

    def change() -> None:
        for pause in pauses:
            growing.grow()
            written.append((time.monotonic(), growing.trials))
            time.sleep(pause)

    used, began = server.cpu_seconds(), time.monotonic()
    thread = threading.Thread(target=change)
    thread.start()
    others = _ask_others(server, sum(pauses))
    thread.join()
    cpu = (server.cpu_seconds() - used) / (time.monotonic() - began)
    return Cost(cpu, server.resident(), {name: p99(taken) for name, taken in others.items()}), written


def _ask_others(server: Server, seconds: float) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in OTHERS}
    until = time.monotonic() + seconds
    with server.client() as client:
        while time.monotonic() < until:
            for name, path in OTHERS.items():
                taken[name].append(milliseconds(partial(client.get, path)))
                time.sleep(PAUSE)
    return taken


def _connected(server: Server, listeners: int) -> None:
    """Waits until so many are. Raises RuntimeError where they are not in time."""
    until = time.monotonic() + CONNECT_SECONDS
    while time.monotonic() < until:
        there = server.process.net_connections("tcp")
        if sum(connection.status == "ESTABLISHED" for connection in there) >= listeners:
            time.sleep(2 * BETWEEN[1])  # for the first event of the last one
            return
        time.sleep(0.1)
    raise RuntimeError(f"{listeners} listeners did not connect within {CONNECT_SECONDS:g} s")


def listen(url: str, listeners: int) -> list[Heard]:
    """What each hears until the sweep ends. Raises httpx2.HTTPError where a stream fails."""
    return asyncio.run(_listen(url, listeners))


async def _listen(url: str, listeners: int) -> list[Heard]:
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(
        base_url=url, limits=limits, timeout=CONNECT_SECONDS, trust_env=False
    ) as client:
        return await asyncio.gather(*(_one(client) for _ in range(listeners)))


async def _one(client: httpx2.AsyncClient) -> Heard:
    heard: list[tuple[float, str]] = []
    async with client.stream("GET", f"/v1/sweeps/{STUDY}/events") as stream:
        stream.raise_for_status()
        async for line in stream.aiter_lines():
            if line.startswith("data:"):
                heard.append((time.monotonic(), line.removeprefix("data:")))
    # Parsed at the end: meanwhile all of them wait for their turn in this process.
    return [(at, sum(from_json(text)["outcomes"].values())) for at, text in heard]


def latencies(heard: Sequence[Heard], written: Heard) -> str:
    """How many changes were heard by themselves, and how late."""
    missed, late = 0, []
    for one in heard:
        first = {count: at for at, count in reversed(one)}
        for at, count in written:
            if count in first:
                late.append(1000 * (first[count] - at))
            else:
                missed += 1
    cells = [f"{len(heard) * len(written):,}", f"{missed:,}"]
    figures = (np.median(late), p99(late), max(late)) if late else (None, None, None)
    header = ["", "changes × listeners", "missed", "median, ms", "p99, ms", "latest, ms"]
    return report.table(header, [["from written to heard", *cells, *map(report.number, figures)]])


def _costs(before: Cost, cost: Cost, listeners: int) -> str:
    rows = [
        [
            title,
            f"{100 * taken.cpu:.1f} %",
            report.size(taken.resident),
            *map(report.number, taken.p99.values()),
        ]
        for title, taken in (("no listeners", before), (f"{listeners} listeners", cost))
    ]
    header = ["server", "of a core", "resident", *(f"{name}, p99 ms" for name in OTHERS)]
    return report.table(header, rows)
