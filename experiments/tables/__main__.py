"""Trains the tables that are missing, and writes those that are whole into `experiments/tables/data/`.

    python -m experiments.tables mnist1d --seeds 8

Each seed is kept in the cache directory as soon as it is trained, so that a build goes on where it stopped.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from experiments.tables.grid import entries
from experiments.tables.table import About, read, write
from experiments.tables.train import curves
from experiments.tables.workloads import WORKLOADS
from sgdr.search.backend.devices import use_all_cores
from sgdr.search.problem.supervised import Supervised


def main() -> None:
    """Trains, and writes a file for each workload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(WORKLOADS)}; all by default")
    parser.add_argument("--seeds", type=int, default=8)
    args = parser.parse_args()
    use_all_cores()
    for name in args.names or WORKLOADS:
        workload = WORKLOADS[name]()
        schedules = entries(workload.base_lr, workload.budget)
        values = _trained(name, workload, len(schedules), args.seeds)
        about = About(name, workload.metric, workload.direction, workload.budget, workload.base_lr)
        path = write(about, **values)
        best = float(read(name).worth.mean(1).min())
        size = path.stat().st_size / 1e6
        print(
            f"{name}: {len(schedules)} schedules on {args.seeds} seeds, lowest loss {best:.4f}, {size:.2f} MB"
        )


def _trained(name: str, workload: Supervised, schedules: int, seeds: int) -> dict[str, Any]:
    """The arrays of a table, [schedules, seeds, epochs] each, with a bar on stderr."""
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=schedules * seeds)
        parts = []
        for seed in range(seeds):
            parts.append(curves(workload, seed, lambda count: progress.update(task, advance=count)))
            progress.update(task, completed=schedules * (seed + 1))
    return {key: np.stack([part[key] for part in parts], axis=1) for key in ("value", "select")}


if __name__ == "__main__":
    main()
