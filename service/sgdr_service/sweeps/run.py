"""`python -m sgdr_service.sweeps.run -- STUDY`: runs the sweep queued on a study, and writes how it ended.

The storage is that of `$SGDR_STORAGE`: its URL may hold a password, which others could read in an argument.
Ray's address is that of `$SGDR_RAY_ADDRESS`, the folder for checkpoints `$SGDR_CHECKPOINTS`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import optuna

from sgdr.choices import State
from sgdr.errors import ArgumentError
from sgdr.search.backend.interrupts import handled_by, terminate_as_interrupt, uninterrupted
from sgdr.search.storage.connect import StorageError, default_url, open_storage, storage_errors
from sgdr.search.sweeps.worker import TooManyFailures
from sgdr_service.sweeps.children import NICENESS, TRY_LATER
from sgdr_service.sweeps.host_lock import HostLock
from sgdr_service.sweeps.public_errors import public_words
from sgdr_service.sweeps.record import END, PROCESS, SweepRecord, end_of, read_record, this_process
from sgdr_service.sweeps.request import SweepRequest

LONGEST_TRACEBACK = 4000
"""Characters, of its end."""
NO_CLUSTER = "the Ray cluster of this service cannot be reached"


def main() -> int:
    """Returns the exit code: 0 when there is nothing left to do, `TRY_LATER` when it could not begin."""
    os.nice(NICENESS)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url, study = default_url(), os.fsencode(sys.argv[-1]).decode()
    lock = HostLock("sweep", url, study)
    with terminate_as_interrupt():
        if not lock.acquire():
            return TRY_LATER
        try:
            with storage_errors(url):
                return _run(url, study)
        except StorageError:
            return TRY_LATER
        finally:
            lock.release()


def _run(url: str, study: str) -> int:
    try:
        storage = open_storage(url, create=True)
    except ValueError:
        return TRY_LATER
    number = storage.get_study_id_from_name(study)
    record = read_record(storage.get_study_user_attrs(number))
    if record is None or record.state != "queued":  # it was cancelled a moment ago
        return 0
    began = {"nonce": record.nonce, **this_process(), "started": time.time()}

    def enter(phase: str) -> None:
        storage.set_study_user_attr(number, PROCESS, {**began, "phase": phase})

    outcome, error, told = "interrupted", None, None
    enter("sweep")
    try:
        outcome = _sweep(url, study, SweepRequest.model_validate(record.request), enter)
    except KeyboardInterrupt:
        pass
    except BaseException as failure:  # sys.exit() in a workload too
        outcome, told = "failed", traceback.format_exc()[-LONGEST_TRACEBACK:]
        error = _words(failure)
    with uninterrupted():
        if outcome == "interrupted" and _is_cancelled(
            read_record(storage.get_study_user_attrs(number)), record
        ):
            outcome = "cancelled"
        storage.set_study_user_attr(number, END, end_of(record, outcome, error, told))
    return 0


def _words(failure: BaseException) -> str:
    """Why it failed, for clients: to whom the address of the service's cluster is not told."""
    if isinstance(failure, TooManyFailures):
        return str(failure)
    if isinstance(failure, ArgumentError) and failure.name == "address":
        return NO_CLUSTER
    return public_words(failure)


def _is_cancelled(now: SweepRecord | None, begun: SweepRecord) -> bool:
    return now is not None and now.nonce == begun.nonce and now.cancel is not None


def _sweep(url: str, study: str, request: SweepRequest, enter: Callable[[str], None]) -> str:
    """Does what is asked, and returns the outcome. Raises KeyboardInterrupt on SIGTERM."""
    from sgdr.search.backend.devices import use_all_cores
    from sgdr.search.evaluation.confirm import confirm
    from sgdr.search.problem.lookup import find
    from sgdr.search.sweeps.launch import sweep

    deadline = None if request.timeout is None else time.monotonic() + request.timeout
    use_all_cores()  # before the workload puts anything on a device
    # Workers on Ray find it by its name, each on its own host.
    workload = request.workload if request.engine == "ray" else find(request.workload)
    checkpoints = os.environ.get("SGDR_CHECKPOINTS") or None
    # The study was made when the sweep was asked for: hence it is resumed.
    config = request.config(storage=url, study=study, resume=True, checkpoints=checkpoints)
    result = sweep(workload, **config.options())
    if not result.reached:
        return "timed out"
    if not request.confirm or not result.study.counts.get(State.COMPLETE):
        return "finished"
    enter("confirm")
    try:
        with _terminated_at(deadline):
            confirm(study, storage=url, workload=workload, slots=request.slots)
    except KeyboardInterrupt:
        if deadline is None or time.monotonic() < deadline:
            raise
        return "timed out"
    return "finished"


@contextmanager
def _terminated_at(deadline: float | None) -> Iterator[None]:
    """Ends the block as SIGTERM would, at that time of `time.monotonic`."""
    if deadline is None:
        yield
        return
    with handled_by(lambda number, frame: signal.raise_signal(signal.SIGTERM), signal.SIGALRM):
        signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 1e-3))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    sys.exit(main())
