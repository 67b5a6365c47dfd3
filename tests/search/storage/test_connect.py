"""From a URL to a storage: what is opened, what is refused, and how a failure is told."""

import os
import re
import sqlite3
import sys
import traceback

import optuna
import pytest
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from sgdr.search.storage.connect import (
    DEFAULT_URL,
    StorageError,
    close_storage,
    default_url,
    open_storage,
    shown,
    sqlite_file,
    storage_errors,
)


def test_the_default_is_a_file_here_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("SGDR_STORAGE", raising=False)
    assert default_url() == DEFAULT_URL == "sqlite:///sgdr.db"
    monkeypatch.setenv("SGDR_STORAGE", "")
    assert default_url() == DEFAULT_URL
    monkeypatch.setenv("SGDR_STORAGE", "sqlite:///other.db")
    assert default_url() == "sqlite:///other.db"


def test_a_new_sqlite_storage_is_one_file_in_wal_mode_that_optuna_reads(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    storage = open_storage(url, create=True)
    storage.create_new_study([StudyDirection.MINIMIZE], "s")
    with storage.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    assert optuna.get_all_study_names(url) == optuna.get_all_study_names(RDBStorage(url)) == ["s"]
    assert {path.name for path in tmp_path.iterdir()} <= {"a.db", "a.db-wal", "a.db-shm"}
    assert [study.study_name for study in open_storage(url).get_all_studies()] == ["s"]


def test_a_storage_of_optunas_own_making_is_opened(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    optuna.create_study(storage=url, study_name="theirs")
    for create in (False, True):
        assert [study.study_name for study in open_storage(url, create=create).get_all_studies()] == [
            "theirs"
        ]


def test_a_folder_in_which_sqlite_cannot_even_read_is_named(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/a.db"
    close_storage(open_storage(url, create=True))

    def unable(*_):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr("sgdr.search.storage.connect._connect", unable)
    with pytest.raises(ValueError, match="unable to open database file; name another"):
        open_storage(url)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK and access(path, mode))
    said = f"its folder '{tmp_path}' cannot be written, which SQLite needs even to read (unable to open data"
    with pytest.raises(ValueError, match=f"{re.escape(said)}.*; copy the file into a folder of your own$"):
        open_storage(url)


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is no URL; write it as sqlite:///FILE.db"),
        ("sgdr.db", "is no URL; write it as sqlite:///FILE.db"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("redis://host/0", "cannot be opened"),
        ("postgresql+pigeon://host/db", "cannot be opened"),
        ("postgresql+pg8000://host/db", "driver of postgresql.pg8000 is not installed; install it"),
        ("grpc://host", "must have a host and a port alone; write grpc://HOST:PORT"),
        ("grpc://:13000", "must have a host and a port alone; write grpc://HOST:PORT"),
        ("grpc://host:13000/db", "must have a host and a port alone; write grpc://HOST:PORT"),
        ("sqlite:///{}", "is a folder"),
        ("sqlite:///{}/text.db", "is not a database"),
        ("sqlite:///{}/no/a.db", "no folder|does not exist"),
    ],
)
def test_urls_that_cannot_be_are_refused_by_value(tmp_path, url, said, create):
    (tmp_path / "text.db").write_text("no database " * 100)
    url = url.format(tmp_path)
    with pytest.raises(ValueError, match=said) as refused:
        open_storage(url, create=create)
    assert repr(url) in str(refused.value) and "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["text.db"]


def test_reading_adds_no_tables(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE birds (name)")
    with pytest.raises(ValueError, match="cannot be opened: no such table"):
        open_storage(f"sqlite:///{tmp_path}/a.db")
    assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("birds",)]
    database.close()


def test_a_file_may_have_any_name(tmp_path):
    url = f"sqlite:///{tmp_path}/a {{b}} ü @ %.db"
    close_storage(open_storage(url, create=True))
    assert [path.name for path in tmp_path.iterdir()] == ["a {b} ü @ %.db"]


@pytest.mark.parametrize(
    ("url", "absent", "said"),
    [
        ("postgresql://host/db", "psycopg", "it needs psycopg; run pip install '.[postgres]'"),
        ("postgres://host/db", "psycopg", "it needs psycopg; run pip install '.[postgres]'"),
        ("grpc://host:13000", "grpc", "it needs grpcio and protobuf; run pip install '.[ray]'"),
    ],
)
def test_an_extra_that_is_missing_is_named(monkeypatch, url, absent, said):
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(ValueError, match=f"cannot be opened: {re.escape(said)} in the folder"):
        open_storage(url)


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("postgresql://me:hunter2@host/db", "postgresql://me:***@host/db"),
        (
            "postgresql://me:hun%40ter2@host:1/db?sslmode=require",
            "postgresql://me:***@host:1/db?sslmode=require",
        ),
        ("postgres:///db?password=hunter2&user=me", "postgres:///db?password=***&user=me"),
        ("postgresql:///db?sslpassword=hunter2&passfile=f", "postgresql:///db?passfile=f&sslpassword=***"),
        ("mysql+pymysql://me:hun/ter2@host/db", "mysql+pymysql://me:***@host/db"),
        ("postgresql://me:{hunter2}@host/db", "postgresql://me:***@host/db"),
        ("grpc://me:hunter2@host:1", "grpc://me:***@host:1"),
        ("sqlite:////data/hunter2.db", "sqlite:////data/hunter2.db"),
    ],
)
def test_passwords_are_not_shown(url, printed):
    assert shown(url) == printed and shown(printed) == printed


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:p@hunter2@host/db",
        "postgresql://me:p@hunter2?@host/db",
        "postgresql://me:p@hunter2/x@host/db",
        "postgresql://me:hunter2",
        "postgresql://me:hunter2/db",
        "postgresql://me:hunter2@host:port/db",
        "postgresql:me:hunter2@host/db",
        "postgresql//me:hunter2@host/db",
        "me:hunter2@host/db",
        "host=a password=hunter2 dbname=b",
        "postgresql://host:x/db?password=hunter2",
        "grpc://me:hunter2@host",
    ],
)
def test_a_password_is_not_shown_where_the_url_is_wrong(url):
    assert "hunter2" not in shown(url)
    with pytest.raises(ValueError, match=r"is no URL|write that as %40|write grpc://") as refused:
        open_storage(url)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_only_sqlite_has_a_file():
    assert str(sqlite_file("sqlite:///a/b.db")) == "a/b.db"
    assert str(sqlite_file("sqlite:////a/b.db")) == "/a/b.db"
    assert sqlite_file("postgresql://user@host/base") is None
    assert sqlite_file("postgres://user@host/base") is None
    assert sqlite_file("grpc://host:13000") is None


def test_a_failing_database_is_told_with_its_reason(tmp_path):
    storage = open_storage(f"sqlite:///{tmp_path}/a.db", create=True)
    with storage.engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE study_directions"))
    with (
        pytest.raises(StorageError, match=r"'here' failed: no such table: study_directions; .*--resume"),
        storage_errors("here"),
    ):
        storage.create_new_study([StudyDirection.MINIMIZE], "s")


def test_other_errors_pass():
    with pytest.raises(KeyError), storage_errors("here"):
        raise KeyError
