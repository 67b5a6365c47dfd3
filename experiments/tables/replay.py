"""Searches replayed on all tables that have been written: how far from the best what they name is, by cost.

    python -m experiments.tables.replay --repeats 200

Every repeat draws anew which seeds the searches see, in which order; the mean over all others is the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from experiments.bench import report
from experiments.tables.peers import Replay, by_hand, staged
from experiments.tables.table import Table, attainable, names, read

SEEN = 4
"""Seeds that a search may see."""
PEERS: dict[str, Callable[[Replay], int]] = {
    "by hand, 3 peaks": partial(by_hand, peaks=3),
    "by hand, 4 peaks": partial(by_hand, peaks=4),
    "by hand, 6 peaks": partial(by_hand, peaks=6),
    "by hand, 8 peaks": partial(by_hand, peaks=8),
    "by hand, 6 peaks, best three on 2 more seeds": partial(by_hand, peaks=6, seeds=2),
    "by hand, 8 peaks, best three on 3 more seeds": partial(by_hand, peaks=8, seeds=3),
    "staged, without new seeds": partial(staged, seeds=0),
    "staged": staged,
}


def orders(table: Table, repeats: int) -> list[list[int]]:
    """The seeds of each repeat: the first `SEEN` are the search's, the others tell the truth."""
    seeds = table.losses.shape[1]
    return [np.random.default_rng(number).permutation(seeds).tolist() for number in range(repeats)]


def replayed(
    table: Table, search: Callable[[Replay], int], repeats: Sequence[Sequence[int]]
) -> list[tuple[float, float]]:
    """(cost in full trainings, true loss of the row that the search names) of each repeat."""
    results = []
    for order in repeats:
        replay = Replay(table, order[:SEEN])
        row = search(replay)
        results.append((replay.cost, float(table.worth[row, order[SEEN:]].mean())))
    return results


def main() -> None:
    """Prints a table of peers for each table of curves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", help="all by default")
    parser.add_argument("--repeats", type=int, default=200)
    args = parser.parse_args()
    for name in args.tables or names():
        table = read(name)
        repeats, best = orders(table, args.repeats), attainable(table.worth)
        rows = []
        for peer, search in PEERS.items():
            costs, losses = np.array(replayed(table, search, repeats)).T
            reach = 1.96 * losses.std(ddof=1) / len(losses) ** 0.5
            rows.append(
                [
                    peer,
                    f"{costs.mean():.1f}",
                    f"{losses.mean():.4f} ± {reach:.4f}",
                    f"{losses.mean() - best:+.4f}",
                ]
            )
        print(f"{name}: {table.about.metric}, attainable {best:.4f}\n")
        print(report.table(["who", "cost", "true loss", "above attainable"], rows) + "\n")


if __name__ == "__main__":
    main()
