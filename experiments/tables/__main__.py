"""Trains the tables that are missing, and writes those that are whole into `experiments/tables/data/`.

    python -m experiments.tables mnist1d --seeds 8

Each seed is kept in the cache directory as soon as it is trained, so that a build goes on where it stopped.
The seeds of a table that has been written are kept as they are, so that more of them can be asked for, unless
its schedules or its version are others now.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from experiments.tables import train
from experiments.tables.grid import entries
from experiments.tables.table import FOLDER, About, read, stored, write
from experiments.tables.workloads import WORKLOADS
from sgdr.search.backend.devices import use_all_cores
from sgdr.search.problem.supervised import Supervised
from sgdr.workloads.cache import Arrays


def main() -> None:
    """Trains, and writes a file for each workload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(WORKLOADS)}; all by default")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the tables")
    args = parser.parse_args()
    use_all_cores()
    for name in args.names or WORKLOADS:
        workload = WORKLOADS[name]()
        schedules = entries(workload.base_lr, workload.budget)
        about = About(
            name, workload.metric, workload.direction, workload.budget, workload.base_lr, train.VERSION
        )
        written = kept(about, len(schedules), args.folder)
        values = _trained(workload, len(schedules), args.seeds, written)
        path = write(about, **values, folder=args.folder)
        worth = read(name, args.folder).worth
        size = path.stat().st_size / 1e6
        print(
            f"{name}: {len(schedules)} schedules on {worth.shape[1]} seeds, "
            f"lowest loss {worth.mean(1).min():.4f}, {size:.2f} MB"
        )


def kept(about: About, schedules: int, folder: Path) -> list[Arrays]:
    """The arrays of each seed that has been written, from the first: none of a table of anything else."""
    try:
        written, arrays = stored(about.name, folder)
    except FileNotFoundError:
        return []
    if written != about or len(arrays["value"]) != schedules:
        return []
    seeds = arrays["value"].shape[1]
    return [{key: array[:, seed] for key, array in arrays.items()} for seed in range(seeds)]


def _trained(workload: Supervised, schedules: int, seeds: int, written: list[Arrays]) -> dict[str, Any]:
    """The arrays of a table, [schedules, seeds, epochs] each, with a bar on stderr; no seed is dropped."""
    parts = list(written)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(
            workload.name, total=schedules * max(seeds, len(parts)), completed=schedules * len(parts)
        )
        for seed in range(len(parts), seeds):
            parts.append(train.curves(workload, seed, lambda count: progress.update(task, advance=count)))
            progress.update(task, completed=schedules * (seed + 1))
    return {key: np.stack([part[key] for part in parts], axis=1) for key in ("value", "select")}


if __name__ == "__main__":
    main()
