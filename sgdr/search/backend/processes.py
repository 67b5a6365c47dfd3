"""Slots for callable workloads: a process each, in which a function trains one trial after another.

A process is started afresh (not forked, which frameworks with threads do not survive) and kept for all the
trials of its slot, so that a framework is imported once. It may run ahead as far as the worker has granted
epochs, and waits there for the worker's verdict.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import multiprocessing.connection
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna

from sgdr import checks
from sgdr.search.backend.slots import FINITE
from sgdr.search.problem.types import STEPS_PER_EPOCH, Schedule
from sgdr.search.problem.workload import CallableWorkload

if TYPE_CHECKING:
    from jaxtyping import Float

STOP_SECONDS = 5.0
"""How long a process may take to end by itself before it is killed."""

Message = tuple[str, Any]
"""The kind and the content of a message. To a process: train, grant, stop. From it, behind the serial number
of the trial: value, said, error, idle."""


class ProcessSlots:
    """K slots, each a process."""

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
        """A trial has trained so many epochs; None: it has failed."""
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
            self._fail(slot, None)
        elif message[0] == "value":
            row = self._count[slot]
            self._values[row, slot] = message[1]
            self._count[slot] = row + 1
            if row + 1 == len(self._values):
                del self._waiting[slot]
                self._took(slot, row + 1)
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
            # Unpacked by `_serve`, once nothing that a module prints when it is imported gets into stdout.
            packed = pickle.dumps(workload)
        except Exception as error:
            raise ValueError(
                f"workload {workload.name!r} cannot be sent to a process: define the function at the top "
                f"level of a module ({type(error).__name__}: {error})"
            ) from error
        self._process: SpawnProcess = context.Process(target=_serve, args=(packed, theirs, lifeline, threads))
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

    def kill(self) -> None:
        self.connection.close()
        self._lifeline.close()
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


class _Run:
    """The `Run` that a training function is given, in the slot's process."""

    def __init__(
        self,
        connection: Connection,
        serial: int,
        schedule: Schedule,
        budget: int,
        seed: int,
        hparams: Mapping[str, Any],
        steps_per_epoch: int | None,
    ) -> None:
        self.schedule, self.budget, self.seed, self.hparams = schedule, budget, seed, hparams
        self._connection, self._serial = connection, serial
        self._steps_per_epoch = steps_per_epoch
        self._granted = 0
        self.reported = 0

    @property
    def steps_per_epoch(self) -> int | None:
        """See `sgdr.search.problem.workload.Run.steps_per_epoch`."""
        return self._steps_per_epoch

    @steps_per_epoch.setter
    def steps_per_epoch(self, steps: int) -> None:
        steps = checks.whole_count("run.steps_per_epoch", steps)
        if self.reported:
            raise ValueError(
                f"run.steps_per_epoch={steps} was set after {self.reported} reported epochs; set it before "
                "the first report"
            )
        self._steps_per_epoch = steps
        self.say("said", {STEPS_PER_EPOCH: steps})

    def report(self, epoch: int, value: float) -> None:
        """See `sgdr.search.problem.workload.Run.report`."""
        epoch = checks.plain(epoch)
        if epoch != self.reported + 1:
            raise ValueError(
                f"report(epoch={epoch!r}) after epoch {self.reported}: report once after every epoch, from 1"
            )
        if epoch > self.budget:
            raise ValueError(
                f"report(epoch={epoch!r}) is past the budget of {self.budget} epochs; return there"
            )
        if self._granted < epoch:
            self._wait()
        self.say("value", float(value))
        self.reported = epoch
        if self._granted == epoch < self.budget:
            self._wait()

    def say(self, kind: str, content: Any) -> None:
        """Sends the worker a message about this trial."""
        self._connection.send((self._serial, (kind, content)))

    def _wait(self) -> None:
        """Waits for the verdict: epochs to go on with, or the end."""
        kind, epochs = self._connection.recv()
        if kind == "stop":
            raise _Stopped
        self._granted = self.reported + epochs


class _Stopped(optuna.TrialPruned):
    """The worker has ended the trial."""


def _serve(packed: bytes, connection: Connection, lifeline: Connection, threads: int) -> None:
    """The process of a slot: trains what it is sent, one trial after another."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    os.dup2(2, 1)  # stdout holds the sweep's results alone
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, str(threads))
    try:
        workload = pickle.loads(packed)
    except Exception as error:
        workload = _Failing(_told(error))
    serial = 0
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # until the worker has ended
        while True:
            kind, content = connection.recv()
            if kind == "train":
                serial += 1
                packed, budget, seed, hparams = content
                steps = getattr(workload, "steps_per_epoch", None)
                run = _Run(connection, serial, None, budget, seed, hparams, steps)
                try:
                    run.schedule = pickle.loads(packed)
                except Exception as error:
                    run.say("error", f"its schedule cannot be had in a process of its own: {_told(error)}")
                else:
                    _train(workload, run)
            elif kind == "stop":
                connection.send((serial, ("idle", None)))


class _Failing:
    """A stand-in for a workload that could not be had: it says so for every trial."""

    def __init__(self, why: str) -> None:
        self._why = why

    def __call__(self, run: _Run) -> None:
        raise RuntimeError(f"the workload cannot be imported in a process of its own: {self._why}")


def _train(workload: Callable[[_Run], None], run: _Run) -> None:
    try:
        workload(run)
    except _Stopped:
        run.say("idle", None)
        return
    except optuna.TrialPruned:
        error = "it raised TrialPruned by itself; let report() decide"
    except Exception as raised:
        error = _told(raised)
    else:
        if run.reported == run.budget:
            return
        error = f"it returned after {run.reported} of {run.budget} reported epochs; report after every epoch"
    run.say("error", error)


def _told(error: Exception) -> str:
    """What it says in one line, and below where it came from."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{line}\n" + "".join(traceback.format_tb(error.__traceback__, limit=-5))


def _die_with_parent(lifeline: Connection) -> None:
    try:
        lifeline.recv()
    except (EOFError, OSError):
        os._exit(1)
