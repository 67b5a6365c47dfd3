"""All measurements in turn, as one report in Markdown: `python -m experiments.bench`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from experiments.bench import report

FULL: dict[str, list[str]] = {"rates": [], "steady": [], "engine": [], "sampling": [], "search": []}
QUICK = {
    "rates": ["--repeats", "2"],
    "steady": ["--slots", "4", "--calls", "2"],
    "engine": ["--trials", "2", "--repeats", "1", "--epochs", "4"],
    "sampling": ["--trials", "100", "--timed", "2"],
}


def main() -> None:
    """Runs each module as a process of its own, since each sets JAX up in another way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="so small that it only shows that it works")
    parser.add_argument("--out", type=Path, help="a file to write instead of stdout")
    args = parser.parse_args()
    sections = []
    for module, options in (QUICK if args.quick else FULL).items():
        command = [sys.executable, "-m", f"experiments.bench.{module}", *options]
        sections.append(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    text = "\n".join(sections)
    report.put(text, args.out)


if __name__ == "__main__":
    main()
