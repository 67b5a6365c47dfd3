"""Eight workers on one PostgreSQL beside eight plain loops of Optuna with as many reports."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from typing import Any

import optuna
from optuna.trial import TrialState

from experiments.bench import report
from experiments.bench.cluster import simulated
from experiments.bench.cluster.sweeps import STUDY, median
from experiments.postgres import Postgres, fresh_database
from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.sweeps.coordinator import AloneCoordinator
from sgdr.search.sweeps.create_study import create_study

WORKERS = 8


def section(server: Postgres, trials: int, repeats: int) -> str:
    """The report of this part."""
    ways: dict[str, Any] = {
        "workers of one slot": partial(_rate, "ours"),
        "plain loops of Optuna": partial(_rate, "optuna"),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    reports: dict[str, float] = {}
    for _ in range(repeats):
        for way, measure in ways.items():
            with fresh_database(server.url) as url:
                rate, reports[way] = measure(url, trials)
            rates[way].append(rate)
    limit = WORKERS / simulated.TRIAL_SECONDS
    rows = [
        [
            f"{WORKERS} {way}",
            report.number(median(taken)),
            report.share(median(taken), limit),
            f"{reports[way]:.1f}",
        ]
        for way, taken in rates.items()
    ]
    ours, theirs = (median(taken) for taken in rates.values())
    table = report.table(["", "trials/s", "of no storage at all", "reports a trial"], rows)
    return f"{table}\n\n{ours / theirs:.1f} times the trials per second of plain loops."


def _rate(way: str, url: str, trials: int) -> tuple[float, float]:
    """Trials a second, from the start of the first to the end of the last, and reports a trial."""
    storage = open_storage(url, create=True)
    number = launch = None
    coordinator: AloneCoordinator | None = None
    if way == "ours":
        create_study(storage, STUDY, simulated.settings(trials), resume=False)
        coordinator = AloneCoordinator(storage, STUDY)
        launch = coordinator.log.worker
    else:
        optuna.create_study(study_name=STUDY, storage=storage, direction="minimize")
    arguments = [sys.executable, "-m", "experiments.bench.cluster.simulated", way, url, STUDY]
    processes = [
        subprocess.Popen([*arguments, str(place), launch or "-", str(trials)], stdout=subprocess.DEVNULL)
        for place in range(WORKERS)
    ]
    while any(process.poll() is None for process in processes):
        if coordinator is not None:
            coordinator.write()
        time.sleep(0.5)
    if failed := [process.returncode for process in processes if process.returncode]:
        raise RuntimeError(f"{len(failed)} of {WORKERS} ended with {failed}")
    if coordinator is not None:
        coordinator.log.close()
    number = storage.get_study_id_from_name(STUDY)
    ended: Any = [trial for trial in storage.get_all_trials(number) if trial.state == TrialState.COMPLETE]
    span = max(t.datetime_complete for t in ended) - min(t.datetime_start for t in ended)
    close_storage(storage)
    reports = sum(len(trial.intermediate_values) for trial in ended) / len(ended)
    return len(ended) / span.total_seconds(), reports
