"""A storage that is served to others, from its beginning to its end."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import optuna
import pytest

from experiments.postgres import Postgres
from sgdr.search.storage import grpc_client
from sgdr.search.storage.connect import StorageError, close_storage, open_storage, storage_errors
from sgdr.search.storage.grpc_server import serve
from sgdr.search.storage.outages import is_outage


def is_listening(url: str) -> bool:
    host, port = url.removeprefix("grpc://").rsplit(":", 1)
    with socket.socket() as tried:
        return tried.connect_ex((host, int(port))) == 0


def test_a_served_storage_is_the_one_that_is_served_and_ends_without_a_trace(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    file = f"sqlite:///{tmp_path}/a.db"
    with serve(file) as url:
        opened, direct = open_storage(url), open_storage(file)
        study = optuna.create_study(storage=opened, study_name="größe 学習率")
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
        assert optuna.load_study(study_name="größe 学習率", storage=direct).trials == study.trials
        assert is_listening(url)
        close_storage(opened)
        close_storage(direct)
    assert not is_listening(url)
    assert set(threading.enumerate()) <= before
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_an_error_in_the_block_ends_it_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), serve(f"sqlite:///{tmp_path}/a.db") as url:
        raise KeyError
    assert not is_listening(url)


def test_nothing_is_served_where_it_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder"), serve(f"sqlite:///{tmp_path}/no/a.db"):
        pass
    file = f"sqlite:///{tmp_path}/a.db"
    with pytest.raises(ValueError, match=r"host='192\.0\.2\.1', port=0 cannot be listened at"):
        serve(file, "192.0.2.1").__enter__()
    with serve(file) as url, pytest.raises(ValueError, match="a port that is free"):
        serve(file, port=int(url.rsplit(":", 1)[1])).__enter__()


def test_what_is_missing_for_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ValueError, match=r"cannot be served: .* run pip install '\.\[ray\]'"):
        serve(f"sqlite:///{tmp_path}/a.db").__enter__()


def test_what_others_do_to_the_file_is_seen(tmp_path: Path) -> None:
    """SQLite gives the number of a deleted study to the next one."""
    file = f"sqlite:///{tmp_path}/a.db"
    with serve(file) as url:
        opened, direct = open_storage(url), open_storage(file, create=True)
        for name, trials in (("old", 3), ("new", 2)):
            study = optuna.create_study(storage=direct, study_name=name)
            study.optimize(lambda trial: trial.suggest_float(name, 0, 1), n_trials=trials)  # noqa: B023
            fresh = open_storage(url)
            again = optuna.load_study(study_name=name, storage=fresh)
            assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]
            close_storage(fresh)
            optuna.delete_study(study_name=name, storage=direct)
        assert opened.get_all_studies() == []
        close_storage(opened)
        close_storage(direct)


def test_a_server_that_comes_back_is_found_again(tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path}/a.db"
    with serve(file) as url:
        opened = open_storage(url)
    for _ in range(3):
        with pytest.raises(StorageError, match=r"Connection refused|Socket closed"), storage_errors(url):
            opened.get_all_studies()
    with serve(file, port=int(url.rsplit(":", 1)[1])):
        began = time.monotonic()
        while True:
            try:
                assert opened.get_all_studies() == []
                break
            except grpc.RpcError as error:
                assert is_outage(error) and time.monotonic() - began < 2 * grpc_client.RETRY_SECONDS
                time.sleep(0.05)
    close_storage(opened)


def test_the_databases_own_failure_is_told(tmp_path: Path) -> None:
    with serve(f"sqlite:///{tmp_path}/a.db") as url:
        opened = open_storage(url)
        with sqlite3.connect(tmp_path / "a.db") as database:
            database.execute("DROP TABLE study_directions")
        database.close()
        with (
            pytest.raises(StorageError, match=r"failed: no such table: study_directions; ") as told,
            storage_errors(url),
        ):
            optuna.create_study(storage=opened, study_name="s")
        assert not is_outage(told.value)
        close_storage(opened)


@pytest.mark.slow
def test_an_outage_behind_the_proxy_is_one(postgres_server: Postgres) -> None:
    with serve(postgres_server.url) as url:
        opened = open_storage(url)
        postgres_server.stop()
        with pytest.raises(StorageError, match="Connection refused") as told, storage_errors(url):
            opened.get_all_studies()
        assert is_outage(told.value) and postgres_server.password not in str(told.value)
        postgres_server.start()
        assert opened.get_all_studies() == []
        close_storage(opened)


def test_a_server_that_stays_silent_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert grpc_client.CONNECT_SECONDS <= 10
    monkeypatch.setattr(grpc_client, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ValueError, match="Deadline Exceeded; start its server, or check host") as refused:
            open_storage(f"grpc://127.0.0.1:{port}")
    assert is_outage(refused.value)


USE = """
import sys, optuna
from sgdr.search.storage.grpc_server import serve
from sgdr.search.storage.connect import open_storage
optuna.logging.set_verbosity(optuna.logging.WARNING)
with serve(sys.argv[1]) as url:
    print(len(open_storage(url).get_all_studies()))
"""


def test_a_process_that_served_ends_at_once_and_says_nothing(tmp_path: Path) -> None:
    """Also where a client is still open, and where the environment has a proxy for the web."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE, f"sqlite:///{tmp_path}/a.db"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "http_proxy": "http://127.0.0.1:1", "no_proxy": ""},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
