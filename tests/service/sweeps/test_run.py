"""The process of a sweep: what it does before and around the sweep itself."""

import subprocess
import sys
import time

import pytest
from sgdr_service.sweeps.children import TRY_LATER
from sgdr_service.sweeps.host_lock import HostLock
from sgdr_service.sweeps.public_errors import LONGEST, public_words
from sgdr_service.sweeps.run import NO_CLUSTER, _terminated_at, _words

from sgdr.errors import ArgumentError
from sgdr.search.backend.interrupts import terminate_as_interrupt
from sgdr.search.sweeps.worker import TooManyFailures


def run(study, url, monkeypatch):
    monkeypatch.setenv("SGDR_STORAGE", url)
    command = [sys.executable, "-m", "sgdr_service.sweeps.run", "--", study]
    return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode


@pytest.mark.slow
def test_it_begins_only_what_is_queued_and_nobody_else_runs(running, monkeypatch):
    running.submit(study="-s")
    lock = HostLock("sweep", running.url, "-s")
    assert lock.acquire()
    assert run("-s", running.url, monkeypatch) == TRY_LATER
    lock.release()
    assert run("-s", running.url.replace("service.db", "no/service.db"), monkeypatch) == TRY_LATER
    assert running.sweeps.get("-s").state == "queued"
    running.sweeps.cancel("-s")
    assert run("-s", running.url, monkeypatch) == 0
    assert running.sweeps.get("-s").state == "cancelled"


@pytest.mark.parametrize("seconds", [0.05, -1.0])
def test_a_deadline_ends_it_as_a_signal_would(seconds):
    began = time.monotonic()
    with terminate_as_interrupt():
        with pytest.raises(KeyboardInterrupt), _terminated_at(began + seconds):
            time.sleep(30)
        with _terminated_at(time.monotonic() + 0.05):
            pass
        with _terminated_at(None):
            time.sleep(0.1)
    assert time.monotonic() - began < 20


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("give\n  another"), "give another"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 10_000), "x" * LONGEST),
        (OSError("/secret"), "OSError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (caused(ValueError("calling it failed: /secret"), OSError("/secret")), "OSError"),
        (caused(ValueError("in short"), ValueError("its own words")), "its own words"),
    ],
    ids=["value", "empty", "long", "other", "interrupt", "wrapped", "reworded"],
)
def test_only_errors_that_are_written_for_users_are_told(error, told):
    assert public_words(error) == told


def test_the_address_of_the_cluster_is_not_told():
    unreached = caused(
        ArgumentError("address", "10.0.0.1:6379", "leads to no Ray cluster"), OSError("10.0.0.1")
    )
    assert _words(unreached) == NO_CLUSTER
    assert _words(TooManyFailures("all have failed")) == "all have failed"
    assert _words(OSError("address=1")) == "OSError"
