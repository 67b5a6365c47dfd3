"""Whole searches side by side: ours, a plain Optuna loop, and Ray Tune, each as a fresh process.

    python -m experiments.bench.engine --trials 64 256 --repeats 3

The sides take turns, so that what else the machine does falls on all of them. Prints Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from experiments.bench import process, report
from experiments.bench.process import Finished

Command = Callable[[int, int, Path], list[str]]
"""(trials, epochs, an empty folder) to what follows `python -m`."""


def _ours(trials: int, epochs: int, folder: Path) -> list[str]:
    search = ["sgdr", "sweep", "--workload", "digits", "--trials", str(trials), "--budget", str(epochs)]
    search += ["--sampler", "tpe"]  # as the others have
    storage = ["--study", "bench", "--storage", f"sqlite:///{folder / 'bench.db'}"]
    return [*search, *storage, "--pruner", "none", "--controls", "0", "--seed", "0", "--json"]


def _optuna(trials: int, epochs: int, folder: Path) -> list[str]:
    storage = ["--storage", f"sqlite:///{folder / 'bench.db'}"]
    return ["experiments.bench.peers.optuna_loop", "--trials", str(trials), "--epochs", str(epochs), *storage]


def _ray(trials: int, epochs: int, folder: Path) -> list[str]:
    return ["experiments.bench.peers.ray_tune", "--trials", str(trials), "--epochs", str(epochs)]


def _ray_reuse(trials: int, epochs: int, folder: Path) -> list[str]:
    return [*_ray(trials, epochs, folder), "--reuse-actors"]


@dataclass(frozen=True)
class Side:
    """One way to run the search."""

    title: str
    command: Command


OURS = "ours"
SIDES = {
    OURS: Side("sgdr sweep", _ours),
    "optuna": Side("Optuna loop, each trial jitted around optax.sgdr_schedule", _optuna),
    "ray": Side("Ray Tune + OptunaSearch", _ray),
    "ray-reuse": Side("Ray Tune + OptunaSearch, reuse_actors", _ray_reuse),
}

PARTS = {
    "start-up": ("imports", "setup"),
    "compilation": ("compile",),
    "training": ("train",),
    "sampler + storage": ("sampler", "storage", "search"),
}
"""The columns of shares, and the seconds of a report that each sums."""

HEADER = ["side", "wall, s", "range", "to ours", *PARTS, "compilations", "peak memory"]


@dataclass(frozen=True)
class Result:
    """The runs of one side, as one row of the table shows them."""

    title: str
    runs: Sequence[Finished]
    measured: int
    """Trials of each run."""
    trials: int
    """Trials of the row; where they are more than `measured`, it is an extrapolation."""

    @property
    def middle(self) -> Finished:
        """The run of the median wall, the lower one of two."""
        return sorted(self.runs, key=lambda run: run.wall)[(len(self.runs) - 1) // 2]

    @property
    def walls(self) -> list[float]:
        """Seconds for `trials` by each run."""
        return [extrapolated(run.wall, fixed(run), self.measured, self.trials) for run in self.runs]

    def cells(self, ours: float | None) -> list[str]:
        """The row; `ours` is our median wall."""
        wall, run = statistics.median(self.walls), self.middle
        scaled = self.trials != self.measured
        parts = [total(timing(run), keys) for keys in PARTS.values()]
        compilations: Any = run.report.get("compilations")
        if compilations is not None:
            compilations = round(extrapolated(compilations, 0.0, self.measured, self.trials))
        return [
            self.title + (" ¹" if scaled else ""),
            report.number(wall),
            f"{report.number(min(self.walls))}–{report.number(max(self.walls))}",
            report.ABSENT if ours is None else f"{report.number(wall / ours)} ×",
            *(report.share(part, run.wall) for part in parts),
            report.ABSENT if compilations is None else f"{compilations:,}",
            report.size(run.peak_bytes),
        ]


def timing(run: Finished) -> dict[str, float]:
    """Seconds by purpose, as far as the side tells them.

    Imports come before a side can look at the clock: they last until `imported_at`, else they are what its
    own `wall` lacks.
    """
    told: dict[str, float] = run.report.get("timing") or {}
    if "imported_at" in run.report:
        return {"imports": run.report["imported_at"] - run.began, **told}
    if "wall" in told:
        return {"imports": run.wall - told["wall"], **told}
    return told


def fixed(run: Finished) -> float:
    """The seconds that do not grow with the number of trials."""
    return timing(run).get("imports", 0.0) + float(run.report.get("fixed", 0.0))


def extrapolated(seconds: float, fixed: float, measured: int, wanted: int) -> float:
    """What `wanted` trials take when `measured` take `seconds`, of which `fixed` do not grow with them."""
    return fixed + (seconds - fixed) * wanted / measured


def total(timing: dict[str, float], keys: Sequence[str]) -> float | None:
    """The sum of the entries that are there; None where there is none."""
    present = [timing[key] for key in keys if timing.get(key) is not None]
    return sum(present) if present else None


def schedule(
    sides: Sequence[str], trials: Sequence[int], repeats: int, ray_trials: int
) -> Iterator[tuple[str, int]]:
    """(side, trials) of each process in order: rounds in which every side has its turn."""
    for _ in range(repeats):
        done = set()
        for count in trials:
            for side in sides:
                turn = side, runs_as(side, count, ray_trials)
                if turn not in done:
                    done.add(turn)
                    yield turn


def runs_as(side: str, trials: int, ray_trials: int) -> int:
    """How many trials stand for `trials`: Ray Tune starts a process a trial, which nobody waits for."""
    return min(trials, ray_trials) if side == "ray" else trials


def measure(turns: Sequence[tuple[str, int]], epochs: int) -> dict[tuple[str, int], list[Finished]]:
    """Runs the turns one after the other, with progress on stderr."""
    runs: dict[tuple[str, int], list[Finished]] = {}
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(turns))
        for side, trials in turns:
            progress.update(task, description=f"{side}, {trials} trials")
            with tempfile.TemporaryDirectory() as folder:
                module = SIDES[side].command(trials, epochs, Path(folder))
                finished = process.run([sys.executable, "-m", *module])
            console.print(f"{side}, {trials} trials: {finished.wall:.1f} s")
            runs.setdefault((side, trials), []).append(finished)
            progress.advance(task)
    return runs


def markdown(
    runs: dict[tuple[str, int], list[Finished]], sides: Sequence[str], trials: Sequence[int], ray_trials: int
) -> str:
    """A table for each number of trials, ours in the first row."""
    parts = []
    for count in trials:
        results = []
        for side in sides:
            measured = runs_as(side, count, ray_trials)
            results.append(Result(SIDES[side].title, runs[side, measured], measured, count))
        ours = statistics.median(results[0].walls) if sides[0] == OURS else None
        parts.append(f"**{count} trials**\n\n" + report.table(HEADER, [row.cells(ours) for row in results]))
        if sides[0] == OURS:
            parts.append(steady(results[0].middle))
    return "\n\n".join(parts)


def steady(run: Finished) -> str:
    """What our sweep says of itself once it is under way, as far as it says it."""
    figures = run.report
    rate = report.number(figures.get("trial_steps_per_second"))
    slots, devices = figures.get("slots", report.ABSENT), figures.get("devices", report.ABSENT)
    return f"Ours in steady state: {rate} trial-steps/s in {slots} slots on {devices}."


def main() -> None:
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--peers", nargs="*", choices=[*SIDES][1:], default=[*SIDES][1:])
    parser.add_argument("--no-ours", action="store_true", help="the peers alone")
    parser.add_argument("--ray-trials", type=int, default=32, help="the most that Ray Tune runs by default")
    parser.add_argument("-o", "--out", type=Path, help="a file to write instead of stdout")
    args = parser.parse_args()
    sides = [*([] if args.no_ours else [OURS]), *args.peers]
    turns = list(schedule(sides, args.trials, args.repeats, args.ray_trials))
    runs = measure(turns, args.epochs)
    text = (
        f"Whole processes: `digits`, {args.epochs} epochs a trial, nothing pruned; median of {args.repeats}, "
        f"sides in turn.\n{report.machine('jax', 'optax', 'optuna', 'ray')}.\n\n"
        f"{markdown(runs, sides, args.trials, args.ray_trials)}\n\n"
        "Shares are of the wall of the median run. Ray Tune's are what its actors spend, divided by how many "
        "work at once; the rest is Ray's own. Memory is that of all processes, shared pages counted once.\n"
    )
    if any(runs_as(side, count, args.ray_trials) != count for side in sides for count in args.trials):
        text += f"\n¹ Extrapolated from {args.ray_trials} trials; Ray's start and stop are counted once.\n"
    report.put(text, args.out)


if __name__ == "__main__":
    main()
