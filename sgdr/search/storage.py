"""From a URL to an Optuna storage, SQLite by default, with errors that a person can act on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

DEFAULT_URL = "sqlite:///sgdr.db"
BUSY_SECONDS = 60
"""How long SQLite waits for another writer before it says that the database is locked."""


class StorageError(RuntimeError):
    """The storage failed in the middle of things: full disk, locked or lost database."""


def default_url() -> str:
    """`$SGDR_STORAGE`, else `sqlite:///sgdr.db` in the current folder."""
    return os.environ.get("SGDR_STORAGE") or DEFAULT_URL


def open_storage(url: str | None = None, *, create: bool = False) -> BaseStorage:
    """The Optuna storage at `url` (None: `default_url()`).

    SQLite is opened in WAL mode, in which readers and the writer do not wait for each other. Raises
    ValueError where there is none (unless `create`), or it can't be read or, with `create`, written.
    """
    url = default_url() if url is None else url
    path = sqlite_file(url)
    if path is not None:
        _check_file(url, path, create)
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage

    engine = {} if path is None else {"creator": lambda: _connect(path, create)}
    try:
        if path is not None and create and not path.exists():
            _make(path)
        # Tables are not made where one only reads: it may be anybody's database.
        return RDBStorage(url, engine_kwargs=engine, skip_table_creation=not create)
    except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError, sqlite3.Error, ImportError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).splitlines()[0]
        raise ValueError(
            f"storage {shown(url)!r} cannot be opened: {reason}; name another, or mend it"
        ) from error
    except RuntimeError as error:  # Optuna's word for a schema of another version
        raise ValueError(
            f"storage {shown(url)!r} was made by another version of Optuna; run "
            f"`optuna storage upgrade --storage {shown(url)}`"
        ) from error


def close_storage(storage: BaseStorage) -> None:
    """Closes its connections, those of this thread and those that wait in the pool."""
    from optuna.storages import RDBStorage

    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def _make(path: Path) -> None:
    """Makes an empty database in one piece: other processes see either all of its tables or no file."""
    from optuna.storages import RDBStorage

    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        made = RDBStorage(
            f"sqlite:///{unfinished}", engine_kwargs={"creator": lambda: _connect(unfinished, True)}
        )
        close_storage(made)
        try:
            os.link(unfinished, path)  # a rename would put ours in the place of another's
        except FileExistsError:
            pass  # another process was faster
        except OSError:  # a file system without links
            if not path.exists():
                unfinished.rename(path)
    finally:
        for left in path.parent.glob(f"{unfinished.name}*"):
            left.unlink()


def shown(url: str) -> str:
    """The URL as it may be printed: without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL, None for other databases. Raises ValueError for what is no URL."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError(f"storage={url!r} is no URL; write it as sqlite:///FILE.db") from error
    if parsed.get_backend_name() != "sqlite":
        return None
    if parsed.database in (None, "", ":memory:"):
        raise ValueError(f"storage={url!r} names no file; write it as sqlite:///FILE.db")
    return Path(str(parsed.database))


def _check_file(url: str, path: Path, create: bool) -> None:
    if path.is_dir():
        raise ValueError(f"storage {url!r} is a folder; name a file in it")
    if not path.exists():
        if not create:
            raise ValueError(f"storage {url!r} does not exist; `sgdr sweep` makes it, or name another")
        if not path.parent.is_dir():
            raise ValueError(f"storage {url!r}: there is no folder {str(path.parent)!r}; make it first")
    needed = os.R_OK | (os.W_OK if create else 0)
    target = path if path.exists() else path.parent
    if not os.access(target, needed) or (create and not os.access(path.parent, os.W_OK)):
        what = "written" if create else "read"
        raise ValueError(f"storage {url!r} cannot be {what}: no permission on {str(target)!r}")
    # Whether it is a database is left to SQLite: merely opening and closing its file in a process that has it
    # open already would drop SQLite's locks on it, and so corrupt it (sqlite.org, "How to corrupt", 2.2).


def _connect(path: Path, write: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    if write:
        connection.execute("PRAGMA journal_mode=WAL")
        # In WAL mode a commit survives the end of the process at NORMAL too, though not a power cut.
        connection.execute("PRAGMA synchronous=NORMAL")
    return connection


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turns a database's failure into a `StorageError` that says what to do."""
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).splitlines()[0]
        raise StorageError(
            f"storage {shown(url)!r} failed: {reason}; mend it, then give the same command again, a sweep "
            "with --resume"
        ) from error
