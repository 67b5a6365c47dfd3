"""Connections to PostgreSQL: who may, what they ask for, and how they come back."""

import gc
import socket
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url

from experiments.postgres import Postgres
from sgdr.search.storage import postgres
from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.storage.outages import is_outage


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One that nobody stops."""
    with Postgres() as postgres:
        yield postgres


@pytest.mark.parametrize("start", ["postgresql://", "postgres://", "postgresql+psycopg://"])
def test_urls_are_opened_with_psycopg_unless_they_name_a_driver(server: Postgres, start: str) -> None:
    opened = open_storage(server.url.replace("postgresql://", start), create=True)
    assert isinstance(opened, RDBStorage) and opened.get_all_studies() == []
    assert opened.engine.driver == "psycopg"
    close_storage(opened)
    other = make_url("postgresql+psycopg2://host/db")
    assert postgres.with_driver(other) == other


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": "wrong-hunter2"}, "password authentication failed .*; check user and password"),
        ({"username": "nobody"}, "password authentication failed .*; check user and password"),
        ({"database": "none"}, '"none" does not exist; make it by `createdb none`, or name another'),
        ({"host": "nowhere.invalid"}, r"resolve host 'nowhere\.invalid'.* check host and port"),
        ({"port": 1}, r"refused; start the server at 127\.0\.0\.1:1, or check host and port"),
        ({"host": "localhost", "port": 1}, "refused; start the server at localhost:1, or check"),
        ({"host": "localhost", "password": "wrong-hunter2"}, "password authentication failed .*; check user"),
        ({"query": {"password": "wrong-hunter2"}}, "password authentication failed .*; check user"),
        ({"query": {"sslmode": "require"}}, "does not support SSL.*; name another, or mend it"),
        ({"query": {"hunter": "2"}}, 'invalid connection option "hunter"; name another, or mend it'),
    ],
)
def test_what_is_wrong_is_said_and_the_password_is_not(server: Postgres, changes: dict, said: str) -> None:
    url = make_url(server.url).set(**changes).render_as_string(hide_password=False)
    began = time.monotonic()
    with pytest.raises(ValueError, match=f"cannot be opened: .*{said}") as refused:
        open_storage(url, create=True)
    assert time.monotonic() - began < 10
    told = "".join(traceback.format_exception(refused.value))
    assert "hunter2" not in told and server.password not in told and "\n" not in str(refused.value)


def test_no_password_is_said_to_be_wrong(server: Postgres) -> None:
    with pytest.raises(ValueError, match="no password supplied; check user and password"):
        open_storage(f"postgresql://sgdr@127.0.0.1:{server.port}/sgdr")


def test_the_command_says_it_in_a_line(server: Postgres, sgdr) -> None:  # type: ignore[no-untyped-def]
    wrong = make_url(server.url).set(password="wrong-hunter2").render_as_string(hide_password=False)
    done = sgdr("studies", "--storage", wrong)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") <= 3
    assert "check user and password" in " ".join(done.stderr.split()) and "hunter2" not in done.stderr


def test_a_server_that_stays_silent_is_given_up() -> None:
    assert postgres.CONNECT_SECONDS <= 10
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ValueError, match=f"timeout expired; start the server at 127.0.0.1:{port}, or"):
            open_storage(f"postgresql://127.0.0.1:{port}/db?connect_timeout=1")


@pytest.mark.slow
def test_a_server_that_is_stuck_is_given_up_in_time(postgres_server: Postgres) -> None:
    began = time.monotonic()
    with postgres_server.paused(), pytest.raises(ValueError, match="timeout expired"):
        open_storage(postgres_server.url)
    assert time.monotonic() - began < 12


def connections_to(server: Postgres, database: str) -> int:
    """How many the server has. It takes note of those that were closed a moment later."""
    url = make_url(server.url).set(drivername="postgresql+psycopg", database="template1")
    watcher = sa.create_engine(url, poolclass=sa.NullPool)
    count = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")
    with watcher.connect() as connection:
        return int(connection.execute(count, {"name": database}).scalar_one())


def test_few_connections_are_kept_and_a_closed_storage_has_none(server: Postgres) -> None:
    opened = open_storage(server.url, create=True)
    assert isinstance(opened, RDBStorage)
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda _: opened.get_all_studies(), range(40))
        assert list(answers) == [[]] * 40
    wait_until(lambda: connections_to(server, "sgdr") == postgres.KEPT_CONNECTIONS)
    close_storage(opened)
    wait_until(lambda: connections_to(server, "sgdr") == 0)


def test_a_storage_that_is_dropped_closes_its_connections(server: Postgres) -> None:
    opened = [open_storage(server.url, create=True) for _ in range(3)]
    assert [storage.get_all_studies() for storage in opened] == [[], [], []]
    opened.clear()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        gc.collect()
    assert told == []
    wait_until(lambda: connections_to(server, "sgdr") == 0)


def test_an_opening_that_fails_leaves_no_connection(server: Postgres) -> None:
    """The server would count it, and Python would warn of it."""
    empty = make_url(server.url).set(database="postgres").render_as_string(hide_password=False)
    with pytest.raises(ValueError, match="`sgdr sweep` makes the tables, or name another"):
        open_storage(empty)
    wait_until(lambda: connections_to(server, "postgres") == 0)


def wait_until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 120
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_what_is_said_elsewhere_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = postgres.engine_options(make_url("postgresql+psycopg://h/d"))["connect_args"]
    assert asked["connect_timeout"] == postgres.CONNECT_SECONDS and "options" in asked
    monkeypatch.setenv("PGOPTIONS", "-c search_path=mine")
    told = make_url("postgresql+psycopg://h/d?connect_timeout=3&keepalives_count=1")
    left = postgres.engine_options(told)["connect_args"]
    assert asked.keys() - left.keys() == {"connect_timeout", "options", "keepalives_count"}
    assert "connect_args" not in postgres.engine_options(make_url("postgresql+pg8000://h/d"))


def test_who_is_cut_off_in_a_transaction_holds_its_locks_no_longer(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "IDLE_SECONDS", 1)
    stuck, free = (open_storage(server.url, create=True) for _ in range(2))
    assert isinstance(stuck, RDBStorage) and isinstance(free, RDBStorage)
    lock = sa.text("LOCK TABLE studies IN ACCESS EXCLUSIVE MODE")
    with (
        pytest.raises(sa.exc.InternalError, match="idle-in-transaction") as cut_off,
        stuck.engine.begin() as connection,
    ):
        connection.execute(lock)
        began = time.monotonic()
        assert free.get_all_studies() == []
        assert 0.5 < time.monotonic() - began < 10
    assert is_outage(cut_off.value)
    close_storage(stuck)
    close_storage(free)
