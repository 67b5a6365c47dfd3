"""Somebody who writes into a storage while it is read, for as long as he is let.

python -m experiments.bench.service.writer trials sqlite:///x.db STUDY --rate 50
python -m experiments.bench.service.writer lock sqlite:///x.db
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from typing import Self

from experiments.bench.filled import DIGITS, drawn, settings_of
from sgdr.search.storage.connect import BUSY_SECONDS, open_storage, sqlite_file
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.writer import writer

HELD, FREE = 0.045, 0.005
"""Seconds for which the lock is held, and between two holds."""


class Growing:
    """A study of `fill` that is being swept, as all can see, and gets a trial when it is told."""

    def __init__(self, url: str, study: str) -> None:
        """Opens it."""
        self._storage = open_storage(url, create=True)
        self._id = self._storage.get_study_id_from_name(study)
        self.trials = self._storage.get_n_trials(self._id)
        """How many it has now."""

    def __enter__(self) -> Self:
        """The sweep begins."""
        self._lease = Lease(self._storage, self._id)
        self._writer = writer(self._storage, self._id)
        settings = settings_of(self.trials, DIGITS.budget, 0)
        self._made = drawn(settings, self._lease.worker, self.trials)
        return self

    def grow(self) -> None:
        """Writes one more trial."""
        self._writer.write([next(self._made)])
        self.trials += 1
        self._lease.renew()

    def __exit__(self, *error: object) -> None:
        """The sweep ends."""
        self._lease.end()


def add_trials(url: str, study: str, rate: float) -> None:
    """Adds so many trials a second, one at a time."""
    with Growing(url, study) as growing:
        due = time.monotonic()
        while True:
            growing.grow()
            now = time.monotonic()
            due = max(due + 1 / rate, now)  # what a pause has lost is not made up for
            time.sleep(due - now)


def hold_lock(url: str) -> None:
    """Holds SQLite's lock for writing nearly always, and does next to nothing else."""
    connection = sqlite3.connect(str(sqlite_file(url)), timeout=BUSY_SECONDS, isolation_level=None)
    while True:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE alembic_version SET version_num = version_num")
        time.sleep(HELD)
        connection.execute("COMMIT")
        time.sleep(FREE)


def main() -> None:
    """Writes until it is ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ways = parser.add_subparsers(dest="way", required=True)
    trials, lock = ways.add_parser("trials"), ways.add_parser("lock")
    for way in (trials, lock):
        way.add_argument("url")
    trials.add_argument("study")
    trials.add_argument("--rate", type=float, default=50.0, help="trials a second")
    args = parser.parse_args()
    if args.way == "lock":
        hold_lock(args.url)
    else:
        add_trials(args.url, args.study, args.rate)


if __name__ == "__main__":
    main()
