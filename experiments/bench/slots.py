"""Trials a second by number of slots, beside one trial at a time: how far a device is filled.

    python -m experiments.bench.slots
    python -m experiments.bench.slots --workload fashion-mnist-cnn --slots 1 16 64 256 1024

Nothing is sampled, pruned or stored: whole budgets are trained, on all devices of this process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from typing import Any

import jax

from experiments.bench import report
from sgdr.schedule import WarmRestarts
from sgdr.search.backend.devices import local_devices, use_all_cores
from sgdr.search.backend.population import Population
from sgdr.search.problem.lookup import find
from sgdr.search.problem.workload import Workload


def population(workload: Workload, slots: int, devices: Sequence[jax.Device]) -> Population:
    """A population with a trial in every slot, compiled, and trained for an epoch. Raises MemoryError."""
    trained = Population(workload, slots, devices)
    trained.compile()
    for slot in range(slots):
        schedule = WarmRestarts(0.05, T_0=1 + slot % 10, T_mult=1 + slot % 3, eta_min=1e-4)
        trained.fill(slot, schedule, workload.budget, seed=slot, hparams={})
    trained.advance(1).read()
    return trained


def rate(trained: Population, budget: int, epochs: int, calls: int) -> float:
    """Trials of a budget a second, the median of so many calls of so many epochs."""
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        trained.advance(epochs).read()
        seconds.append(time.perf_counter() - start)
    return trained.slots * epochs / budget / statistics.median(seconds)


def main() -> None:
    """Measures and prints a table, one row for each number of slots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", default="digits", help="a registered name of one made of arrays")
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 16, 64, 256, 1024])
    parser.add_argument("--epochs", type=int, default=5, help="of a call, 1 to 20")
    parser.add_argument("--calls", type=int, default=5)
    args = parser.parse_args()
    use_all_cores()
    workload: Any = find(args.workload)
    devices, _ = local_devices()
    alone = rate(population(workload, 1, devices[:1]), workload.budget, args.epochs, args.calls)
    rows = [["1, on one device", report.number(alone), "1.0"]]
    for asked in args.slots:
        slots = -(-asked // len(devices)) * len(devices)  # each device has equally many
        if slots == 1:
            continue
        try:
            trained = population(workload, slots, devices)
        except MemoryError:
            rows.append([str(slots), report.ABSENT, "too large"])
            continue
        per_second = rate(trained, workload.budget, args.epochs, args.calls)
        trained.close()
        rows.append([str(slots), report.number(per_second), f"{per_second / alone:.1f}"])
    print(
        f"Trials of {workload.budget} epochs of `{args.workload}`, on {len(devices)} device(s) "
        f"({devices[0].device_kind}), medians of {args.calls}.\n{report.machine('jax')}.\n"
    )
    print(report.table(["slots", "trials/s", "times one at a time"], rows))


if __name__ == "__main__":
    main()
