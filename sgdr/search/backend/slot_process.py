"""The process of a slot, in which a function trains one trial after another.

It may run ahead as far as the worker has granted epochs, and waits there for the worker's verdict.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import optuna

from sgdr import checks
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.user_code import own_frame

Message = tuple[str, Any]
"""The kind and the content of a message. To a process: train, grant, stop. From it, behind the serial number
of the trial: value, said, ended, pruned, error, idle."""


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
        self._over: Exception | None = None
        """What is raised at every report once the trial is over, should the function catch it and go on."""
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
        self.say("said", {"steps_per_epoch": steps})  # kept with the trial as an attribute of that name

    def report(self, epoch: int, value: float) -> None:
        """See `sgdr.search.problem.workload.Run.report`."""
        if self._over is not None:
            raise self._over
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

    def stop(self) -> None:
        """See `sgdr.search.problem.workload.Run.stop`."""
        self._over = self._over or _Done()
        raise self._over

    def say(self, kind: str, content: Any) -> None:
        """Sends the worker a message about this trial."""
        self._connection.send((self._serial, (kind, content)))

    def _wait(self) -> None:
        """Waits for the verdict: epochs to go on with, or the end."""
        kind, epochs = self._connection.recv()
        if kind == "stop":
            self._over = _Stopped()
            raise self._over
        self._granted = self.reported + epochs


class _Stopped(optuna.TrialPruned):
    """The worker has ended the trial."""


class _Done(optuna.TrialPruned):
    """The function has ended the trial, which is complete: it passes where a pruned trial's end would."""


def serve(packed: bytes, connection: Connection, lifeline: Connection, threads: int) -> None:
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
        with contextlib.suppress(_Done):
            workload(run)
    except _Stopped:
        run.say("idle", None)
        return
    except optuna.TrialPruned:
        run.say("pruned", None)
    except (Exception, SystemExit) as raised:
        run.say("error", _told(raised))
    else:
        if not run.reported:
            run.say("error", "it returned without a report; call run.report(epoch, value) after every epoch")
        elif run.reported < run.budget:
            run.say("ended", None)


def _told(error: BaseException) -> str:
    """What it says and in which of the user's lines, in one line, and below how it came there."""
    frame = own_frame(error)
    where = f" ({Path(frame.filename).name}, line {frame.lineno})" if frame else ""
    line = " ".join(f"{type(error).__name__}: {error}{where}".split())
    return f"{line}\n" + "".join(traceback.format_tb(error.__traceback__, limit=-5))


def _die_with_parent(lifeline: Connection) -> None:
    try:
        lifeline.recv()
    except (EOFError, OSError):
        os._exit(1)
