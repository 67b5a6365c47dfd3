"""Complete learning curves of a grid of schedules over several seeds, on which searches are replayed.

    python -m experiments.bench.tables mnist1d --seeds 8

Each seed is kept in the cache directory as soon as it is trained, so that a build goes on where it stopped.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import optax
from rich.console import Console
from rich.progress import Progress

from sgdr.schedule import WarmRestarts
from sgdr.search.backend.devices import local_devices
from sgdr.search.backend.population import Population
from sgdr.search.backend.slots import FINITE, LONGEST_CALL
from sgdr.search.problem.supervised import Supervised
from sgdr.search.problem.types import Schedule
from sgdr.workloads import fashion_mnist, mlp
from sgdr.workloads.cache import Arrays, cached
from sgdr.workloads.mnist1d import mnist1d, mnist1d_noisy

SLOTS = 16
VERSION = 1
"""The version of what the workloads and the grid are: another number makes the tables anew."""
METRICS = ("error", "select_error", "loss", "select_loss")

BASE_LR = tuple(float(f"{rate:.3g}") for rate in np.geomspace(0.004, 0.6, 8))
T_0 = (1, 2, 5, 10, 20, 33, 50)
"""The values of T_0, in percent of the budget."""
T_MULT = (1, 2)
ETA_RATIO = (0.0, 0.1)


def grid(budget: int) -> list[WarmRestarts]:
    """All 248 schedules, in epochs: 224 with restarts, 16 of one cosine cycle, 8 of a constant rate."""
    lengths = [max(1, round(share * budget / 100)) for share in T_0]
    lengths = list(dict.fromkeys(lengths))
    cycles = [(length, T_mult) for length in lengths for T_mult in T_MULT] + [(budget, 1)]
    cosines = [
        WarmRestarts(rate, length, T_mult, rate * ratio)
        for rate in BASE_LR
        for length, T_mult in cycles
        for ratio in ETA_RATIO
    ]
    return cosines + [WarmRestarts(rate, budget, 1, rate) for rate in BASE_LR]


def fashion() -> Supervised:
    """Fashion-MNIST made small: an MLP 196-64-64-10 on 4,000 images of 14 x 14; 10,000 others validate."""
    (images, labels), (valid, valid_labels) = fashion_mnist.read()
    return Supervised(
        "fashion-small",
        params=functools.partial(mlp.init, sizes=(196, 64, 64, 10)),
        apply=mlp.apply,
        train=(halved(images[:4000]), labels[:4000]),
        valid=(halved(valid), valid_labels),
        optimizer=functools.partial(optax.sgd, momentum=0.9),
        batch_size=100,
        budget=60,
    )


def halved(images: np.ndarray) -> np.ndarray:
    """Images [n, height, width] of bytes as fractions of 255, each the mean of 2 x 2 pixels."""
    count, height, width = images.shape
    blocks = images.reshape(count, height // 2, 2, width // 2, 2)
    return np.asarray(blocks.mean((2, 4), dtype=np.float32) / 255)


SOURCES: dict[str, Callable[[], Supervised]] = {
    "mnist1d": mnist1d,
    "mnist1d-noisy": mnist1d_noisy,
    "fashion-small": fashion,
}


@dataclass(frozen=True, eq=False)
class Table:
    """What every schedule gave on every seed, to the end of the budget."""

    name: str
    budget: int
    schedules: Sequence[WarmRestarts]
    """The schedules, in epochs."""
    curves: dict[str, np.ndarray] = field(repr=False)
    """The curves by `METRICS`, float32 [schedules, seeds, epochs]; NaN from where a trial has diverged."""

    @property
    def seeds(self) -> int:
        """How many seeds each schedule was trained on."""
        return int(self.curves["error"].shape[1])


def table(
    name: str, schedules: Sequence[WarmRestarts] | None, seeds: Sequence[int], key: str = "grid"
) -> Table:
    """The table of a workload in `SOURCES` on the seeds; what is not in the cache yet is trained now.

    `schedules` None: its `grid`. `key` names them in the cache.
    """
    workload = SOURCES[name]()
    chosen = grid(workload.budget) if schedules is None else list(schedules)
    parts = []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"curves of {name}", total=len(chosen) * len(seeds))
        for seed in seeds:
            done = progress.tasks[task].completed
            make = functools.partial(
                _train, workload, chosen, seed, lambda count: progress.update(task, advance=count)
            )
            parts.append(cached(f"curves-{VERSION}-{name}-{key}-{seed}", make))
            progress.update(task, completed=done + len(chosen))
    stacked = {metric: np.stack([part[metric] for part in parts], axis=1) for metric in METRICS}
    return Table(name, workload.budget, chosen, stacked)


def _train(
    workload: Supervised, schedules: Sequence[WarmRestarts], seed: int, advanced: Callable[[float], None]
) -> Arrays:
    devices = len(local_devices()[0])
    population = _population(workload, min(SLOTS, -(-len(schedules) // devices) * devices))
    return curves(population, schedules, workload.budget, seed, METRICS, advanced)


def curves(
    population: Population,
    schedules: Sequence[Schedule],
    budget: int,
    seed: int,
    metrics: Sequence[str],
    advanced: Callable[[float], None],
) -> Arrays:
    """The curves of all schedules, in epochs, on one seed: of each metric [schedules, epochs].

    They are NaN from where a trial has diverged. `advanced` hears of trials, and parts of them.
    """
    rounds = []
    for first in range(0, len(schedules), population.slots):
        chosen = schedules[first : first + population.slots]
        for slot, schedule in enumerate(chosen):
            population.fill(slot, schedule, budget, seed, {})
        parts, left = [], budget
        while left:
            parts.append(population.advance(min(left, LONGEST_CALL)).read())
            left -= len(parts[-1][FINITE])
            advanced(len(chosen) * len(parts[-1][FINITE]) / budget)
        finite = np.cumprod(np.concatenate([part[FINITE] for part in parts]), axis=0) > 0
        rounds.append(
            {
                metric: np.where(finite, np.concatenate([part[metric] for part in parts]), np.nan).T[
                    : len(chosen)
                ]
                for metric in metrics
            }
        )
    return {metric: np.concatenate([trained[metric] for trained in rounds]) for metric in metrics}


@functools.cache
def _population(workload: Supervised, slots: int) -> Population:
    population = Population(workload, slots, local_devices()[0])
    population.compile()
    return population


def main() -> None:
    """Trains what is missing of a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SOURCES, []], help="which; all by default")
    parser.add_argument("--seeds", type=int, default=8)
    args = parser.parse_args()
    for name in args.names or SOURCES:
        grid = table(name, None, range(args.seeds))
        best = np.nanmin(grid.curves["error"].mean(1))
        print(f"{name}: {len(grid.schedules)} schedules on {grid.seeds} seeds; lowest mean error {best:.4f}")


if __name__ == "__main__":
    main()
