"""Slots for callable workloads: a process each, in which a function trains one trial after another.

A process is started afresh (not forked, which frameworks with threads do not survive) and kept for all the
trials of its slot, so that a framework is imported once (`slot_process` is what it does).
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import multiprocessing.connection
import pickle
import signal
from collections.abc import Callable, Mapping
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdr.search.backend.slot_process import Message, serve
from sgdr.search.backend.slots import DEATH, FINITE, Ended
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.workload import CallableWorkload

if TYPE_CHECKING:
    from jaxtyping import Float

STOP_SECONDS = 5.0
"""How long a process may take to end by itself before it is killed."""


class ProcessSlots:
    """K slots, each a process."""

    longest_call = 1

    def __init__(self, workload: CallableWorkload, slots: int, cores: int) -> None:
        """Starts nothing yet: a process starts with its first trial."""
        self.slots = slots
        self._workload = workload
        self._threads = max(1, cores // slots)
        self._processes: list[_Process | None] = [None] * slots
        self._left: list[int] = [0] * slots

    def fill(self, slot: int, schedule: Schedule, budget: int, seed: int, hparams: Mapping[str, Any]) -> None:
        """Sends the process of a slot a new trial. Raises ValueError for a schedule that cannot be sent."""
        try:
            packed = pickle.dumps(schedule)
        except Exception as error:
            raise ValueError(
                f"schedule={schedule} cannot be sent to a process: define it at the top level of a module "
                f"({type(error).__name__}: {error})"
            ) from error
        process = self._processes[slot]
        if process is None or not process.alive():
            process = self._processes[slot] = _Process(self._workload, self._threads)
        process.send(("train", (packed, budget, seed, dict(hparams))))
        self._left[slot] = budget

    def advance(self, epochs: int) -> _Reports:
        """Lets every trial train on for that many epochs."""
        waiting = {}
        for slot, process in enumerate(self._processes):
            if process is not None and self._left[slot] > 0:
                process.send(("grant", epochs))
                waiting[slot] = process
        return _Reports(waiting, self._workload.metric, epochs, self.slots, self._took)

    def _took(self, slot: int, epochs: int | None) -> None:
        """A trial has trained so many epochs; None: it has failed, or ended by itself."""
        self._left[slot] = 0 if epochs is None else self._left[slot] - epochs
        if epochs is None:
            self.end(slot)

    def end(self, slot: int) -> None:
        """Tells the trial to end, and waits until it has."""
        process = self._processes[slot]
        if process is not None and not process.stop_trial():
            process.kill()
            self._processes[slot] = None
        self._left[slot] = 0

    def close(self) -> None:
        """Ends all processes."""
        for process in self._processes:
            if process is not None:
                process.kill()
        self._processes = [None] * self.slots


class _Reports:
    """What the processes report until each has come to the end of its grant."""

    def __init__(
        self,
        waiting: dict[int, _Process],
        metric: str,
        epochs: int,
        slots: int,
        took: Callable[[int, int | None], None],
    ) -> None:
        self._waiting, self._metric, self._took = waiting, metric, took
        self._values = np.full((epochs, slots), np.nan)
        self._count = dict.fromkeys(waiting, 0)
        self._failed: dict[int, str | None] = {}
        self._ended: dict[int, Ended] = {}
        self._said: dict[int, dict[str, Any]] = {}

    def ready(self) -> bool:
        self._receive(timeout=0)
        return not self._waiting

    def read(self) -> dict[str, Float[np.ndarray, "epochs slots"]]:
        while self._waiting:
            self._receive(timeout=None)
        return {self._metric: self._values, FINITE: np.isfinite(self._values).astype(float)}

    def failed(self) -> dict[int, str | None]:
        return self._failed

    def ended(self) -> dict[int, Ended]:
        return self._ended

    def said(self) -> dict[int, dict[str, Any]]:
        return self._said

    def _receive(self, timeout: float | None) -> None:
        by_end: dict[Any, int] = {}
        for slot, process in self._waiting.items():
            by_end[process.connection] = slot
            by_end[process.sentinel] = slot
        for end in multiprocessing.connection.wait(list(by_end), timeout):
            slot = by_end[end]
            if slot in self._waiting:
                self._handle(slot, self._waiting[slot])

    def _handle(self, slot: int, process: _Process) -> None:
        message = process.receive()
        if message is None:
            self._said.setdefault(slot, {})[DEATH] = process.death()
            self._fail(slot, None)
        elif message[0] == "value":
            row = self._count[slot]
            self._values[row, slot] = message[1]
            self._count[slot] = row + 1
            if row + 1 == len(self._values):
                del self._waiting[slot]
                self._took(slot, row + 1)
        elif message[0] in ("ended", "pruned"):
            self._ended[slot] = Ended(self._count[slot], pruned=message[0] == "pruned")
            del self._waiting[slot]
            self._took(slot, None)
        elif message[0] == "said":
            self._said.setdefault(slot, {}).update(message[1])
        elif message[0] == "error":
            self._fail(slot, message[1])

    def _fail(self, slot: int, error: str | None) -> None:
        self._failed[slot] = error
        del self._waiting[slot]
        self._took(slot, None)


class _Process:
    """The worker's end of a slot's process."""

    def __init__(self, workload: CallableWorkload, threads: int) -> None:
        context = mp.get_context("spawn")
        self.connection, theirs = context.Pipe()
        # Nothing is ever sent through it: it closes when this process ends, however it ends.
        self._lifeline, lifeline = context.Pipe()
        self._trial = 0
        try:
            # Unpacked by `serve`, once nothing that a module prints when it is imported gets into stdout.
            packed = pickle.dumps(workload)
        except Exception as error:
            raise ValueError(
                f"workload {workload.name!r} cannot be sent to a process: define the function at the top "
                f"level of a module ({type(error).__name__}: {error})"
            ) from error
        self._process: SpawnProcess = context.Process(target=serve, args=(packed, theirs, lifeline, threads))
        self._process.start()
        theirs.close()
        lifeline.close()

    @property
    def sentinel(self) -> int:
        return self._process.sentinel

    def alive(self) -> bool:
        return self._process.is_alive()

    def send(self, message: Message) -> None:
        if message[0] == "train":
            self._trial += 1
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died, as `receive` will tell
            self.connection.send(message)

    def receive(self) -> Message | None:
        """The next message of its present trial; None when it has died and all it said is read."""
        try:
            trial, message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return None
        # What a function does after its last report belongs to a trial that is over.
        return message if trial == self._trial else ("late", None)

    def stop_trial(self) -> bool:
        """Ends the trial; False when the process is gone or does not answer."""
        self.send(("stop", None))
        while self.connection.poll(STOP_SECONDS):
            message = self.receive()
            if message is None:
                return False
            if message[0] == "idle":
                return True
        return False

    def death(self) -> str:
        """How it died, in words; empty where that is not known."""
        self._process.join(STOP_SECONDS)
        code = self._process.exitcode
        if code is None or code >= 0:
            return "" if code is None else f"with exit code {code}"
        names = {each.value: f" ({each.name})" for each in signal.Signals}
        guess = ": out of memory?" if -code == signal.SIGKILL else ""
        return f"by signal {-code}{names.get(-code, '')}{guess}"

    def kill(self) -> None:
        self.connection.close()
        self._lifeline.close()
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()
