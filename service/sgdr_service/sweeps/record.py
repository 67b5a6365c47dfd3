"""What a study says of the sweep that the service runs on it: the only record there is.

Each attribute has one writer: `SWEEP` whoever asks for the sweep, `CANCEL` whoever cancels it, `PROCESS` and
`END` the process that runs it (or the dispatcher the `END` of one that did not get as far as `PROCESS`). A
study may be swept again; what bears another nonce than its `SWEEP` is of an earlier run.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from sgdr.search.storage.leases import EXPIRE_SECONDS, LeaseRecord, living, running_process

SWEEP = "sweep"
"""nonce, request (all arguments), requested (seconds since the epoch), host."""
CANCEL = "sweep:cancel"
"""nonce, time."""
PROCESS = "sweep:process"
"""nonce, host, pid, create_time, started, phase ("sweep" or "confirm")."""
END = "sweep:end"
"""nonce, outcome (one of `OUTCOMES`), error (for clients) and traceback (for the log), or null, and time."""

OUTCOMES = ("finished", "timed out", "cancelled", "interrupted", "failed")
ACTIVE = ("queued", "running", "confirming", "cancelling")
STATES = (*ACTIVE, *OUTCOMES, "dead")
"""Dead: its process is gone without a word."""


@dataclass(frozen=True)
class SweepRecord:
    """The latest sweep of a study, as it stood when it was read."""

    nonce: str
    request: Mapping[str, Any]
    requested: float
    """Seconds since the epoch."""
    host: str
    """The host on which the sweep was asked for, and is run."""
    cancel: Mapping[str, Any] | None
    process: Mapping[str, Any] | None
    end: Mapping[str, Any] | None
    alive: bool
    """Whether its process is."""

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.end:
            return str(self.end["outcome"])
        if not self.alive:
            return "cancelled" if self.cancel else "dead" if self.process else "queued"
        assert self.process is not None
        if self.cancel:
            return "cancelling"
        return "confirming" if self.process["phase"] == "confirm" else "running"

    @property
    def active(self) -> bool:
        """Whether it is queued, or being worked at."""
        return self.state in ACTIVE

    @property
    def resumable(self) -> bool:
        """Whether it ended before it was done."""
        return not self.active and self.state != "finished"


def read_record(attributes: Mapping[str, Any], now: float | None = None) -> SweepRecord | None:
    """The latest sweep of the study with these attributes; None where the service has run none on it."""
    sweep = attributes.get(SWEEP)
    if not isinstance(sweep, Mapping) or not sweep.keys() >= {"nonce", "request", "requested", "host"}:
        return None
    cancel, process, end = (_of(sweep["nonce"], attributes.get(key)) for key in (CANCEL, PROCESS, END))
    now = time.time() if now is None else now
    return SweepRecord(
        nonce=sweep["nonce"],
        request=sweep["request"],
        requested=sweep["requested"],
        host=sweep["host"],
        cancel=cancel,
        process=process,
        end=end,
        alive=process is not None and _alive(process, attributes, now),
    )


def _of(nonce: str, entry: Any) -> Mapping[str, Any] | None:
    return entry if isinstance(entry, Mapping) and entry.get("nonce") == nonce else None


def _alive(process: Mapping[str, Any], attributes: Mapping[str, Any], now: float) -> bool:
    if process["host"] == socket.gethostname():
        return local_process(process) is not None
    # From another host one sees only what it writes, and before it trains that is nothing.
    return now - process["started"] < EXPIRE_SECONDS or bool(living(attributes, now))


def at_work(attributes: Mapping[str, Any], now: float) -> list[LeaseRecord]:
    """The leases of those that may be at a study: first whoever began to sweep it, then its workers."""
    return sorted(living(attributes, now).values(), key=is_of_launch)


def is_of_launch(claim: LeaseRecord) -> bool:
    """Whether a lease is that of a worker which another process, with a lease of its own, has launched."""
    return claim.get("launch") is not None


def end_of(
    record: SweepRecord, outcome: str, error: str | None = None, traceback: str | None = None
) -> dict[str, Any]:
    """What `END` holds of a sweep that ends now."""
    return {
        "nonce": record.nonce,
        "outcome": outcome,
        "error": error,
        "traceback": traceback,
        "time": time.time(),
    }


def this_process() -> dict[str, Any]:
    """The entries by which this process is known in records."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "create_time": psutil.Process(pid).create_time()}


def local_process(process: Mapping[str, Any]) -> psutil.Process | None:
    """The process of a record of this host; None when it is gone."""
    return running_process(process["pid"], process["create_time"])
