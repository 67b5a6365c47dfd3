"""The service under test as a process of its own, and what it takes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import psutil

SERVE = ("sgdr", "serve")
"""What follows `python -m`: the service as its users start it."""
WITH_CONSTANT = ("experiments.bench.service.constant",)
"""The same with routes to compare with."""
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
REQUEST_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """One that answers."""

    url: str
    process: psutil.Process

    def client(self) -> httpx2.Client:
        """A client of it, which keeps its connection."""
        return httpx2.Client(base_url=self.url, timeout=REQUEST_SECONDS, trust_env=False)

    def resident(self) -> int:
        """Bytes in memory, of all its processes."""
        tree = [self.process, *self.process.children(recursive=True)]
        return sum(process.memory_info().rss for process in tree)

    def cpu_seconds(self) -> float:
        """The CPU seconds that it has used so far."""
        used = self.process.cpu_times()
        return float(used.user + used.system)


@contextmanager
def serving(storage: str, module: Sequence[str] = SERVE, core: int | None = None) -> Iterator[Server]:
    """A server on that storage, which ends with the block; kept on one core where that is given.

    Raises RuntimeError, with the end of its log, where it does not come up.
    """
    port = _free_port()
    environment = {**os.environ, "SGDR_STORAGE": storage, "SGDR_PORT": str(port), "SGDR_HOST": "127.0.0.1"}
    command = [*pinned(core), sys.executable, "-m", *module]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            if not _answers(url, child):
                log.seek(0)
                raise RuntimeError(f"{' '.join(command)} does not come up:\n{log.read()[-2000:].decode()}")
            yield Server(url, psutil.Process(child.pid))
        finally:
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def pinned(core: int | None) -> list[str]:
    """What to put before a command that is to stay on one core; nothing where the system cannot do that."""
    return [] if core is None or shutil.which("taskset") is None else ["taskset", "-c", str(core)]


def cores() -> tuple[int | None, int | None]:
    """One for the server and another for its clients; None where there is only one."""
    there = sorted(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else []
    return (there[0], there[-1]) if len(there) > 1 else (None, None)


def _answers(url: str, child: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + READY_SECONDS
    while child.poll() is None and time.monotonic() < until:
        try:
            return httpx2.get(f"{url}/healthz", trust_env=False).status_code == 200
        except httpx2.TransportError:
            time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
