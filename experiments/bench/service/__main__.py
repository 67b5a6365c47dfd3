"""The REST service measured as clients meet it: rates, large studies, writers, listeners, and a long run.

    python -m experiments.bench.service --parts rates,studies,writing,listeners,pages,soak

The server is a process of its own. Prints Markdown. Needs wrk for the rates, and chromium for the
dashboard's pages (Debian's packages).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from experiments.bench import report
from experiments.bench.service import listeners, pages, rates, soak, studies, writing

PARTS: dict[str, Callable[[Path, Any], str]] = {
    "rates": lambda folder, args: rates.measure(studies.filled(folder, 1), args.rounds, args.round_seconds),
    "studies": lambda folder, args: studies.measure(folder, args.trials, args.reads),
    "writing": lambda folder, args: writing.measure(
        folder, args.trials[0], args.rounds, args.round_seconds, args.writers.split(",")
    ),
    "listeners": lambda folder, args: listeners.measure(folder, args.trials[0], args.listeners, args.changes),
    "pages": lambda folder, args: pages.measure(
        folder, args.trials[0], args.paints, args.changes, args.viewers, args.idle_seconds
    ),
    "soak": lambda folder, args: soak.measure(folder, args.trials[0], args.seconds),
}


def main() -> None:
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="which, by commas")
    parser.add_argument("--rounds", type=int, default=15, help="in which sides take turns")
    parser.add_argument("--round-seconds", type=float, default=2.0, help="of one side")
    parser.add_argument("--trials", type=int, nargs="+", default=[10_000, 100_000], help="of the studies")
    parser.add_argument("--reads", type=int, default=500, help="of each kind")
    parser.add_argument("--writers", default=",".join(writing.WRITERS), help="which, by commas")
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--changes", type=int, default=30, help="of the study that is listened to or shown")
    parser.add_argument("--paints", type=int, default=10, help="of each tab of the dashboard")
    parser.add_argument("--viewers", type=int, default=20, help="of the dashboard at once")
    parser.add_argument("--idle-seconds", type=float, default=60.0, help="with one page open")
    parser.add_argument("--seconds", type=float, default=600.0, help="of the long run")
    parser.add_argument("--out", type=Path, help="a file to write instead of stdout")
    args = parser.parse_args()
    for named, known in ((args.parts, PARTS), (args.writers, writing.WRITERS)):
        if unknown := sorted(set(named.split(",")) - set(known)):
            parser.error(f"{', '.join(unknown)} is none of {', '.join(known)}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sections = [f"{report.machine('fastapi', 'uvicorn', 'pydantic', 'optuna')}."]
    with tempfile.TemporaryDirectory() as folder:
        for part in args.parts.split(","):
            try:
                sections.append(PARTS[part](Path(folder), args))
            except (RuntimeError, ValueError) as error:
                sys.exit(f"{part}: {error}")
    report.put("\n\n".join(sections) + "\n", args.out)


if __name__ == "__main__":
    main()
