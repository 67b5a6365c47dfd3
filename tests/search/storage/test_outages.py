"""What is worth waiting for, by the errors that real databases give."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection

from experiments.postgres import Postgres
from sgdr.search.storage.connect import StorageError, close_storage, open_storage, storage_errors
from sgdr.search.storage.outages import is_outage


@contextmanager
def opened_at(url: str) -> Iterator[RDBStorage]:
    opened = open_storage(url, create=True)
    assert isinstance(opened, RDBStorage)
    yield opened
    close_storage(opened)


@pytest.fixture
def storage(postgres_database: str) -> Iterator[RDBStorage]:
    """The database is the test's own, on a server that goes on."""
    with opened_at(postgres_database) as opened:
        yield opened


def raised(action: Callable[[], Any]) -> BaseException:
    with pytest.raises(Exception) as caught:
        action()
    return caught.value


def test_a_server_that_stops_and_comes_back(postgres_server: Postgres) -> None:
    for mode in ("immediate", "fast"):
        with opened_at(postgres_server.url) as storage:
            stops_and_comes_back(postgres_server, storage, mode)


def stops_and_comes_back(postgres_server: Postgres, storage: RDBStorage, mode: str) -> None:
    with storage.engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        postgres_server.stop(mode)
        assert is_outage(raised(lambda: connection.execute(sa.text("SELECT 1"))))
    away = raised(storage.get_all_studies)
    assert isinstance(away, StorageInternalError) and is_outage(away)
    assert is_outage(raised(lambda: open_storage(postgres_server.url)))
    with pytest.raises(StorageError, match="Connection refused") as told, storage_errors(postgres_server.url):
        storage.get_all_studies()
    assert is_outage(told.value)
    postgres_server.start()
    assert storage.get_all_studies() == []
    assert storage.engine.pool.status().endswith("Current Checked out connections: 0")


def test_a_transaction_that_another_one_undid(storage: RDBStorage) -> None:
    engine = storage.engine
    study = storage.create_new_study([StudyDirection.MINIMIZE], "s")
    touch = sa.text("UPDATE studies SET study_name = study_name || 'x' WHERE study_id = :study")
    with engine.connect() as first, engine.connect() as second:
        for worker in (first, second):
            worker.execution_options(isolation_level="REPEATABLE READ")
            worker.execute(sa.text("SELECT * FROM studies"))
        first.execute(touch, {"study": study})
        first.commit()
        lost = raised(lambda: second.execute(touch, {"study": study}))
    assert is_outage(lost) and "could not serialize" in str(lost)


def test_a_deadlock(storage: RDBStorage) -> None:
    engine = storage.engine
    studies = [storage.create_new_study([StudyDirection.MINIMIZE], name) for name in "ab"]
    lock = sa.text("SELECT * FROM studies WHERE study_id = :study FOR UPDATE")
    met, failed = threading.Barrier(2), []

    def hold(one: int, other: int) -> None:
        with engine.connect() as connection:
            connection.execute(lock, {"study": one})
            met.wait()
            try:
                connection.execute(lock, {"study": other})
            except sa.exc.DBAPIError as error:
                failed.append(error)

    threads = [threading.Thread(target=hold, args=pair) for pair in (studies, studies[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 1 and is_outage(failed[0]) and "deadlock detected" in str(failed[0])


def test_what_waiting_does_not_mend(postgres_server: Postgres) -> None:
    with opened_at(postgres_server.url) as storage:
        is_not_mended(postgres_server, storage)


def is_not_mended(postgres_server: Postgres, storage: RDBStorage) -> None:
    url = sa.make_url(postgres_server.url)
    for other in (url.set(password="wrong"), url.set(database="none"), url.set(username="nobody")):
        refused = raised(lambda other=other: open_storage(other.render_as_string(hide_password=False)))
        assert isinstance(refused, ValueError) and not is_outage(refused)
    with storage.engine.connect() as connection:
        for statement in ("SELEC 1", "INSERT INTO studies VALUES (1, NULL)", "SELECT 1 / 0"):
            mistake = raised(lambda statement=statement: connection.execute(sa.text(statement)))
            assert isinstance(mistake, sa.exc.DBAPIError) and not is_outage(mistake)
            connection.rollback()
    assert not is_outage(raised(lambda: storage.get_study_name_from_id(7)))


def test_a_file_of_sqlite_does_not_come_back_by_itself(tmp_path: Path) -> None:
    connections = [sqlite3.connect(tmp_path / "a.db", timeout=0) for _ in range(2)]
    connections[0].execute("BEGIN EXCLUSIVE")
    assert not is_outage(raised(lambda: connections[1].execute("BEGIN EXCLUSIVE")))
    connections[0].execute("PRAGMA max_page_count = 1")
    full = raised(lambda: connections[0].execute("CREATE TABLE a AS SELECT randomblob(9999)"))
    assert "full" in str(full) and not is_outage(full)
    for connection in connections:
        connection.close()


def test_a_proxy_that_ends(tmp_path: Path) -> None:
    pytest.importorskip("grpc")
    from sgdr.search.storage.grpc_server import serve

    with serve(f"sqlite:///{tmp_path}/a.db") as url:
        opened: BaseStorage = open_storage(url)
        assert not is_outage(raised(lambda: opened.get_study_name_from_id(7)))
    assert is_outage(raised(opened.get_all_studies))
    assert is_outage(raised(lambda: open_storage(url)))
    close_storage(opened)


FAILED = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (psycopg.errors.CannotConnectNow("starting"), True),
        (psycopg.errors.AdminShutdown("end"), True),
        (psycopg.errors.CrashShutdown("end"), True),
        (psycopg.errors.ConnectionFailure("lost"), True),
        (psycopg.errors.TooManyConnections("full"), True),
        (psycopg.errors.IdleInTransactionSessionTimeout("slept"), True),
        (psycopg.errors.DatabaseDropped("gone"), False),
        (psycopg.errors.DiskFull("full"), False),
        (psycopg.errors.InvalidPassword("who"), False),
        (psycopg.errors.UniqueViolation("twice"), False),
        (psycopg.errors.QueryCanceled("slow"), False),
        (psycopg.OperationalError("the connection is lost"), True),
        (psycopg.OperationalError("consuming input failed: SSL SYSCALL error: EOF detected"), True),
        (psycopg.OperationalError("failed to resolve host 'db': [Errno -2] Name or service not known"), True),
        (psycopg.errors.ConnectionTimeout("connection timeout expired"), True),
        (psycopg.OperationalError(f"{FAILED}FATAL:  the database system is starting up"), True),
        (psycopg.OperationalError(f"{FAILED}FATAL:  the database system is shutting down"), True),
        (psycopg.OperationalError(f"{FAILED}FATAL:  the database system is in recovery mode"), True),
        (psycopg.OperationalError(f"{FAILED}FATAL:  sorry, too many clients already"), True),
        (psycopg.OperationalError(f'{FAILED}FATAL:  password authentication failed for user "a"'), False),
        (psycopg.OperationalError(f"{FAILED}FATAL:  Passwort-Authentifizierung fehlgeschlagen"), False),
        (psycopg.OperationalError(f"{FAILED}fe_sendauth: no password supplied"), False),
        (psycopg.OperationalError(f"{FAILED}server does not support SSL, but SSL was required"), False),
        (psycopg.OperationalError(f"{FAILED}SSL error: certificate verify failed"), False),
        (psycopg.OperationalError(f"{FAILED}received invalid response to SSL negotiation: H"), False),
        (psycopg.OperationalError(f"{FAILED}refused\n{FAILED}FATAL:  role does not exist"), False),
        (psycopg.ProgrammingError("the last operation didn't produce a result"), False),
        (ConnectionResetError("somebody else's"), False),
        (KeyError("connection refused"), False),
    ],
)
def test_each_error(error: Exception, away: bool) -> None:
    assert is_outage(error) == away


def test_the_error_behind_an_error_counts_unless_it_is_set_aside() -> None:
    def fail(suppressed: bool) -> None:
        try:
            raise psycopg.errors.AdminShutdown("end")
        except psycopg.Error:
            if suppressed:
                raise ValueError("bad") from None
            raise ValueError("bad")  # noqa: B904

    assert is_outage(raised(lambda: fail(False))) and not is_outage(raised(lambda: fail(True)))
    circular = ValueError()
    circular.__cause__ = KeyError()
    circular.__cause__.__cause__ = circular
    assert not is_outage(circular)
