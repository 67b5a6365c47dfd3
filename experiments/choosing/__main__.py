"""What T_0 and T_mult are worth: every schedule of a grid on the same seeds, as tables of docs/choosing.md.

python -m experiments.choosing --into docs/choosing.md
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from experiments.bench import report
from experiments.choosing import grid, reading, tables
from sgdr import search

WORKLOADS = ("digits", "digits-noisy", "mnist1d", "mnist1d-noisy")
PEAKS = (0.05, 0.15)


def main() -> None:
    """Trains, and writes the tables between their marks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", nargs="+", default=WORKLOADS, help="registered names")
    parser.add_argument("--budget", type=int, default=96, help="epochs of every run")
    parser.add_argument(
        "--peaks", type=float, nargs="+", default=PEAKS, help="rates that each may choose from"
    )
    parser.add_argument("--seeds", type=int, default=16, help="paired, of every schedule")
    parser.add_argument("--into", type=Path, help="a page with marks for the tables; else they are printed")
    args = parser.parse_args()
    for workload in args.workload:
        errors = measured(workload, args.budget, args.peaks, args.seeds)
        text = f"{report.machine('jax')}; {args.seeds} seeds\n\n{tables.of(errors, args.budget)}"
        if args.into is None:
            print(f"## {workload}\n\n{text}\n")
        else:
            put(args.into, workload, text)


def measured(workload: str, budget: int, peaks: list[float], seeds: int) -> reading.Found:
    """All schedules of the grid, trained on a workload."""
    named = grid.schedules(budget, peaks)
    flat = {
        f"{name} at {peak:g}": schedule
        for name, by_peak in named.items()
        for peak, schedule in by_peak.items()
    }

    def show(progress: search.CompareProgress) -> None:
        share = 100 * progress.epochs / progress.planned
        print(f"\r{workload}: {share:.0f} % of {len(flat)} schedules", end="", file=sys.stderr)

    comparison = search.compare(workload, flat, budget=budget, seeds=seeds, callback=search.Callback(show))
    print(file=sys.stderr)
    return reading.read(comparison, {name: [f"{name} at {peak:g}" for peak in peaks] for name in named})


def put(page: Path, workload: str, text: str) -> None:
    """Writes the tables of a workload between its marks. Raises ValueError where the page has none."""
    marks = rf"(<!-- {workload} -->\n).*?(<!-- /{workload} -->)"
    whole = page.read_text()
    if not re.search(marks, whole, re.DOTALL):
        raise ValueError(f"{page} has no marks <!-- {workload} --> and <!-- /{workload} -->; add them")
    page.write_text(re.sub(marks, lambda match: f"{match[1]}{text}\n{match[2]}", whole, flags=re.DOTALL))


if __name__ == "__main__":
    main()
