"""From a URL to a storage: what is opened, what is refused, and how a failure is told."""

import multiprocessing
import sqlite3

import optuna
import pytest
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

from sgdr.search.storage import (
    DEFAULT_URL,
    StorageError,
    default_url,
    open_storage,
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


def _opened(url: str) -> bool:
    storage = open_storage(url, create=True)
    return storage.get_all_studies() == []


def test_processes_that_make_the_same_storage_at_once_all_get_it(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_opened, [url] * 3, chunksize=1) == [True] * 3
        pool.close()
        pool.join()
    assert {path.name for path in tmp_path.iterdir()} <= {"a.db", "a.db-wal", "a.db-shm"}


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is no URL; write it as sqlite:///FILE.db"),
        ("sgdr.db", "is no URL; write it as sqlite:///FILE.db"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("redis://host/0", "cannot be opened"),
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


def test_a_schema_of_another_version_is_refused_with_the_command_to_upgrade_it(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    optuna.create_study(storage=url)
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v0.9.0.a'")
    database.close()
    with pytest.raises(ValueError, match="optuna storage upgrade --storage sqlite"):
        open_storage(url)


def test_reading_adds_no_tables(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE birds (name)")
    with pytest.raises(ValueError, match="cannot be opened: no such table"):
        open_storage(f"sqlite:///{tmp_path}/a.db")
    assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("birds",)]
    database.close()


def test_only_sqlite_has_a_file():
    assert str(sqlite_file("sqlite:///a/b.db")) == "a/b.db"
    assert str(sqlite_file("sqlite:////a/b.db")) == "/a/b.db"
    assert sqlite_file("postgresql://user@host/base") is None


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
