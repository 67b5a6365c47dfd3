"""The storage locked, read-only, spoilt, vanished and back: 503 meanwhile, then as before."""

import contextlib
import os
import sqlite3

import pytest
import sqlalchemy as sa

from experiments.bench.filled import fill
from sgdr.search.study.lookup import delete

PATHS = [
    "/readyz",
    "/v1/studies",
    "/v1/studies/tiny",
    "/v1/studies/tiny/trials",
    "/v1/studies/tiny/trials.csv",
    "/v1/studies/tiny/best",
    "/v1/best?workload=tiny",
    "/v1/sweeps",
    "/v1/sweeps/tiny",
    "/v1/sweeps/tiny/events",
]
BODY = {"workload": "digits", "study": "own"}


@pytest.fixture
def own(copied, open_client, authorized):
    with open_client(f"sqlite:///{copied}") as client:
        client.headers.update(authorized)
        yield client


def all_unavailable(client, is_problem):
    for path in PATHS:
        answer = client.get(path)
        problem = is_problem(answer, 503, "the storage cannot be read at the moment")
        assert (
            answer.headers["retry-after"] == "5"
            and ".db" not in str(problem)
            and "sqlite" not in str(problem)
        )
    assert client.get("/healthz").status_code == 200
    assert client.get("/v1/lr?base_lr=1&T_0=1&step=0").json()["lr"] == 1
    assert "sgdr_storage_up 0.0" in client.get("/metrics").text


def all_answered(client):
    assert [client.get(path).status_code for path in PATHS] == [200] * len(PATHS)
    assert "sgdr_storage_up 1.0" in client.get("/metrics").text


def test_a_file_that_vanishes_and_comes_back(own, copied, is_problem):
    all_answered(own)
    away = copied.with_suffix(".away")
    copied.rename(away)
    all_unavailable(own, is_problem)
    away.rename(copied)
    all_answered(own)


def test_another_file_in_its_place_is_read_instead(own, copied, is_problem):
    all_answered(own)
    other = copied.with_name("other.db")
    with contextlib.closing(sqlite3.connect(copied)) as source:
        source.execute("VACUUM INTO ?", (str(other),))
    with contextlib.closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("UPDATE studies SET study_name = 'new' WHERE study_name = 'tiny'")
    for left in copied.parent.glob("copy.db-*"):
        left.unlink()
    other.replace(copied)
    is_problem(own.get("/v1/studies/tiny"), 404)
    assert own.get("/v1/studies/new").json()["trials"]["COMPLETE"] == 12


def test_a_service_on_no_file_waits_for_one(tmp_path, copied, open_client, is_problem):
    path = tmp_path / "folder" / "late.db"
    with open_client(f"sqlite:///{path}") as client:
        all_unavailable(client, is_problem)
        path.parent.mkdir()
        copied.rename(path)
        all_answered(client)


@pytest.mark.parametrize("spoil", [b"", b"no database " * 1000], ids=["empty", "text"])
def test_a_file_that_is_no_database(tmp_path, open_client, is_problem, spoil):
    path = tmp_path / "spoilt.db"
    path.write_bytes(spoil)
    with open_client(f"sqlite:///{path}") as client:
        all_unavailable(client, is_problem)
    assert path.read_bytes() == spoil


def test_readers_do_not_wait_for_a_writer_and_a_writer_gives_up(own, copied, is_problem, monkeypatch):
    monkeypatch.setattr("sgdr.search.storage.connect.BUSY_SECONDS", 0.2)
    with contextlib.closing(sqlite3.connect(copied)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("BEGIN IMMEDIATE")
        all_answered(own)
        answer = own.post("/v1/sweeps", json=BODY)
        problem = is_problem(answer, 503, "the storage cannot be written at the moment")
        assert answer.headers["retry-after"] == "5" and "locked" not in str(problem)
        writer.rollback()
    assert own.post("/v1/sweeps", json=BODY).status_code == 202


def test_a_database_that_is_locked_for_readers_too(own, copied, is_problem, monkeypatch):
    monkeypatch.setattr("sgdr.search.storage.connect.BUSY_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(copied)) as writer:
        writer.execute("PRAGMA journal_mode=DELETE")
        writer.execute("BEGIN EXCLUSIVE")
        is_problem(own.get("/v1/studies/tiny"), 503, "the storage cannot be read at the moment")
        is_problem(own.get("/readyz"), 503)
        writer.rollback()
    all_answered(own)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write any file")
def test_a_file_that_may_only_be_read(copied, open_client, is_problem, authorized):
    copied.chmod(0o400)
    copied.parent.chmod(0o500)
    try:
        with open_client(f"sqlite:///{copied}") as client:
            all_answered(client)
            is_problem(client.post("/v1/sweeps", json=BODY, headers=authorized), 503, "cannot be written")
    finally:
        copied.parent.chmod(0o700)


def test_a_study_that_is_deleted_and_made_again_is_another(own, copied, is_problem):
    assert own.get("/v1/studies/digits").json()["trials"]["COMPLETE"] > 1
    delete("digits", f"sqlite:///{copied}")
    is_problem(own.get("/v1/studies/digits"), 404)
    is_problem(own.get("/v1/studies/digits/trials.csv"), 404)
    fill(f"sqlite:///{copied}", "digits", 2, epochs=3)
    assert own.get("/v1/studies/digits/trials").json()["total"] == 2


def test_a_postgres_that_goes_away_and_comes_back(postgres_client, postgres_filled):
    all_answered(postgres_client)
    url = sa.make_url(postgres_filled)
    engine = sa.create_engine(url.set(database="postgres"))
    ended = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
    with engine.connect() as connection:
        connection.execute(ended, {"name": url.database})
    engine.dispose()
    statuses = [postgres_client.get("/v1/studies/tiny").status_code for _ in range(12)]
    assert set(statuses) <= {200, 503} and statuses[-1] == 200
    all_answered(postgres_client)
