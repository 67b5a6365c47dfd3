"""Sweeps as processes, and what their studies tell of their time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sgdr import search

STUDY = "bench"


@dataclass(frozen=True)
class Swept:
    """A sweep that went to its end."""

    startup: float
    """Seconds from the start of its process to its first trial."""
    wall: float
    """Seconds of its process."""
    rate: float
    """Trials a second, from the start of the first to the end of the last."""
    trials: pd.DataFrame


def begin(url: str, workload: str, trials: int, *options: str) -> subprocess.Popen[str]:
    """Starts `sgdr sweep` of the study `STUDY` with nothing pruned."""
    command = [sys.executable, "-m", "sgdr", "sweep", "--workload", workload, "--trials", str(trials)]
    command += ["--study", STUDY, "--pruner", "none", *options]
    environment = {**os.environ, "SGDR_STORAGE": url, "RAY_USAGE_STATS_ENABLED": "0"}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def swept(url: str, workload: str, trials: int, *options: str) -> Swept:
    """Sees a sweep through, in a storage without a study `STUDY`. Raises RuntimeError where it fails."""
    began, start = time.time(), time.perf_counter()
    process = begin(url, workload, trials, *options)
    _, said = process.communicate()
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(said[-2000:])
    table = search.load(STUDY, url).trials()
    started = pd.to_datetime(table.started).map(lambda at: at.timestamp())
    last = (started + table.seconds).max()
    return Swept(started.min() - began, wall, len(table) / (last - started.min()), table)


def finished(table: pd.DataFrame) -> int:
    """Trials that are complete."""
    return int((table.state == "COMPLETE").sum())


def faults(table: pd.DataFrame, trials: int) -> list[str]:
    """What is wrong with a study that was to finish so many trials: each of them ends exactly once."""
    wrong = []
    if (count := finished(table)) != trials:
        wrong.append(f"{count} trials are complete, not {trials}")
    if left := set(table.state) - {"COMPLETE", "FAIL"}:
        wrong.append(f"some are {', '.join(sorted(left))}")
    if list(table.index) != list(range(len(table))):
        wrong.append("numbers are missing or doubled")
    repeated = table.retry_of.dropna()
    if not repeated.is_unique:
        wrong.append("a trial was repeated twice")
    if set(repeated) != set(table.index[table.state == "FAIL"]):
        wrong.append("a trial that was cut off was not repeated, or another was")
    if not table[table.retry_of.isna()].seed.dropna().is_unique:
        wrong.append("two trials have one seed")
    return wrong


def unchanged(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Whether every trial that was complete is still, with the same values."""
    complete: Any = before[before.state == "COMPLETE"]
    return bool(complete.equals(after.loc[complete.index]))


def median(values: Sequence[float]) -> float:
    """The median of an odd number of values."""
    return sorted(values)[len(values) // 2]
