"""Copies of a database that several tests share."""

import sqlite3
from pathlib import Path


def copied(source: Path, copy: Path) -> str:
    """The URL of the copy, which holds what the file of that source does."""
    with sqlite3.connect(source) as old, sqlite3.connect(copy) as new:
        old.backup(new)
    for connection in (old, new):
        connection.close()
    return f"sqlite:///{copy}"
