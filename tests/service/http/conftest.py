"""The service over HTTP: apps on storages that hold studies, and servers as processes of their own."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import optuna
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sgdr_service.app import create_app
from sgdr_service.settings import Settings
from sgdr_service.sweeps.host_lock import HostLock
from sgdr_service.tokens import hashed
from starlette.testclient import TestClient

from experiments.bench.filled import DIGITS, fill, settings_of
from sgdr import search
from sgdr.search.storage.connect import close_storage, open_storage, sqlite_file
from sgdr.search.sweeps.create_study import create_study
from sgdr.shapes import EARLIER, SHAPES

TOKEN = "sgdr_the-token-of-these-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
ODD_NAME = 'größe 言葉 ..?&#+;\\ " onmouseover="document.title=1" \'x'
STUDIES = ("digits", "tiny", ODD_NAME, "empty")
BASE_URL = "http://127.0.0.1"
START_SECONDS = 120


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> str:
    """A storage with `STUDIES`, only to be read: a large one, a confirmed one, one without trials."""
    url = f"sqlite:///{tmp_path_factory.mktemp('http')}/studies.db"
    fill(url, "digits", 300, epochs=20)
    how: dict[str, Any] = {"pruner": "none", "controls": 0.5, "slots": 4, "shapes": EARLIER}
    search.sweep(tiny.workload, trials=12, storage=url, study="tiny", **how)
    search.confirm("tiny", storage=url, workload=tiny.workload, top=1, seeds=2, slots=4)
    compared: dict[str, Any] = {"workload": tiny.workload, "seeds": 2, "slots": 4}
    search.compare_study("tiny", "cosine base_lr=0.1", storage=url, **compared)
    search.sweep(tiny.Maximized(), trials=4, storage=url, study=ODD_NAME, **how)
    create_study(open_storage(url, create=True), "empty", settings_of(1, epochs=20, seed=0), resume=False)
    optuna.create_study(study_name="not ours", storage=url)
    return url


@contextlib.contextmanager
def _database(server: str) -> Iterator[str]:
    """A new database there, which is dropped afterwards, whoever is still connected."""
    name = f"sgdr_{secrets.token_hex(6)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        try:
            yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_filled(sqlite_url: str, postgres_url: str) -> Iterator[str]:
    """The same studies on PostgreSQL."""
    with _database(postgres_url) as url:
        fill(url, "digits", 300, epochs=20)  # in bulk: Optuna copies trial by trial
        source, copy = open_storage(sqlite_url), open_storage(url)
        for name in (*STUDIES[1:], "not ours"):
            optuna.copy_study(from_study_name=name, from_storage=source, to_storage=copy)
        close_storage(source)
        close_storage(copy)
        yield url


@pytest.fixture(scope="session")
def sqlite_client(sqlite_url: str) -> Iterator[TestClient]:
    with client_of(sqlite_url) as client:
        yield client


@pytest.fixture(scope="session")
def postgres_client(postgres_filled: str) -> Iterator[TestClient]:
    with client_of(postgres_filled) as client:
        yield client


@pytest.fixture(params=["sqlite", "postgres"])
def client(request: pytest.FixtureRequest) -> TestClient:
    """A client of an app on the studies, in each kind of database; only to read."""
    client: TestClient = request.getfixturevalue(f"{request.param}_client")
    return client


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])  # a database a test
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    """A client of an app on an empty storage of the test's own, in each kind of database, with the token."""
    with _writer(request, tmp_path) as client:
        yield client


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def refusing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """A `writer` for all tests of a module: only for what is refused, so that its storage stays empty."""
    with _writer(request, tmp_path_factory.mktemp("refusing")) as client:
        yield client


@contextlib.contextmanager
def _writer(request: pytest.FixtureRequest, folder: Path) -> Iterator[TestClient]:
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{folder}/own.db"
        else:
            url = stack.enter_context(_database(request.getfixturevalue("postgres_url")))
        app = stack.enter_context(app_on(url, max_queued=3))
        client = stack.enter_context(TestClient(app, base_url=BASE_URL, headers=AUTHORIZED))
        with app.state.sweeps.storage():
            pass  # it is there
        yield client


@pytest.fixture(scope="session")
def shapes_url(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> str:
    """A storage with the study `shapes`, confirmed, with an arm of every shape; only to be read."""
    url = f"sqlite:///{tmp_path_factory.mktemp('shapes')}/shapes.db"
    how: dict[str, Any] = {"trials": 12, "storage": url, "pruner": "none", "sampler": "tpe", "slots": 4}
    search.sweep(tiny.workload, study="shapes", shapes=[*SHAPES], controls=0.7, **how)
    search.confirm("shapes", storage=url, workload=tiny.workload, top=1, seeds=2, slots=4)
    compared: dict[str, Any] = {"workload": tiny.workload, "seeds": 2, "slots": 4}
    search.compare_study("shapes", "one-cycle base_lr=0.1 warmup=1", storage=url, **compared)
    return url


@pytest.fixture
def copied(sqlite_url: str, tmp_path: Path) -> Path:
    """A file of the studies that the test may spoil."""
    path = tmp_path / "copy.db"
    with contextlib.closing(sqlite3.connect(str(sqlite_file(sqlite_url)))) as source:
        source.execute("VACUUM INTO ?", (str(path),))
    return path


def service_settings(url: str, **fields: Any) -> Settings:
    """The settings of a service on that storage, whatever the environment says."""
    own = {
        "_env_file": None,
        "storage": url,
        "token_hash": hashed(TOKEN),
        "dashboard": False,
    }
    return Settings(**{**own, **fields})


@contextlib.contextmanager
def app_on(url: str, **fields: Any) -> Iterator[FastAPI]:
    """An app on that storage, whose sweeps stay queued: another process has the lock."""
    lock = HostLock("dispatch", url)
    assert lock.acquire()
    try:
        app = create_app(service_settings(url, **fields))
        app.state.declarations.known["digits"] = DIGITS
        yield app
    finally:
        lock.release()


@contextlib.contextmanager
def client_of(url: str, **fields: Any) -> Iterator[TestClient]:
    """A client of such an app."""
    with app_on(url, **fields) as app, TestClient(app, base_url=BASE_URL) as client:
        yield client


@pytest.fixture(scope="session")
def token() -> str:
    """The token that all services of these tests have."""
    return TOKEN


class Server:
    """`sgdr serve` as a process; its log, line by line."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SGDR_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sgdr", "serve", "--port", "0", *arguments],
            cwd=folder,
            env={
                **inherited,
                "SGDR_TOKEN_HASH": hashed(TOKEN),
                "SGDR_DASHBOARD": "false",
                **environment,
            },
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.url: str = self.line("serving")["url"]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"message": line, "level": "not JSON"})

    def line(self, message: str, count: int = 1) -> dict[str, Any]:
        """The last of so many lines that begin with that message, once they are there."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            lines = [line for line in list(self.log) if line["message"].startswith(message)]
            if len(lines) >= count:
                return lines[count - 1]
            assert self.process.poll() is None and time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def client(self) -> httpx2.Client:
        """A client that has the token."""
        return httpx2.Client(base_url=self.url, headers=AUTHORIZED, timeout=120)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal, and gives the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(120)
        self._reader.join(120)
        return status

    def clear(self) -> None:
        """Leaves no process."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(120)
        assert self.process.stderr is not None
        self.process.stderr.close()


class Proxy:
    """A reverse proxy that shows a server below a path, as part of a site that has other parts.

    It strips the path or leaves it, names it in X-Forwarded-Prefix, and passes on all bytes behind the head
    of a request, so that websockets work too. What is asked for beside the path is kept in `strays`.
    """

    def __init__(self, prefix: str, server: str, strips: bool) -> None:
        self.prefix, self.strays = prefix, list[str]()
        self._server, self._strips = urlsplit(server), strips
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._connected, "127.0.0.1"), self._loop
        )
        self._listening = started.result(120)
        self.url = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        first, *headers = head[:-4].split(b"\r\n")
        method, path, version = first.split(b" ")
        prefix = self.prefix.encode()
        if not path.startswith((prefix + b"/", prefix + b"?")) and path != prefix:
            self.strays.append(path.decode())
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()
            return
        if self._strips:
            path = path.removeprefix(prefix)
            path = path if path.startswith(b"/") else b"/" + path
        if not any(header.lower().startswith(b"upgrade:") for header in headers):  # one request a connection
            headers = [header for header in headers if not header.lower().startswith(b"connection:")]
            headers.append(b"Connection: close")
        headers.append(b"X-Forwarded-Prefix: " + prefix)
        onward, back = await asyncio.open_connection(self._server.hostname, self._server.port)
        back.write(b"\r\n".join((b" ".join((method, path, version)), *headers)) + b"\r\n\r\n")
        await asyncio.gather(_passed_on(reader, back), _passed_on(onward, writer))

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(120)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(120)
        self._loop.close()

    async def _end(self) -> None:
        self._listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All bytes, until one side ends."""
    try:
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture(scope="session")
def proxy() -> Iterator[Callable[..., Proxy]]:
    """Starts proxies before servers."""
    started: list[Proxy] = []

    def start(prefix: str, server: str, *, strips: bool) -> Proxy:
        started.append(Proxy(prefix, server, strips))
        return started[-1]

    yield start
    for proxy in started:
        proxy.close()


@contextlib.contextmanager
def _servers() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(folder: Path, *arguments: str, **environment: str) -> Server:
        started.append(Server(folder, *arguments, **environment))
        return started[-1]

    try:
        yield start
    finally:
        for server in started:
            server.clear()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers in the test's folder."""
    with _servers() as start:
        yield partial(start, tmp_path)


@pytest.fixture(scope="session")
def serve_in() -> Iterator[Callable[..., Server]]:
    """Starts servers in a folder, for all tests of a process."""
    with _servers() as start:
        yield start


def _is_problem(response: Any, status: int, words: str = "") -> dict[str, Any]:
    """The problem that the answer is, with those words in its detail."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status and problem["type"] == "about:blank" and problem["title"]
    assert problem["request_id"] == response.headers["x-request-id"] and words in problem["detail"], problem
    return problem


@pytest.fixture(scope="session")
def is_problem() -> Callable[..., dict[str, Any]]:
    """Asserts that an answer is a problem of that status with those words in its detail, and gives it."""
    return _is_problem


@pytest.fixture(scope="session")
def open_client() -> Callable[..., contextlib.AbstractContextManager[TestClient]]:
    """Opens an app on a storage, with settings."""
    return client_of


@pytest.fixture(scope="session")
def authorized() -> dict[str, str]:
    """The header with the token."""
    return dict(AUTHORIZED)


@pytest.fixture(scope="session")
def odd_name() -> str:
    """The name of a study: all of it must be percent-encoded."""
    return ODD_NAME
