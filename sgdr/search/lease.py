"""Who works on a study: one study attribute per worker, on every storage.

Optuna's own heartbeat is not sent for trials that are asked for and told, so a worker that died is known by
its lease: at once when its process is gone on this host, else when it has not been renewed for a while.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

import psutil
from optuna.storages import BaseStorage

PREFIX = "worker:"
RENEW_SECONDS = 15.0
EXPIRE_SECONDS = 120.0


class Lease:
    """This worker's claim on a study, renewed while it lives."""

    def __init__(self, storage: BaseStorage, study_id: int, clock: Callable[[], float] = time.time) -> None:
        """Takes the lease. `clock` gives seconds since the epoch.

        Raises ValueError when another worker has one. It is looked for after this one is written, so that of
        two that come together at least one sees the other.
        """
        self.worker = uuid.uuid4().hex[:12]
        self._storage, self._study_id, self._clock = storage, study_id, clock
        self._write(ended=False)
        kept = storage.get_study_user_attrs(study_id)
        try:
            refuse_if_swept(storage.get_study_name_from_id(study_id), kept, self._seen, but=self.worker)
        except ValueError:
            self.end()
            raise

    def renew(self) -> None:
        """Says that the worker lives; writes only when the last time was a while ago."""
        if self._clock() - self._seen > RENEW_SECONDS:
            self._write(ended=False)

    def end(self) -> None:
        """Gives the study up."""
        self._write(ended=True)

    def _write(self, ended: bool) -> None:
        self._seen = self._clock()
        pid = os.getpid()
        claim = {
            "host": socket.gethostname(),
            "pid": pid,
            "started": psutil.Process(pid).create_time(),
            "seen": self._seen,
            "ended": ended,
        }
        self._storage.set_study_user_attr(self._study_id, PREFIX + self.worker, claim)


def refuse_if_swept(
    name: str, attributes: dict[str, Any], now: float | None = None, but: str | None = None
) -> None:
    """Raises ValueError when a worker, other than `but`, is at the study with these attributes."""
    for worker, claim in living(attributes, time.time() if now is None else now).items():
        if worker != but:
            raise ValueError(
                f"study {name!r} is being swept by process {claim['pid']} on {claim['host']}; stop that first"
            )


def living(attributes: dict[str, Any], now: float) -> dict[str, dict[str, Any]]:
    """The leases among a study's attributes whose worker may still be at work, by worker."""
    leases = {key.removeprefix(PREFIX): claim for key, claim in attributes.items() if key.startswith(PREFIX)}
    return {worker: claim for worker, claim in leases.items() if _alive(claim, now)}


def _alive(claim: dict[str, Any], now: float) -> bool:
    if claim["ended"]:
        return False
    if claim["host"] != socket.gethostname():
        return bool(now - claim["seen"] < EXPIRE_SECONDS)
    try:
        # A number is used again by another process, so the time at which it began is compared too.
        process = psutil.Process(claim["pid"])
        return abs(process.create_time() - claim["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
