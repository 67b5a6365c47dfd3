"""What the registered workloads declare, without loading any of them here."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.lookup import registered
from sgdr_service.sweeps.children import child_environment, python

RETRY_SECONDS = 10.0
"""Seconds for which a workload that could not be loaded is not tried again."""
LONGEST_LOG = 4000
"""Characters of what a workload said before it failed."""

log = logging.getLogger(__name__)


class WorkloadUnavailable(ValueError):
    """A registered workload cannot be loaded."""


class Declarations:
    """Asks each workload once, in a process of its own, and remembers the answer. Safe for threads."""

    def __init__(self, *, timeout: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        """`timeout`: seconds that a workload may take to load."""
        self._timeout, self._clock = timeout, clock
        self.known: dict[str, Declaration] = {}
        """What the workloads that were asked have declared, by name."""
        self._failed: dict[str, tuple[float, str]] = {}
        """Why, and until when that is taken for granted."""
        self._asking: dict[str, threading.Lock] = {}

    def get(self, name: str) -> Declaration:
        """The declaration of the workload registered as `name`.

        Raises ValueError when there is none, naming those that there are, and `WorkloadUnavailable` when it
        cannot be loaded: in its own words where it raised a ValueError; otherwise the log says more.
        """
        points = registered()
        if name not in points:
            known = ", ".join(points) or "none is installed"
            raise ValueError(f"workload={name!r} is not registered: use one of {known}")
        with self._asking.setdefault(name, threading.Lock()):
            if name not in self.known:
                until, why = self._failed.get(name, (0.0, ""))
                if why and self._clock() < until:
                    raise WorkloadUnavailable(why)
                self.known[name] = self._asked(name)
            return self.known[name]

    def _asked(self, name: str) -> Declaration:
        answer, said = self._answer(name)
        if "error" not in answer:
            return Declaration.from_dict(answer)
        why = f"workload {name!r} cannot be loaded: {answer['error']}"
        log.warning("%s\n%s", why, said)
        self._failed[name] = (self._clock() + RETRY_SECONDS, why)
        raise WorkloadUnavailable(why)

    def _answer(self, name: str) -> tuple[dict[str, Any], str]:
        """What the workload's process answers, and the end of what it says besides."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [*python("sgdr_service.sweeps.describe"), name],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=said,
                # Beside a sweep, it must not take the memory of a GPU.
                env=child_environment(XLA_PYTHON_CLIENT_PREALLOCATE="false"),
                start_new_session=True,
            )
            try:
                process.wait(self._timeout)
                missing = "its process ended without an answer"
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                missing = f"it took more than {self._timeout:g} s"
            for file in (out, said):
                file.seek(0)
            try:
                answer = json.loads(out.read())
            except ValueError:
                answer = {"error": missing}
            return answer, said.read().decode(errors="replace")[-LONGEST_LOG:]
