"""Services as plain processes on this machine, in place of the containers that Compose makes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
from composition import Service
from database import prepared_server

BIN = Path(sys.executable).parent
DOCKERFILE = Path(__file__).with_name("Dockerfile")
START_SECONDS = 120.0
"""Seconds in which a service must become healthy."""
STOP_SECONDS = 40.0
"""More than the 30 s that Ray lets what runs on a node come to its end."""
LOG_LINES = 30
PR_SET_CHILD_SUBREAPER = 36


class Failed(Exception):
    """What the rehearsal has found wrong."""


class Machine:
    """The processes of all services, and where on this machine their hosts, ports and paths are."""

    def __init__(self, folder: Path, services: list[Service]) -> None:
        """`folder` is to hold all that is written; its path must be short, for the sake of sockets."""
        self.folder = folder
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._ports = {(service.name, port): free_port() for service in services for port in service.ports}
        self._of_image = image_environment(DOCKERFILE.read_text())
        for name in ("home", "logs", "volumes"):
            (folder / name).mkdir()

    def port(self, service: str, port: int) -> int:
        """The port of this machine at which that port of the service is."""
        return self._ports[service, port]

    def start(self, service: Service) -> None:
        """Starts every replica of a service, each when the one before is healthy.

        Raises Failed where one ends, or is not healthy in time. On one machine, nodes of Ray that begin at
        the same moment would take the same names for their sockets: a node is waited for by its socket, too.
        """
        command = [self._here(service, word) for word in service.command]
        environment, user = self._environment(service), None
        if service.name == "postgres":
            more, user, programs = prepared_server(self.folder, environment, self.port("postgres", 5432))
            command += more
            environment["PATH"] = f"{programs}:{environment['PATH']}"
        check = [self._here(service, word) for word in service.health]
        for replica in range(1, service.replicas + 1):
            name = f"{service.name}-{replica}"
            nodes = self._nodes() + ("ray start" in " ".join(command))
            began = time.monotonic()
            with (self.folder / "logs" / name).open("wb") as log:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=self.folder / "volumes",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    user=user,
                )
            self._running.append((name, process))
            while self._nodes() < nodes or not self._passes(check, environment, service.health_seconds):
                why = None
                if process.poll() is not None:
                    why = f"ended with exit code {process.returncode}"
                elif time.monotonic() - began > START_SECONDS:
                    why = f"is not healthy after {START_SECONDS:g} s"
                if why:
                    raise Failed(f"{name} {why}:\n{self.tail(name)}")
                time.sleep(0.3)
            shown = " ".join(" ".join(command).split())
            say(f"{name} is healthy after {time.monotonic() - began:.1f} s: {shown}")

    def stop(self) -> None:
        """Stops the services as Compose does, those that were started last first, and all that they left."""
        for name, process in reversed(self._running):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                say(f"{name} does not stop: it is killed after {STOP_SECONDS:g} s")
                process.kill()
                process.wait()
            else:
                say(f"{name} has stopped")
        kill_descendants()  # which the end of its container would

    def tail(self, name: str) -> str:
        """The end of what a replica said."""
        text = (self.folder / "logs" / name).read_text(errors="replace")
        return "\n".join(text.splitlines()[-LOG_LINES:])

    def _here(self, service: Service, text: str) -> str:
        """What a service is told, with this machine's addresses and paths."""
        for (name, port), own_port in self._ports.items():
            text = re.sub(rf"(?<![\w.-]){name}:{port}(?!\d)", f"127.0.0.1:{own_port}", text)
            if name == service.name:
                text = re.sub(rf"(?<!\d){port}(?!\d)", str(own_port), text)
        for path, own_path in self._paths(service).items():
            text = re.sub(rf"(?<![\w.]){re.escape(path)}(?![\w.])", str(own_path), text)
        return text

    def _paths(self, service: Service) -> dict[str, Path]:
        """The paths on this machine, by path in the container."""
        volumes = {path: self.folder / "volumes" / volume for path, volume in service.volumes.items()}
        for path in volumes.values():
            path.mkdir(exist_ok=True)
        return volumes | {path: Path(file) for path, file in service.secrets.items()}

    def _environment(self, service: Service) -> dict[str, str]:
        """All that its processes have."""
        declared = {name: self._here(service, value) for name, value in service.environment.items()}
        own = {
            "PATH": f"{BIN}:{os.defpath}",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder),
            "RAY_TMPDIR": str(self.folder),
            "LANG": "C.UTF-8",
        }
        return {**self._of_image, **own, **declared}

    def _nodes(self) -> int:
        """The nodes of Ray that have come up so far."""
        return len(list(self.folder.glob("ray/session_2*/sockets/raylet*")))

    def _passes(self, check: list[str], environment: dict[str, str], seconds: float) -> bool:
        try:
            done = subprocess.run(
                check, env=environment, cwd=self.folder, capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def image_environment(dockerfile: str) -> dict[str, str]:
    """What the last stage of a Dockerfile sets."""
    last_stage = dockerfile.rpartition("\nFROM ")[2]
    lines = re.findall(r"^ENV (.*)$", last_stage, re.MULTILINE)
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(lines)))


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def adopt_orphans() -> None:
    """Makes this process the parent of what its children leave behind, so that it is found."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_descendants() -> None:
    """Kills every process that descends from this one, and waits until all are gone."""
    while left := psutil.Process().children(recursive=True):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)


def say(text: str) -> None:
    """Prints it at once."""
    print(text, flush=True)  # noqa: T201
