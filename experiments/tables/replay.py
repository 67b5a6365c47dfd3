"""Searches replayed on all tables that have been written: how far from the best what they name is, by cost.

    python -m experiments.tables.replay --repeats 200 --costs 3,4,6,8,12,16,24,32,48

Every repeat draws anew which seeds the searches see, in which order, the same for all of them; the mean over
all other seeds is the truth. A cost is in full trainings. Another strategy (see `trials.Strategy`) is
replayed beside the peers with `--also NAME=module:function`; peers of which an earlier file of figures has
all costs and repeats are taken from it with `--known FILE`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import optuna
from rich.console import Console
from rich.progress import track

from experiments.tables import comparison, known, table
from experiments.tables.judging import Repeats
from experiments.tables.lineup import HAND, Peer, lineup, splits
from experiments.tables.playing import Named, Played, choose_splits, play

FEWEST = 20
"""Repeats."""
COSTS = (3, 4, 6, 8, 12, 16, 24, 32, 48)


def main() -> None:
    """Prints tables of peers by cost for each table of curves, and one over all of them."""
    args = _arguments()
    played = dict(_begun(args))
    if args.known:
        known.add(json.loads(args.known.read_text()), list(played.values()), args.costs)
    tasks = [
        (name, peer)
        for name, peer in product(played, [HAND, *(peer.name for peer in _others(args))])
        if peer not in played[name].named
    ]
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        mapped = pool.map if args.jobs > 1 else map
        parts = mapped(partial(_play, args), *map(list, zip(*tasks, strict=True)))
        bar = track(zip(tasks, parts, strict=True), "searches", len(tasks), console=Console(stderr=True))
        for (name, _), named in bar:
            played[name].named.update(named)
    choose_splits(list(played.values()), args.costs)
    report = comparison.Comparison(
        list(played.values()), args.costs, [_also(text).name for text in args.also]
    )
    for text in report.texts():
        print(text)
    if args.json:
        args.json.write_text(json.dumps(report.to_dict()) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", help="all by default")
    parser.add_argument("--repeats", type=_repeats, default=200)
    parser.add_argument("--costs", type=_costs, default=COSTS, help="in full trainings, with commas between")
    parser.add_argument("--peers", default="", help="only those with this in their name, beside by hand")
    parser.add_argument(
        "--also",
        action="append",
        type=_importable,
        default=[],
        metavar="NAME=MODULE:FUNCTION",
        help="a strategy",
    )
    parser.add_argument("--known", type=Path, help="a file of --json with peers that are not replayed again")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--folder", type=Path, default=table.FOLDER, help="of the tables")
    parser.add_argument("--json", type=Path, help="a file for all figures, and the rows that were named")
    return parser.parse_args()


def _costs(text: str) -> tuple[float, ...]:
    return tuple(sorted(float(part) for part in text.split(",")))


def _repeats(text: str) -> int:
    if int(text) < FEWEST:
        raise argparse.ArgumentTypeError(f"{text}: at least {FEWEST}, so that every seed is hidden in some")
    return int(text)


def _others(args: argparse.Namespace) -> list[Peer]:
    """All peers but by hand."""
    return [*(peer for peer in lineup() if args.peers in peer.name), *map(_also, args.also)]


def _importable(specification: str) -> str:
    """The text itself, which other processes import from: what it names may not travel."""
    try:
        _also(specification)
    except (ValueError, ImportError, AttributeError) as error:
        raise argparse.ArgumentTypeError(f"{specification}: {error}; give NAME=MODULE:FUNCTION") from error
    return specification


def _also(specification: str) -> Peer:
    """The peer of a text `NAME=MODULE:FUNCTION`."""
    name, _, place = specification.partition("=")
    module, _, function = place.partition(":")
    return Peer(name, getattr(import_module(module), function), plans=True)


def _begun(args: argparse.Namespace) -> Iterator[tuple[str, Played]]:
    """The tables, by their names, on which nothing has been played; those of too few seeds are left out."""
    for name in args.tables or table.names(args.folder):
        curves = table.read(name, args.folder)
        try:
            yield name, Played(curves, Repeats.of(curves, args.repeats))
        except ValueError as error:
            print(f"left out: {error}", file=sys.stderr)


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
