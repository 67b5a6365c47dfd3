"""Who works on a study: one study attribute per worker, on every storage.

Optuna's own heartbeat is not sent for trials that are asked for and told, so a worker that died is known by
its lease: at once when its process is gone on this host, else when it has not been renewed for a while.
Workers that were launched together hold their leases under that of their launcher, and are taken to be dead
with it. A worker that was taken to be dead by mistake harms nobody: its trials were ended, and what is ended
cannot be written any more.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
from optuna.storages import BaseStorage

PREFIX = "worker:"
RENEW_SECONDS = 15.0
EXPIRE_SECONDS = 120.0
HUNG_SECONDS = 3600.0
"""A lease is not renewed any more when its worker has not come to its storage for so long: one epoch of a
model may take long, but a worker that hangs is to lose its trials at last."""

NEEDED = {"host", "pid", "started", "seen", "ended"}
"""The parts of a lease that it takes to know whether its worker is at work."""
LeaseRecord = dict[str, Any]
"""What a lease says: host, namespace, pid, started, seen, ended, launch, place, notes."""


class Lease:
    """This worker's claim on a study, renewed by a thread of its own while the worker lives."""

    def __init__(
        self,
        storage: BaseStorage,
        study_id: int,
        clock: Callable[[], float] = time.time,
        launch: str | None = None,
        place: int | None = None,
        retrying: Callable[[Callable[[bool], None]], None] = lambda action: action(False),
    ) -> None:
        """Takes the lease. `clock` gives seconds since the epoch; `retrying` writes, as `Retrying` does.

        `launch` is the launcher's lease, and `place` this worker's among its workers: None where the study is
        to be this worker's alone. Then it raises ValueError when another worker has it, which is looked for
        after this lease is written, so that of two that come together at least one sees the other.
        """
        self.worker = uuid.uuid4().hex[:12]
        self.notes: dict[str, Any] = {}
        """What is written with the lease from the next time on: how far the worker is."""
        self._storage, self._study_id, self._clock = storage, study_id, clock
        self._launch, self._place = launch, place
        self.ended = threading.Event()
        """Once it is set, the lease is renewed no more."""
        self._touched = time.monotonic()
        self._writing = threading.Lock()
        retrying(lambda maybe_applied: self._write(ended=False))
        if launch is None:
            try:
                retrying(lambda maybe_applied: self._refuse())
            except BaseException:
                with contextlib.suppress(Exception):  # the failure itself is already on its way to the user
                    self.end()
                raise
        threading.Thread(target=self._keep, name="lease", daemon=True).start()

    def _refuse(self) -> None:
        attributes = self._storage.get_study_user_attrs(self._study_id)
        name = self._storage.get_study_name_from_id(self._study_id)
        refuse_if_swept(name, attributes, self._seen, but=self.worker)

    def renew(self) -> None:
        """Says that the worker lives; writes only when the last time was a while ago."""
        self._touched = time.monotonic()
        if self._clock() - self._seen > RENEW_SECONDS:
            self._write(ended=False)

    def end(self) -> None:
        """Gives the study up."""
        self.ended.set()
        self._write(ended=True)

    def _keep(self) -> None:
        """Renews while an epoch takes long, which the worker waits for."""
        while not self.ended.wait(RENEW_SECONDS):
            if time.monotonic() - self._touched < HUNG_SECONDS:
                with contextlib.suppress(Exception):  # the worker itself meets what is wrong with the storage
                    if self._clock() - self._seen > RENEW_SECONDS:
                        self._write(ended=False)

    def _write(self, ended: bool) -> None:
        with self._writing:
            if self.ended.is_set() and not ended:
                return
            seen = self._clock()
            pid = os.getpid()
            claim = {
                "host": socket.gethostname(),
                "namespace": _namespace(),
                "pid": pid,
                "started": psutil.Process(pid).create_time(),
                "seen": seen,
                "ended": ended,
                "launch": self._launch,
                "place": self._place,
                "notes": self.notes,
            }
            self._storage.set_study_user_attr(self._study_id, PREFIX + self.worker, claim)
            self._seen = seen


class Watch:
    """Tells which workers of a study are dead, by this worker's own clock: those of hosts may differ."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[Any, float]] = {}
        """What each worker's lease said of when it was seen, and the time at which that was first read."""

    def reset(self) -> None:
        """Gives everybody a new term: while the storage was away, nobody could renew."""
        self._heard.clear()

    def dead(self, attributes: Mapping[str, Any], but: str) -> set[str]:
        """The workers that have not ended, and are not at work any more. `but` itself is never among them."""
        claims = leases(attributes)
        now = self._clock()
        for worker, claim in claims.items():
            if self._heard.get(worker, (None, 0.0))[0] != claim["seen"]:
                self._heard[worker] = claim["seen"], now

        def gone(worker: str, claim: LeaseRecord) -> bool:
            # One that hangs, or is stopped, has a process too.
            return now - self._heard[worker][1] >= EXPIRE_SECONDS or _process_lives(claim) is False

        left = {worker for worker, claim in claims.items() if worker != but and not claim["ended"]}
        return left - _at_work(claims, gone)


def leases(attributes: Mapping[str, Any]) -> dict[str, LeaseRecord]:
    """What all leases among a study's attributes say, by worker; what somebody else wrote there is none."""
    return {
        key.removeprefix(PREFIX): claim
        for key, claim in attributes.items()
        if key.startswith(PREFIX) and isinstance(claim, dict) and claim.keys() >= NEEDED
    }


def predecessors(attributes: Mapping[str, Any], launch: str, place: int, but: str) -> set[str]:
    """The workers that were in that place of a launch before: it is given again only when they are gone."""
    return {
        worker
        for worker, claim in leases(attributes).items()
        if worker != but
        and not claim["ended"]
        and (claim.get("launch"), claim.get("place")) == (launch, place)
    }


def end_lease(storage: BaseStorage, study_id: int, worker: str, claim: LeaseRecord) -> None:
    """Ends the lease of a worker that is dead."""
    storage.set_study_user_attr(study_id, PREFIX + worker, {**claim, "ended": True})


def refuse_if_swept(
    name: str, attributes: Mapping[str, Any], now: float | None = None, but: str | None = None
) -> None:
    """Raises ValueError when a worker, other than `but`, is at the study with these attributes."""
    working = living(attributes, time.time() if now is None else now)
    # The launcher of several workers is the one to stop.
    for worker, claim in sorted(working.items(), key=lambda item: item[1].get("launch") is not None):
        if worker != but:
            raise ValueError(
                f"study {name!r} is being swept by process {claim['pid']} on {claim['host']}; stop that first"
            )


def living(attributes: Mapping[str, Any], now: float) -> dict[str, LeaseRecord]:
    """The leases among a study's attributes whose worker may still be at work, by worker."""
    claims = leases(attributes)

    def gone(worker: str, claim: LeaseRecord) -> bool:
        alive = _process_lives(claim)
        return not alive if alive is not None else now - claim["seen"] >= EXPIRE_SECONDS

    working = _at_work(claims, gone)
    return {worker: claim for worker, claim in claims.items() if worker in working}


def _at_work(claims: Mapping[str, LeaseRecord], gone: Callable[[str, LeaseRecord], bool]) -> set[str]:
    """The workers that have not ended and are not `gone`, nor is their launcher."""
    there = {worker for worker, claim in claims.items() if not claim["ended"] and not gone(worker, claim)}
    return {worker for worker in there if claims[worker].get("launch") not in claims.keys() - there}


def _process_lives(claim: LeaseRecord) -> bool | None:
    """Whether the process of a lease lives; None where it cannot be seen from here."""
    if claim["host"] != socket.gethostname() or claim.get("namespace", _namespace()) != _namespace():
        return None
    return running_process(claim["pid"], claim["started"]) is not None


def running_process(pid: int, began: float) -> psutil.Process | None:
    """The process of this host that has that number and began at that time; None when it is gone."""
    try:
        # A number is used again by another process, so the time at which it began is compared too.
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - began) < 1
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _namespace() -> str:
    """The namespace of process numbers: two containers of one host name may give the same number out."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
