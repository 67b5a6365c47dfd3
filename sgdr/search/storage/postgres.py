"""PostgreSQL by psycopg 3: what a connection is asked for, so that it fails soon and comes back."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

CONNECT_SECONDS = 10
LOST_SECONDS = 30
"""Seconds after which a peer that does not answer any more counts as gone."""
IDLE_SECONDS = 60
"""How long the server keeps a transaction, and so its locks, of somebody who has vanished in it."""
KEPT_CONNECTIONS, MORE_CONNECTIONS = 2, 13
"""The numbers of connections of a process: those kept open, and those that threads may open besides. A worker
writes from one thread."""


def with_driver(url: URL) -> URL:
    """The URL with psycopg 3 for its driver, unless it names one; `postgres` is another word for the same."""
    name, _, driver = url.drivername.partition("+")
    return url.set(drivername=f"postgresql+{driver or 'psycopg'}") if name.startswith("postgres") else url


def engine_options(url: URL) -> dict[str, Any]:
    """What SQLAlchemy's engine is made with, for a URL that `with_driver` gave.

    What the URL or libpq's environment says itself is left to them.
    """
    # Each connection is tried before it is used, so that those from before a restart are replaced.
    options: dict[str, Any] = {
        "pool_pre_ping": True,
        "pool_size": KEPT_CONNECTIONS,
        "max_overflow": MORE_CONNECTIONS,
    }
    if url.get_driver_name() in ("psycopg", "psycopg2"):
        asked = {
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": LOST_SECONDS // 3,
            "keepalives_interval": LOST_SECONDS // 6,
            "keepalives_count": 4,
            "tcp_user_timeout": LOST_SECONDS * 1000,
            "options": f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s",
        }
        said = {"connect_timeout": "PGCONNECT_TIMEOUT", "options": "PGOPTIONS"}
        options["connect_args"] = {
            name: value
            for name, value in asked.items()
            if name not in url.query and said.get(name, "") not in os.environ
        }
    return options


def is_made_already(error: DBAPIError) -> bool:
    """Whether that says that what was to be made is there: a table, a type or a row."""
    return getattr(error.orig, "sqlstate", None) in ("23505", "42P07", "42710")


def fix(reason: str, url: URL, outage: bool) -> str:
    """What to do about a connection that failed for that reason."""
    if f'database "{url.database}" does not exist' in reason:
        return f"make it by `createdb {url.database}`, or name another"
    if "password" in reason:
        return "check user and password"
    if 'relation "version_info" does not exist' in reason:
        return "`sgdr sweep` makes the tables, or name another"
    if outage:
        host, port = url.host or url.query.get("host", "localhost"), url.port or url.query.get("port", 5432)
        return f"start the server at {host}:{port}, or check host and port"
    return "name another, or mend it"
