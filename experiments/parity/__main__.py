"""Compares all schedules, and writes the page and the points at which peers are wrong.

    python -m experiments.parity                                     # all of them, into this folder
    python -m experiments.parity --T-0 1:10 --T-mult 1:3 --out DIR   # a corner

Ends with status 1 where our own schedule is wrong anywhere.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from experiments.parity import page
from experiments.parity.compare import OWN, SAMPLED, compared
from experiments.parity.judge import grid

CYCLES = 20
FOLDER = Path(__file__).parent


def main(arguments: list[str]) -> int:
    """The exit status."""
    os.environ |= {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}  # before either is imported
    args = _parsed(arguments)
    settings = grid(args.T_0, args.T_mult, CYCLES, args.steps)
    began = _clocks()
    with Progress(*Progress.get_default_columns(), console=Console(stderr=True)) as progress:
        task = progress.add_task(
            "schedules", total=2 * len(settings)
        )  # braintools' loop comes after all others
        ways = compared(settings, lambda count: progress.advance(task, count))
        progress.update(task, completed=2 * len(settings))
    minutes, busy = ((now - then) / 60 for now, then in zip(_clocks(), began, strict=True))
    duration = f"{minutes:.1f} minutes, {busy:.1f} of processor time"
    command = shlex.join(["python", "-m", "experiments.parity", *arguments])
    text = page.page(ways, settings, args.steps, command, duration, SAMPLED)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "README.md").write_text(text)
    (args.out / "points.csv").write_text(page.points(ways))
    print(text)
    return int(any(way.wrong for way in ways if way.peer == OWN))


def _clocks() -> tuple[float, float]:
    """Seconds, and those of this process on all its processors."""
    return time.monotonic(), time.process_time()


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--T-0", type=_range, default="1:100", help="first and last, both included")
    parser.add_argument("--T-mult", type=_range, default="1:10", help="first and last, both included")
    parser.add_argument("--steps", type=int, default=10**6, help="of a schedule, at most")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of README.md and points.csv")
    return parser.parse_args(arguments)


def _range(text: str) -> range:
    first, _, last = text.partition(":")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
