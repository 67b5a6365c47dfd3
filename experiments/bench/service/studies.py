"""Reads of a large study: the first, which takes it into memory, and those that follow."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from experiments.bench import report
from experiments.bench.filled import DIGITS, fill
from experiments.bench.service.server import serving
from experiments.bench.service.timing import in_turn, milliseconds, p99

STUDY = "big"
PAGE = f"/v1/studies/{STUDY}/trials"
READS = {
    "first page of trials": PAGE,
    "first page, sorted by -value": f"{PAGE}?sort=-value",
    "first page, complete ones of one arm": f"{PAGE}?state=COMPLETE&arm=restarts",
    "one trial with its curves": f"{PAGE}/0",
    "the study": f"/v1/studies/{STUDY}",
    "the best five with code": f"/v1/studies/{STUDY}/best?k=5",
}


def filled(folder: Path, trials: int) -> str:
    """The URL of a storage in that folder with a study of so many trials, made where there is none."""
    path = folder / f"{trials}.db"
    url = f"sqlite:///{path}"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        fill(url, STUDY, trials, DIGITS.budget)
    return url


def measure(folder: Path, sizes: Sequence[int], rounds: int) -> str:
    """The table, columns for each size."""
    columns: list[list[str]] = []
    notes = []
    for size in sizes:
        with serving(filled(folder, size)) as server, server.client() as client:
            idle = server.resident()
            first = milliseconds(partial(client.get, PAGE))
            asks = {name: partial(client.get, path) for name, path in READS.items()}
            in_turn(asks, 1, "warm-up")
            taken = in_turn(asks, rounds, f"{size:,} trials")
            notes.append(
                f"{size:,} trials: first read {report.number(first / 1000)} s; resident "
                f"{report.size(server.resident())}, before it {report.size(idle)}."
            )
        for figure in (statistics.median, p99):
            columns.append([report.number(figure(taken[name])) for name in READS])
    header = ["ms"]
    for size in sizes:
        header += [f"{size:,} trials: median", "p99"]
    rows = [[name, *cells] for name, *cells in zip(READS, *columns, strict=True)]
    return (
        f"A study with curves of {DIGITS.budget} epochs, default limit, one request after the other, "
        f"{rounds} of each in turn.\n\n{report.table(header, rows)}\n\n" + "\n".join(notes)
    )
