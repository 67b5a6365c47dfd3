"""How much slower a study is read while its storage is written: each writer at work and paused, in turn."""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import httpx2
import numpy as np
import psutil

from experiments.bench import report
from experiments.bench.service.server import serving
from experiments.bench.service.studies import PAGE, READS, STUDY, filled
from experiments.bench.service.timing import milliseconds, p99, tracked
from sgdr.search.storage.connect import sqlite_file

SETTLE = 0.3
"""Seconds after a writer was paused or let go on, before reads count."""
BEGIN_SECONDS = 120.0
READ = tuple(READS)[:2]
RATE = 50
SERVICE_NICENESS = 10
"""The niceness of the sweeps that the service starts."""


@dataclass(frozen=True)
class Writer:
    """One who writes into the storage at a URL."""

    title: str
    command: Callable[[str], list[str]]
    began: Callable[[httpx2.Client, str], bool]
    """Whether it is at work by now."""


def _sweep(study: str, niceness: int) -> Writer:
    def command(url: str) -> list[str]:
        search = ["--workload", "digits", "--trials", "1000000", "--seed", "0", "--study", study]
        return ["nice", "-n", str(niceness), sys.executable, "-m", "sgdr", "sweep", *search, "--storage", url]

    def began(client: httpx2.Client, url: str) -> bool:
        answer = client.get(f"/v1/sweeps/{study}")
        return answer.status_code == 200 and answer.json()["finished"] > 0

    title = f"a sweep of digits, nice {niceness}" if niceness else "a sweep of digits"
    return Writer(title, command, began)


def _writer(title: str, began: Callable[[httpx2.Client, str], bool], *options: str) -> Writer:
    def command(url: str) -> list[str]:
        way, *rest = options
        return [sys.executable, "-m", "experiments.bench.service.writer", way, url, *rest]

    return Writer(title, command, began)


def _grows(client: httpx2.Client, url: str) -> bool:
    def total() -> int:
        return int(client.get(PAGE, params={"limit": 1}).json()["total"])

    before = total()
    time.sleep(2 / RATE)
    return total() > before


def _locked(client: httpx2.Client, url: str) -> bool:
    connection = sqlite3.connect(str(sqlite_file(url)), timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


WRITERS = {
    "lock": _writer("the lock for writing, held nine tenths of the time", _locked, "lock"),
    "trials": _writer(
        f"{RATE} trials/s into the study that is read", _grows, "trials", STUDY, "--rate", str(RATE)
    ),
    "nice-sweep": _sweep("nice-sweep", SERVICE_NICENESS),
    "sweep": _sweep("plain-sweep", 0),
}


@contextmanager
def paused(writer: Writer, url: str, client: httpx2.Client) -> Iterator[psutil.Process]:
    """The writer, which has begun and stands still; it ends with the block.

    Raises RuntimeError where it does not begin.
    """
    child = subprocess.Popen(
        writer.command(url), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    process = psutil.Process(child.pid)
    try:
        until = time.monotonic() + BEGIN_SECONDS
        while not writer.began(client, url):
            if child.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{' '.join(writer.command(url))} does not begin")
            time.sleep(0.2)
        process.suspend()
        yield process
    finally:
        left = process.children(recursive=True) if child.poll() is None else []
        for member in (*left, process):
            with suppress(psutil.NoSuchProcess):
                member.kill()
        child.wait()


def measure(folder: Path, trials: int, rounds: int, seconds: float, writers: Sequence[str]) -> str:
    """The table, a row for each writer and read."""
    rows = []
    for name in writers:
        url = filled(folder / name, trials)  # one for each, so that none reads what another has left
        with serving(url) as server, server.client() as client:
            for read in READ:
                milliseconds(partial(client.get, READS[read]))
            with paused(WRITERS[name], url, client) as process:
                alone, meanwhile = _in_turn(client, process, rounds, seconds, name)
        for read in READ:
            rows.append([WRITERS[name].title, read, *cells(alone[read], meanwhile[read])])
    header = ["meanwhile", "read", "alone, ms", "meanwhile, ms", "median", "mean", "p99"]
    return (
        f"Reads of a study of {trials:,} trials while somebody writes into the same SQLite file; {rounds} "
        f"times {seconds:g} s without and with him, in turn. Medians; then medians over the rounds of the "
        f"ratios of medians and of means, and the ratio of the p99 of all.\n\n{report.table(header, rows)}"
    )


def cells(alone: Sequence[Sequence[float]], meanwhile: Sequence[Sequence[float]]) -> list[str]:
    """Medians and ratios of milliseconds by round."""
    flat = [list(chain.from_iterable(side)) for side in (alone, meanwhile)]
    ratios = [
        statistics.median(middle(b) / middle(a) for a, b in zip(alone, meanwhile, strict=True))
        for middle in (statistics.median, statistics.fmean)
    ]
    ratios.append(p99(flat[1]) / p99(flat[0]))
    return [
        *(report.number(float(np.median(side))) for side in flat),
        *(f"{report.number(ratio)} ×" for ratio in ratios),
    ]


Rounds = dict[str, list[list[float]]]
"""The milliseconds of each round, by read."""


def _in_turn(
    client: httpx2.Client, process: psutil.Process, rounds: int, seconds: float, what: str
) -> tuple[Rounds, Rounds]:
    """Rounds without and with the writer."""
    alone: Rounds = {read: [] for read in READ}
    meanwhile: Rounds = {read: [] for read in READ}
    for _ in tracked(rounds, what):
        for side, turn in ((alone, process.suspend), (meanwhile, process.resume)):
            turn()
            time.sleep(SETTLE)
            taken: dict[str, list[float]] = {read: [] for read in READ}
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                for read in READ:
                    taken[read].append(milliseconds(partial(client.get, READS[read])))
            for read in READ:
                side[read].append(taken[read])
    return alone, meanwhile
