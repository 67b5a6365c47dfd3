"""Opening an Optuna storage from a URL, SQLite by default, with errors that a person can act on."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgdr.extras import install
from sgdr.search.storage.outages import SAID_BY_SERVER, is_outage

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage
    from sqlalchemy.engine import URL

DEFAULT_URL = "sqlite:///sgdr.db"
BUSY_SECONDS = 60
"""How long SQLite waits for another writer before it says that the database is locked."""
MAKING_ATTEMPTS = 5
"""The most attempts to open a storage on a server while another process makes its tables: these, Optuna's
note of its version and Alembic's are made one after the other."""


class StorageError(RuntimeError):
    """The storage failed in the middle of things: full disk, locked or lost database."""


def default_url() -> str:
    """`$SGDR_STORAGE`, else `sqlite:///sgdr.db` in the current folder."""
    return os.environ.get("SGDR_STORAGE") or DEFAULT_URL


def open_storage(url: str | None = None, *, create: bool = False) -> BaseStorage:
    """The Optuna storage at `url` (None: `default_url()`): of SQLite, PostgreSQL, or `grpc://HOST:PORT`.

    SQLite is opened in WAL mode, in which readers and the writer do not wait for each other. Raises
    ValueError where there is none (unless `create`), or it can't be read or, with `create`, written. No
    error shows the URL's password.
    """
    url = default_url() if url is None else url
    parsed = _parsed(url)
    if parsed.drivername == "grpc":
        return _open_remote(url, parsed)
    path = sqlite_file(url)
    if path is not None:
        _check_file(url, path, create)
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError

    try:
        if path is not None:
            if create and not path.exists():
                _make(path)
            return _open(url, {"creator": lambda: _connect(path, create)}, create)
        return _open_server(parsed, create)
    except ImportError as error:
        raise ValueError(f"storage {shown(url)!r} cannot be opened: {_missing(parsed)}") from error
    except (sqlalchemy.exc.SQLAlchemyError, StorageInternalError, sqlite3.Error) as error:
        why, fix = reason(error), "name another, or mend it"
        if parsed.drivername.startswith("postgres"):
            from sgdr.search.storage import postgres

            fix = postgres.fix(why, parsed, is_outage(error))
        if path is not None and "unable to open" in why and not os.access(path.parent, os.W_OK):
            why = (
                f"its folder {str(path.parent)!r} cannot be written, which SQLite needs even to read ({why})"
            )
            fix = "copy the file into a folder of your own"
        raise ValueError(f"storage {shown(url)!r} cannot be opened: {why}; {fix}") from error


def _open(url: str, engine: dict[str, Any], create: bool) -> RDBStorage:
    """Raises what Optuna does, and leaves no connection behind then."""
    from optuna.storages import RDBStorage

    storage = RDBStorage.__new__(RDBStorage)
    try:
        # Braces would be Optuna's own marks in a URL. Tables are not made where one only reads: it may be
        # anybody's database.
        braced = url.replace("{", "{{").replace("}", "}}")
        storage.__init__(braced, engine_kwargs=engine, skip_table_creation=not create)  # type: ignore[misc]
    except BaseException as error:
        if "engine" in vars(storage):
            storage.engine.dispose()
        if isinstance(error, RuntimeError) and "compatible with the table schema" in str(error):
            raise _other_schema(url, str(error)) from None
        raise
    # Its connections are closed when it is dropped: drivers warn of one that is collected while open.
    weakref.finalize(storage, storage.engine.dispose).atexit = False
    return storage


def _other_schema(url: str, said: str) -> ValueError:
    """The error for a schema that this Optuna does not read, from what it said."""
    if "storage upgrade" in said:
        return ValueError(
            f"storage {shown(url)!r} was made by an older version of Optuna; run "
            f"`optuna storage upgrade --storage {shown(url)}`"
        )
    return ValueError(
        f"storage {shown(url)!r} was made by a newer version of Optuna; install that, by "
        "`pip install --upgrade optuna`"
    )


def _open_server(parsed: URL, create: bool) -> RDBStorage:
    import sqlalchemy.exc

    from sgdr.search.storage import postgres

    known = postgres.with_driver(parsed)
    options = postgres.engine_options(known) if known.get_backend_name() == "postgresql" else {}
    url = known.render_as_string(hide_password=False)
    for attempt in range(1, MAKING_ATTEMPTS + 1):
        try:
            return _open(url, options, create)
        except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError) as error:
            # Another process makes the tables at this moment: one step of it is done by the next attempt.
            if not create or attempt == MAKING_ATTEMPTS or not postgres.is_made_already(error):
                raise
    raise AssertionError("the last attempt returns or raises")


def _open_remote(url: str, parsed: URL) -> BaseStorage:
    if not parsed.host or parsed.port is None or parsed.database or parsed.username or parsed.query:
        raise ValueError(f"storage={shown(url)!r} must have a host and a port alone; write grpc://HOST:PORT")
    try:
        from grpc import RpcError

        from sgdr.search.storage import grpc_client
    except ImportError as error:
        raise ValueError(f"storage {url!r} cannot be opened: {_missing(parsed)}") from error
    try:
        return grpc_client.connect(parsed.host, parsed.port)
    except RpcError as error:
        raise ValueError(
            f"storage {url!r} cannot be opened: {reason(error)}; start its server, or check host and port"
        ) from error


def _missing(url: URL) -> str:
    """What to install for URLs of that kind."""
    if url.drivername == "grpc":
        return f"it needs grpcio and protobuf; run {install('ray')}"
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return f"it needs psycopg; run {install('postgres')}"
    return f"the driver of {url.drivername} is not installed; install it, or name another"


def close_storage(storage: BaseStorage) -> None:
    """Closes its connections, those of this thread and those that wait in the pool."""
    from optuna.storages import GrpcStorageProxy, RDBStorage

    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()
    elif isinstance(storage, GrpcStorageProxy):
        storage.close()


def _make(path: Path) -> None:
    """Makes an empty database in one piece: other processes see either all of its tables or no file."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        filled = _open(f"sqlite:///{unfinished}", {"creator": lambda: _connect(unfinished, True)}, True)
        close_storage(filled)
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
    try:
        parsed = _parsed(url)
    except ValueError:
        return _masked(url)
    if secret := {name: "***" for name in parsed.query if _SECRET.search(name)}:
        parsed = parsed.update_query_dict(secret)
    return parsed.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


_SECRET = re.compile(r"(?i:pass(?!file)|pwd|secret)\w*")
"""The pattern of the names of options by which drivers take a secret in a URL's query."""


def _masked(text: str) -> str:
    """A text that is no URL, without all that may have been meant as a password."""
    text = re.sub(r"^(\w[\w+]*:/*)?.*@", r"\1***@", text, flags=re.DOTALL)
    text = re.sub(r"(://[^:/?@]*):[^/?@]*", r"\1:***", text)
    return re.sub(rf"({_SECRET.pattern}\s*=).*", r"\1***", text, flags=re.DOTALL)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL, None for other databases. Raises ValueError for what is no URL."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if parsed.database in (None, "", ":memory:"):
        raise ValueError(f"storage={url!r} names no file; write it as sqlite:///FILE.db")
    return Path(str(parsed.database))


def _parsed(url: str) -> URL:
    """Raises ValueError for what is no URL, and where what it says depends on who reads it."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    why = "is no URL; write it as sqlite:///FILE.db or postgresql://USER:PASSWORD@HOST/DATABASE"
    with suppress(ArgumentError, ValueError):  # whose texts show parts of the URL: its port may be a password
        parsed = make_url(url)
        if parsed.password is None or url.count("@") == 1:
            return parsed
        why = "has an @ in its password or after it; write that as %40"
    raise ValueError(f"storage={_masked(url)!r} {why}")


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
    try:
        yield
    except Exception as error:
        if not isinstance(error, failures()):
            raise
        raise StorageError(
            f"storage {shown(url)!r} failed: {reason(error)}; mend it, then give the same command again, a "
            "sweep with --resume"
        ) from error


def failures() -> tuple[type[Exception], ...]:
    """The errors that storages raise when their database fails."""
    import sqlalchemy.exc
    from optuna.exceptions import StorageInternalError

    # While nobody has imported grpc there is none of its errors, and importing it takes a while.
    grpc = sys.modules.get("grpc")
    remote = () if grpc is None else (grpc.RpcError,)
    return StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, *remote


def reason(error: BaseException) -> str:
    """What the database, or the way to it, said in that error: one line."""
    cause = error.__cause__ or error
    said = getattr(cause, "orig", None) or cause
    details = getattr(said, "details", None)
    text = str(details() if callable(details) else said).strip() or type(said).__name__
    lines = [
        line.strip() for line in text.splitlines() if not line.startswith("Multiple connection attempts")
    ]
    # Of several addresses that were tried, one that answered says more than one that did not.
    return next((line for line in lines if SAID_BY_SERVER.search(line)), lines[0])
