"""Verdicts of the objectives ensemble and anytime on paired seeds, as a table.

python -m experiments.objectives
"""

from __future__ import annotations

import argparse
import sys
import time

from experiments.bench import report
from experiments.objectives.measure import Row, measured
from sgdr import search

WORKLOADS = ("digits", "digits-noisy", "mnist1d")
PEAKS = (0.005, 0.015, 0.05, 0.15, 0.45)


def main() -> None:
    """Trains, and prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", nargs="+", default=WORKLOADS, help="registered names, of errors")
    parser.add_argument("--budget", type=int, default=60, help="epochs of every run")
    parser.add_argument(
        "--peaks", type=float, nargs="+", default=PEAKS, help="rates that each may choose from"
    )
    parser.add_argument("--tuning", type=int, default=4, help="other seeds, on which peaks are chosen")
    parser.add_argument("--seeds", type=int, default=64, help="paired, of every schedule")
    args = parser.parse_args()
    for workload in args.workload:
        began = time.monotonic()

        def show(progress: search.CompareProgress, name: str = workload) -> None:
            share = progress.epochs / progress.planned
            print(f"\r{name}: {share:.0%}  ", end="", file=sys.stderr)

        callback = search.Callback(show)
        rows = measured(workload, args.budget, args.peaks, args.tuning, args.seeds, callback)
        print(file=sys.stderr)
        took = f"{args.seeds} seeds, {args.budget} epochs, {time.monotonic() - began:.0f} s"
        print(f"## {workload}\n\n{took}; {report.machine('jax')}\n\n{table(rows)}\n", flush=True)


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    header = ["objective", "with restarts", "control", "error", "of the control", "difference", "verdict"]
    return report.table(
        header,
        [
            [
                row.objective,
                f"{row.restarts} at {row.peaks[0]:g}",
                f"{row.control} at {row.peaks[1]:g}",
                *(f"{mean:.4f}" for mean in row.means),
                f"{row.difference.mean:+.4f} ({row.difference.low:+.4f} to {row.difference.high:+.4f})",
                row.verdict,
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
