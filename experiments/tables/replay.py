"""Searches replayed on all tables that have been written: how far from the best what they name is, by cost.

    python -m experiments.tables.replay --repeats 200 --costs 3,4,6,8,12,16,24,32,48

Every repeat draws anew which seeds the searches see, in which order, the same for all of them; the mean over
all other seeds is the truth. A cost is in full trainings. Another strategy (see `trials.Strategy`) is
replayed beside the peers with `--also NAME=module:function`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import optuna
from rich.console import Console
from rich.progress import track

from experiments.tables import comparison, table
from experiments.tables.judging import Repeats
from experiments.tables.lineup import HAND, Peer, lineup, splits
from experiments.tables.playing import Named, Played, choose_splits, play

COSTS = (3, 4, 6, 8, 12, 16, 24, 32, 48)


def main() -> None:
    """Prints tables of peers by cost for each table of curves, and one over all of them."""
    args = _arguments()
    tables = args.tables or table.names(args.folder)
    played = {name: _begun(name, args) for name in tables}
    tasks = list(product(tables, ["by hand", *(peer.name for peer in _others(args))]))
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        mapped = pool.map if args.jobs > 1 else map
        parts = mapped(partial(_play, args), *zip(*tasks, strict=True))
        bar = track(zip(tasks, parts, strict=True), "searches", len(tasks), console=Console(stderr=True))
        for (name, _), named in bar:
            played[name].named.update(named)
    choose_splits(list(played.values()), args.costs)
    report = comparison.Comparison(list(played.values()), args.costs)
    for text in report.texts():
        print(text)
    if args.json:
        args.json.write_text(json.dumps(report.to_dict()) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", help="all by default")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--costs", type=_costs, default=COSTS, help="in full trainings, with commas between")
    parser.add_argument("--peers", default="", help="only those with this in their name, beside by hand")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=MODULE:FUNCTION")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--folder", type=Path, default=table.FOLDER, help="of the tables")
    parser.add_argument("--json", type=Path, help="a file for all figures, and the rows that were named")
    return parser.parse_args()


def _costs(text: str) -> tuple[float, ...]:
    return tuple(sorted(float(part) for part in text.split(",")))


def _others(args: argparse.Namespace) -> list[Peer]:
    """All peers but by hand."""
    return [peer for peer in lineup() if args.peers in peer.name] + list(_also(args.also))


def _also(specifications: Sequence[str]) -> Iterator[Peer]:
    for specification in specifications:
        name, _, place = specification.partition("=")
        module, _, function = place.partition(":")
        yield Peer(name, getattr(import_module(module), function), plans=True)


def _begun(name: str, args: argparse.Namespace) -> Played:
    curves = table.read(name, args.folder)
    return Played(curves, Repeats.of(curves, args.repeats))


def _play(args: argparse.Namespace, name: str, peer: str) -> dict[str, dict[float, Named]]:
    """What the peer of that name, or the hand with all its splits, names on a table."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    curves = table.read(name, args.folder)
    repeats = Repeats.of(curves, args.repeats)
    if peer == HAND:
        peers = splits(repeats.seen)
    else:
        peers = [other for other in _others(args) if other.name == peer]
    return {peer.name: play(curves, peer, repeats, args.costs) for peer in peers}


if __name__ == "__main__":
    main()
