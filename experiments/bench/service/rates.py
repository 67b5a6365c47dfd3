"""Learning rates over HTTP: requests a second beside a route that only returns a constant, and long lists."""

from __future__ import annotations

import json
import statistics
import tempfile
from functools import partial
from pathlib import Path

from experiments.bench import report
from experiments.bench.service.constant import CONSTANT, EMPTY
from experiments.bench.service.server import WITH_CONSTANT, Server, cores, serving
from experiments.bench.service.timing import in_turn, p99, tracked
from experiments.bench.service.wrk import CONNECTIONS, OTHER_EACH_TIME, QUERY, Load, load

LR = "/v1/lr"
SIDES = {
    "GET /v1/lr": (LR, False),
    "a constant, same parameters": (CONSTANT, False),
    "GET /v1/lr, another T_0 and step each time": (LR, True),
    "a constant, the same requests": (CONSTANT, True),
    "no parameters, an empty answer": (EMPTY, False),
}
"""Path of each, and whether every request is another. Each is compared with the constant of its requests."""
STEPS = 100_000


def measure(storage: str, rounds: int, seconds: float) -> str:
    """The two tables."""
    server_core, client_core = cores()
    with serving(storage, WITH_CONSTANT, server_core) as server, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "requests.lua"
        script.write_text(OTHER_EACH_TIME)
        runs: dict[str, list[tuple[Load, float]]] = {side: [] for side in SIDES}
        for round_ in tracked(rounds + 1, "rates"):
            for side, (path, other) in SIDES.items():
                query = "" if other else f"?{QUERY}"
                before = server.cpu_seconds()
                answered = load(f"{server.url}{path}{query}", seconds, client_core, script if other else None)
                if round_:
                    runs[side].append((answered, (server.cpu_seconds() - before) / answered.requests))
        lists = _lists(server, 10 * rounds)
    return (
        f"One rate: {CONNECTIONS} connections of wrk, medians of {rounds} rounds of {seconds:g} s, sides in "
        f"turn; the server on one core, wrk on another. CPU is the server's, which others on the machine "
        f"disturb least.\n\n{markdown(runs)}\n\n"
        f"POST /v1/lr, {STEPS:,} steps, one request after the other, medians of {10 * rounds}.\n\n{lists}"
    )


def markdown(runs: dict[str, list[tuple[Load, float]]]) -> str:
    """A row a side, from its rounds and the seconds of CPU of a request in each.

    Ratios are medians over the rounds, each to the constant of the same round.
    """
    rows = []
    for side, rounds in runs.items():
        other = SIDES[side][1]
        constant = next(runs[name] for name, kind in SIDES.items() if kind == (CONSTANT, other))
        figures = [_figures(*run) for run in rounds]
        ratios = [
            [mine / its for mine, its in zip(_figures(*run), _figures(*to), strict=True)]
            for run, to in zip(rounds, constant, strict=True)
        ]
        rate, slowest, cpu = (statistics.median(column) for column in zip(*figures, strict=True))
        to_rate, to_slowest, to_cpu = (statistics.median(column) for column in zip(*ratios, strict=True))
        cells = [f"{rate:,.0f}", report.share(to_rate, 1.0), report.number(slowest)]
        cells += [f"{report.number(to_slowest)} ×", report.number(cpu), f"{report.number(to_cpu)} ×"]
        rows.append([side, *cells])
    to = "to the constant"
    return report.table(["route", "requests/s", "of the constant", "p99, ms", to, "CPU, µs", to], rows)


def _figures(run: Load, cpu: float) -> tuple[float, float, float]:
    """Requests a second, milliseconds of p99, microseconds of CPU."""
    return run.per_second, run.p99, 1e6 * cpu


def _lists(server: Server, rounds: int) -> str:
    """Milliseconds of many steps in one request."""
    schedule = {"base_lr": 0.1, "T_0": 10, "T_mult": 2, "eta_min": 1e-4}
    kinds = {
        "a range": {"start": 0, "stop": STEPS},
        "a list of whole steps": list(range(STEPS)),
        "a list of fractional steps": [step + 0.5 for step in range(STEPS)],
    }
    with server.client() as client:
        asks = {}
        for name, steps in kinds.items():
            body = json.dumps({"schedule": schedule, "steps": steps})
            asks[name] = partial(client.post, LR, content=body, headers={"Content-Type": "application/json"})
        in_turn(asks, 1, "warm-up")
        taken = in_turn(asks, rounds, "many steps")
    rows = [[name, *map(report.number, (statistics.median(ms), p99(ms)))] for name, ms in taken.items()]
    return report.table(["steps as", "median, ms", "p99, ms"], rows)
