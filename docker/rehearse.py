"""Runs what compose.yaml describes as plain processes on this machine, and a sweep on it from end to end.

Every service's own command line and healthcheck are run, in the order in which Compose starts them, each with
nothing in its environment but what Compose and the image give it. Names of hosts are 127.0.0.1, ports are
free ones, volumes are folders in a temporary one, and secrets are made for the occasion. PostgreSQL is the
one that is installed here. Nothing is left behind. The exit code is 0 when all went well, else 1.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import composition
from machine import BIN, Failed, Machine, adopt_orphans, say

WORKERS = 2
SWEEP = {
    "workload": "digits",
    "study": "rehearsal",
    "trials": 500,  # for so long that all workers come to it, however slowly they start
    "budget": 60,
    "pruner": "none",
    "engine": "ray",
    "workers": WORKERS,
}
SWEEP_SECONDS = 240.0


def main() -> int:
    """Returns the exit code."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    adopt_orphans()
    # Whatever TMPDIR says: the path of a socket has 107 characters at most, and Ray takes 80 of them.
    with tempfile.TemporaryDirectory(prefix="sgdr-", dir="/tmp") as name:
        folder = Path(name)
        variables = {
            "SGDR_DATABASE_PASSWORD": secrets.token_hex(24),
            "SGDR_RAY_TOKEN": secrets.token_hex(32),
            "SGDR_TOKEN_HASH_FILE": str(folder / "token"),
            "SGDR_WORKERS": str(WORKERS),
            "SGDR_WORKER_CPUS": "1",
        }
        token = make_token(folder / "token")
        services = composition.read(variables)
        machine = Machine(folder, services)
        try:
            for service in services:
                machine.start(service)
            sweep(machine, token)
        except (Failed, RuntimeError) as error:
            say(f"FAILED: {error}")
            return 1
        finally:
            machine.stop()
    say("All went well.")
    return 0


def make_token(file: Path) -> str:
    """A token of the service's, whose hash is in the file."""
    command = [str(BIN / "sgdr"), "token", "--file", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def sweep(machine: Machine, token: str) -> None:
    """Asks the service for a sweep by all workers, waits for its end, and reads the best schedule.

    Raises Failed where anything is not as it should be.
    """
    service = f"http://127.0.0.1:{machine.port('api', 8000)}"
    if (status := refusal(service)) != 401:
        raise Failed(f"the service answered {status}, not 401, to somebody without the token")
    began, told, at_work = time.monotonic(), "", 0
    standing = ask(service, token, "/v1/sweeps", SWEEP)
    while standing["state"] != "finished":
        took = time.monotonic() - began
        if took > SWEEP_SECONDS or standing["state"] not in ("queued", "running"):
            why = f"the sweep is {standing['state']} after {took:.0f} s: {standing['error']}"
            raise Failed(f"{why}\n{machine.tail('api-1')}")
        now = f"sweep {standing['state']}, {standing['finished']} of {standing['trials']} trials finished"
        if now != told:
            say(f"{took:5.1f} s: {now}")
            told = now
        at_work = max(at_work, standing["workers"])
        time.sleep(0.5)
        standing = ask(service, token, f"/v1/sweeps/{standing['id']}")
    say(f"{time.monotonic() - began:5.1f} s: sweep finished by {at_work} workers, {standing['outcomes']}")
    if at_work != WORKERS:
        raise Failed(f"{WORKERS} workers were asked for, and {at_work} were seen at work at once")
    best = ask(service, token, f"/v1/studies/{standing['study']}/best")["items"][0]
    say(f"The best schedule is {best['schedule']}, with an error of {best['value']:.4f}.")


def refusal(service: str) -> int:
    """The status with which somebody without the token is answered."""
    try:
        with urllib.request.urlopen(f"{service}/v1/studies", timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def ask(service: str, token: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
    """What the service answers to a GET or, with `content`, to a POST. Raises Failed on an error."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(service + path, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failed(f"{path} was answered with {error.code}: {error.read().decode()}") from None


if __name__ == "__main__":
    sys.exit(main())
