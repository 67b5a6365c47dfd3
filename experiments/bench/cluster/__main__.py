"""Several workers on one study, through a PostgreSQL of their own: the part that is asked for, or all.

python -m experiments.bench.cluster
python -m experiments.bench.cluster --parts kills --kills 20 --sweep-trials 500
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from experiments.bench import report
from experiments.bench.cluster import kills, loops, scaling
from experiments.postgres import Postgres

PARTS = ("scaling", "loops", "kills")


def main() -> None:
    """Measures, and prints a report in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--trials", type=int, default=24, help="of a sweep in scaling")
    parser.add_argument("--loop-trials", type=int, default=400, help="of a run in loops")
    parser.add_argument("--sweep-trials", type=int, default=500, help="of the sweep in kills")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3, help="the sides take turns; medians count")
    parser.add_argument("--seed", type=int, default=0, help="of the kills")
    parser.add_argument("--out", type=Path, help="a file to write instead of stdout")
    args = parser.parse_args()
    with Postgres() as server:
        sections = [f"## Several workers\n\n{report.machine('ray', 'optuna', 'psycopg', 'jax')}"]
        if "scaling" in args.parts:
            sections.append(scaling.section(server, args.trials, args.repeats))
        if "loops" in args.parts:
            sections.append(loops.section(server, args.loop_trials, args.repeats))
        if "kills" in args.parts:
            killed = kills.section(
                server, args.sweep_trials, args.kills, args.seed, lambda line: print(line, file=sys.stderr)
            )
            sections.append(killed)
    report.put("\n\n".join(sections) + "\n", args.out)


if __name__ == "__main__":
    main()
