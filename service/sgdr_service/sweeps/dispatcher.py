"""The thread that starts queued sweeps, each in a process of its own, and ends those that are cancelled.

It keeps nothing that is not in the studies: whoever takes over after the end of a service goes on from there.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from sgdr_service.sweeps.children import TRY_LATER, child_environment, python
from sgdr_service.sweeps.host_lock import HostLock
from sgdr_service.sweeps.record import END, SweepRecord, end_of, local_process
from sgdr_service.sweeps.sweeps import Sweeps

PAUSE = 20
LONGEST_PAUSE = 5.0
"""The pause after a look is `PAUSE` times as long as the look took, up to `LONGEST_PAUSE` seconds, unless the
interval is longer: a look at very many studies slows requests."""

RAY_SECONDS = 60.0
"""So many more may a sweep on Ray take to end: for its workers, also such as hang, and then for Ray."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Child:
    """A process that was started here."""

    nonce: str
    process: subprocess.Popen[bytes]


class Dispatcher:
    """Runs the sweeps that were asked for on this host. Of several processes, only one does so at a time."""

    def __init__(self, sweeps: Sweeps, *, interval: float = 1.0, grace: float = 20.0) -> None:
        """`interval`: seconds between two looks; `grace`: seconds in which a cancelled sweep is to end.

        On Ray it has `RAY_SECONDS` more.
        """
        self._sweeps, self._interval, self._grace = sweeps, interval, grace
        self._lock = HostLock("dispatch", sweeps.url)
        self.children: dict[str, _Child] = {}
        """The processes that were started here, by study."""
        self._asked: dict[str, float] = {}
        """The times at which sweeps were asked to end, by their nonces."""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._works = True

    def start(self) -> None:
        """Starts the thread."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._loop, name="dispatcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; sweeps that run go on, and are found again by the next dispatcher."""
        self._stopping.set()
        self._sweeps.changed.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _loop(self) -> None:
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                self._try()
                took = time.monotonic() - began
                self._sweeps.changed.wait(max(self._interval, min(PAUSE * took, LONGEST_PAUSE)))
                self._sweeps.changed.clear()
        finally:
            self._lock.release()

    def _try(self) -> None:
        """Looks once; a storage or a folder that fails now may be there later."""
        try:
            if self._lock.acquire():
                self._round()
            self._works = True
        except Exception:
            if self._works:
                log.exception("sweeps are not dispatched; it is tried again until they are")
            self._works = False

    def _round(self) -> None:
        # What a child wrote before it ended is in the records only if they are read afterwards.
        ended = {study for study, child in self.children.items() if child.process.poll() is not None}
        host = socket.gethostname()
        records = {study: record for study, record in self._sweeps.records().items() if record.host == host}
        for study in ended:
            if study in records:
                self._settle(study, records[study], self.children[study])
            del self.children[study]
        self._terminate(records)
        at_work = {study for study, record in records.items() if record.alive} | self.children.keys()
        queued = [
            study
            for study, record in records.items()
            if record.state == "queued" and study not in at_work and study not in ended
        ]
        queued.sort(key=lambda study: (records[study].requested, study))
        for study in queued[: max(0, self._sweeps.max_running - len(at_work))]:
            self._begin(study, records[study].nonce)

    def _begin(self, study: str, nonce: str) -> None:
        """Starts a sweep, which outlives this process: it shares neither its session nor its pipes."""
        process = subprocess.Popen(
            [*python("sgdr_service.sweeps.run"), "--", study.encode()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=child_environment(
                SGDR_STORAGE=self._sweeps.url,
                SGDR_RAY_ADDRESS=self._sweeps.ray_address or "",
                SGDR_CHECKPOINTS=str(self._sweeps.checkpoints or ""),
            ),
            start_new_session=True,
        )
        self.children[study] = _Child(nonce, process)
        log.info("sweep %r runs as process %d", study, process.pid)

    def _settle(self, study: str, record: SweepRecord, child: _Child) -> None:
        """Logs how a sweep ended whose process is gone, and writes it where that did not get so far."""
        if record.nonce != child.nonce:
            return
        code = child.process.returncode
        if record.state == "queued" and code not in (0, TRY_LATER):
            why = f"its process ended with exit code {code} before it began"
            with self._sweeps.storage() as storage:
                number = storage.get_study_id_from_name(study)
                storage.set_study_user_attr(number, END, end_of(record, "failed", why))
            log.error("sweep %r failed: %s", study, why)
        elif record.end:
            said = record.end["traceback"]
            log.info("sweep %r: %s%s", study, record.state, f"\n{said}" if said else "")
        else:
            log.log(
                logging.WARNING if record.state == "dead" else logging.INFO,
                "sweep %r: %s",
                study,
                record.state,
            )

    def _terminate(self, records: Mapping[str, SweepRecord]) -> None:
        """Asks cancelled sweeps to end, and ends those that do not."""
        cancelling = {record.nonce: record for record in records.values() if record.state == "cancelling"}
        self._asked = {nonce: at for nonce, at in self._asked.items() if nonce in cancelling}
        for nonce, record in cancelling.items():
            process = local_process(record.process) if record.process else None
            if process is None:
                continue
            with contextlib.suppress(psutil.NoSuchProcess):
                if nonce not in self._asked:
                    self._asked[nonce] = time.monotonic()
                    process.terminate()
                elif time.monotonic() - self._asked[nonce] > self._grace_of(record):
                    for descendant in (*process.children(recursive=True), process):
                        descendant.kill()

    def _grace_of(self, record: SweepRecord) -> float:
        return self._grace + (RAY_SECONDS if record.request.get("engine") == "ray" else 0.0)
