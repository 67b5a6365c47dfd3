"""Nanoseconds for a step of our scheduler for PyTorch and of PyTorch's own, side by side.

    python -m experiments.bench.torch_step

Both write the rates into an optimizer. They take turns, a few hundred steps each; medians count, and the
ratio is the median of the ratios of neighbours, which what else the machine does hardly touches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts as Peer
from torch.optim.lr_scheduler import LRScheduler

from experiments.bench import report
from sgdr.adapters.torch import CosineAnnealingWarmRestarts

BASE_LR, T_0, ETA_MIN = 0.1, 50, 1e-4
STEPS = {"float": 400, "Tensor": 40}
"""The number of steps in one turn, by the kind of rate: a tensor takes some ten times as long."""


@dataclass(frozen=True)
class Case:
    """One way to use a scheduler."""

    T_mult: int
    groups: int
    call: str
    """step() or step(epoch), as for every batch of an epoch."""
    rate: str
    """float or Tensor."""

    def scheduler(self, cls: Callable[..., LRScheduler]) -> LRScheduler:
        groups = [
            {
                "params": [torch.nn.Parameter(torch.zeros(1))],
                "lr": BASE_LR if self.rate == "float" else torch.tensor(BASE_LR),
            }
            for _ in range(self.groups)
        ]
        return cls(torch.optim.SGD(groups), T_0, self.T_mult, eta_min=ETA_MIN)

    def epochs(self) -> list[float | None]:
        """The argument of each step of a turn."""
        steps = STEPS[self.rate]
        return [None] * steps if self.call == "step()" else [number / 4 for number in range(steps)]


CASES = [Case(*options) for options in product((1, 2), (1, 8), ("step()", "step(epoch)"), STEPS)]


def turn(scheduler: LRScheduler, epochs: list[float | None]) -> float:
    """Nanoseconds per step."""
    step: Callable[[Any], None] = scheduler.step  # PyTorch declares whole epochs, and takes others
    start = time.perf_counter()
    for epoch in epochs:
        step(epoch)
    return (time.perf_counter() - start) / len(epochs) * 1e9


def measure(case: Case, turns: int) -> tuple[float, float, float]:
    """Medians: nanoseconds per step of PyTorch's and of ours, and their ratio; the first turn warms up."""
    theirs, ours = case.scheduler(Peer), case.scheduler(CosineAnnealingWarmRestarts)
    epochs = case.epochs()
    taken = [(turn(theirs, epochs), turn(ours, epochs)) for _ in range(turns + 1)][1:]
    peer, own = (statistics.median(column) for column in zip(*taken, strict=True))
    return peer, own, statistics.median(mine / other for other, mine in taken)


def markdown(measured: dict[Case, tuple[float, float, float]]) -> str:
    """A row for each case."""
    rows = [
        [
            f"T_mult = {case.T_mult}, {case.groups} group{'s' * (case.groups > 1)}, {case.call}, {case.rate}",
            *map(report.number, values),
        ]
        for case, values in measured.items()
    ]
    return report.table(["ns per step", "PyTorch", "ours", "ours to PyTorch"], rows)


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=101)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        measured = {case: measure(case, args.turns) for case in progress.track(CASES, description="steps")}
    print(
        f"CosineAnnealingWarmRestarts.step() (T_0 = {T_0}), medians of {args.turns} turns.\n"
        f"{report.machine('torch')}.\n"
    )
    print(markdown(measured))


if __name__ == "__main__":
    main()
