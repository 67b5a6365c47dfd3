"""What frameworks make of exported code, measured in the background: no request waits for it.

Frameworks run in processes of their own, one at a time, and politely: they are imported nowhere here.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections import OrderedDict

from sgdr.export.parity import Job, Report, drafted, measured
from sgdr.export.parity.measuring import Found
from sgdr_service.sweeps.children import NICENESS, child_environment

MOST_WAITING = 256
"""Schedules, each in one framework, that wait to be measured; what comes then must be asked for again."""
MOST_KEPT = 4096
AT_ONCE = 16
"""Schedules for which a framework is imported once."""
RETRY_SECONDS = 600.0
"""Seconds after which what failed is tried again, if it is asked for."""

log = logging.getLogger("service.parity")


class Parity:
    """Reports. Safe for threads; nothing is started before the first report."""

    def __init__(self, *, measures: bool) -> None:
        """`measures`: whether frameworks are run at all."""
        self._measures = measures
        self._changed = threading.Condition()
        self._waiting: OrderedDict[Job, None] = OrderedDict()
        self._found: OrderedDict[Job, tuple[float, Found]] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[str] | None = None
        self._closed = False

    def report(self, job: Job) -> Report:
        """The report as far as it is known now; what is not measured yet is queued, where it can be."""
        draft = drafted(job)
        if not self._measures or draft.versions is None:
            return draft
        with self._changed:
            when, found = self._found.get(job, (0.0, None))
            if found is not None and not (isinstance(found, str) and time.monotonic() > when + RETRY_SECONDS):
                return draft.with_found(found)
            waits = job in self._waiting or self._wait_for(job)
        return draft.with_status("being measured") if waits else draft

    def close(self) -> None:
        """Ends what runs."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            if self._process is not None:
                self._process.kill()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _wait_for(self, job: Job) -> bool:
        """Puts it last, and returns whether there was place."""
        if self._closed or len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting[job] = None
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="parity", daemon=True)
            self._thread.start()
        self._changed.notify()
        return True

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                target = next(iter(self._waiting)).target
                jobs = [job for job in self._waiting if job.target == target][:AT_ONCE]
            found = self._measure(jobs)
            with self._changed:
                for job, each in zip(jobs, found, strict=True):
                    self._waiting.pop(job, None)
                    self._found[job] = time.monotonic(), each
                while len(self._found) > MOST_KEPT:
                    self._found.popitem(last=False)

    def _measure(self, jobs: list[Job]) -> list[Found]:
        try:
            return measured(jobs, niceness=NICENESS, environment=child_environment(), on_start=self._started)
        except Exception as error:
            log.exception("the parity of exported code is not measured")
            return [str(error)] * len(jobs)

    def _started(self, process: subprocess.Popen[str]) -> None:
        with self._changed:
            self._process = process
            if self._closed:
                process.kill()
