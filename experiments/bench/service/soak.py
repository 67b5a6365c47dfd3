"""All kinds of requests at once for a long while: nothing may fail, and memory may not grow."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np

from experiments.bench import report
from experiments.bench.service.server import Server, serving
from experiments.bench.service.studies import PAGE, STUDY, filled
from experiments.bench.service.timing import tracked
from experiments.bench.service.writer import Growing

CLIENTS = 4
SAMPLE = 1.0
"""Seconds between two looks at the memory."""
WARM_UP = 0.2
"""Share of the time, at its beginning, in which memory may still grow."""

Request = Callable[[httpx2.Client, random.Random], int]
"""Sends one, drawn anew each time, and returns the status of the answer."""


def _get(path: str) -> Request:
    return lambda client, draw: client.get(path).status_code


def _rate(client: httpx2.Client, draw: random.Random) -> int:
    query = {"base_lr": draw.uniform(0.001, 1.0), "T_0": draw.randint(1, 10**6), "T_mult": draw.randint(1, 3)}
    return client.get("/v1/lr", params={**query, "step": draw.randrange(10**9)}).status_code


def _range(client: httpx2.Client, draw: random.Random) -> int:
    schedule = {"base_lr": 0.1, "T_0": draw.uniform(1.0, 1e4), "T_mult": draw.choice((1, 1.5, 2))}
    steps = {"start": 0, "stop": draw.randint(1, 100_000)}
    return client.post("/v1/lr", json={"schedule": schedule, "steps": steps}).status_code


def _page(client: httpx2.Client, draw: random.Random) -> int:
    query = {"sort": draw.choice(("number", "-value", "T_0")), "offset": draw.randint(0, 1000)}
    return client.get(PAGE, params={**query, "limit": draw.randint(1, 100)}).status_code


def _listen(client: httpx2.Client, draw: random.Random) -> int:
    """Goes away after the first event, as a browser's tab that is closed."""
    with client.stream("GET", f"/v1/sweeps/{STUDY}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                break
        return stream.status_code


REQUESTS: Mapping[str, tuple[int, int, Request]] = {
    "a rate": (40, 200, _rate),
    "a range": (4, 200, _range),
    "restarts": (10, 200, _get("/v1/restarts?base_lr=0.1&T_0=10&T_mult=2&until=10000")),
    "a page": (15, 200, _page),
    "all studies": (5, 200, _get("/v1/studies")),
    "the best": (8, 200, _get(f"/v1/studies/{STUDY}/best?k=3")),
    "the best of all": (3, 200, _get("/v1/best?workload=digits")),
    "trials.csv": (1, 200, _get(f"{PAGE}.csv")),
    "events": (4, 200, _listen),
    "metrics": (1, 200, _get("/metrics")),
    "a bad rate": (4, 422, _get("/v1/lr?base_lr=-1&T_0=10&step=0")),
    "an unknown parameter": (2, 422, _get("/v1/lr?base_lr=1&T_0=10&step=0&Tmult=2")),
    "no study": (2, 404, _get("/v1/studies/none")),
    "no path": (1, 404, _get("/nothing")),
}
"""How often of a hundred, the status that is right, and the request."""


def measure(folder: Path, trials: int, seconds: float) -> str:
    """The table, and how memory went."""
    url = filled(folder, trials)
    counts, wrong = Counter[str](), Counter[str]()
    ending = threading.Event()
    # The sweep goes on, so that there is something to listen to, but nothing new comes of it.
    with Growing(url, STUDY), serving(url) as server, ThreadPoolExecutor(CLIENTS) as pool:
        try:
            load = [pool.submit(_load, server, seed, ending, counts, wrong) for seed in range(CLIENTS)]
            times, sizes = _sampled(server, seconds)
        finally:
            ending.set()
        for client in load:
            client.result()
    rows = [[name, f"{counts[name]:,}", f"{wrong[name]:,}"] for name in REQUESTS]
    rows.append(["all", f"{sum(counts.values()):,}", f"{sum(wrong.values()):,}"])
    return (
        f"{CLIENTS} clients for {seconds:,.0f} s, a study of {trials:,} trials. Wrong: another status than "
        f"is right, or no whole answer.\n\n{report.table(['requests', 'sent', 'wrong'], rows)}\n\n"
        f"{memory(times, sizes)}"
    )


def _load(
    server: Server, seed: int, ending: threading.Event, counts: Counter[str], wrong: Counter[str]
) -> None:
    """One client, until the end."""
    draw = random.Random(seed)
    names, weights = list(REQUESTS), [weight for weight, _, _ in REQUESTS.values()]
    with server.client() as client:
        while not ending.is_set():
            name = draw.choices(names, weights)[0]
            _, right, send = REQUESTS[name]
            try:
                status = send(client, draw)
            except httpx2.HTTPError:
                status = 0
            counts[name] += 1
            wrong[name] += status != right


def _sampled(server: Server, seconds: float) -> tuple[list[float], list[int]]:
    """Seconds since the beginning, and bytes in memory then."""
    began = time.monotonic()
    times, sizes = [], []
    for _ in tracked(max(3, round(seconds / SAMPLE)), "soak"):
        time.sleep(SAMPLE)
        times.append(time.monotonic() - began)
        sizes.append(server.resident())
    return times, sizes


def memory(times: Sequence[float], sizes: Sequence[int]) -> str:
    """The memory after the warm-up, and the slopes of lines through all samples and the later half."""
    first = int(len(times) * WARM_UP)
    minutes, megabytes = np.array(times[first:]) / 60, np.array(sizes[first:]) / 1e6
    half = len(minutes) // 2
    slope, later = (float(np.polyfit(minutes[at:], megabytes[at:], 1)[0]) for at in (0, half))
    return (
        f"Resident after the warm-up {megabytes[0]:,.1f} MB, at the end {megabytes[-1]:,.1f} MB, at most "
        f"{megabytes.max():,.1f} MB; slope {slope:+.2f} MB a minute, {later:+.2f} in the later half."
    )
