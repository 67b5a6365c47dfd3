"""The dispatcher's thread, without processes: it outlives failures, and leaves other hosts alone."""

import logging
import sys
import time
from pathlib import Path

import pytest
from sgdr_service.sweeps.dispatcher import Dispatcher

from sgdr.search.storage.connect import StorageError
from sgdr.search.sweeps.ray.launcher import END_SECONDS


@pytest.fixture
def begun(monkeypatch):
    """What would have been started."""
    begun = []
    monkeypatch.setattr(Dispatcher, "_begin", lambda self, study, nonce: begun.append(study))
    return begun


def wait_for(holds):
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_outlives_a_storage_that_fails_and_says_so_once(running, begun, monkeypatch, caplog):
    running.submit(study="a")
    fails = [StorageError("locked")] * 5
    records = running.sweeps.records

    def failing():
        if fails:
            raise fails.pop()
        return records()

    monkeypatch.setattr(running.sweeps, "records", failing)
    running.dispatch().stop()
    running.dispatch()
    wait_for(lambda: begun)
    assert not fails and begun[0] == "a"
    said = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert 1 <= len(said) <= 2 and "not dispatched" in said[0].getMessage()


def test_it_looks_at_once_when_it_is_poked(running, begun):
    dispatcher = Dispatcher(running.sweeps, interval=600)
    running.dispatchers.append(dispatcher)
    dispatcher.start()
    wait_for(lambda: not running.sweeps.changed.is_set())
    running.submit(study="a")
    wait_for(lambda: begun == ["a"])
    running.sweeps.changed.set()
    wait_for(lambda: begun == ["a", "a"])


def test_it_starts_the_oldest_as_many_as_may_run_and_none_of_another_host(running, begun, monkeypatch):
    running.sweeps.max_running = 2
    with monkeypatch.context() as patch:
        patch.setattr("sgdr_service.sweeps.sweeps.socket.gethostname", lambda: "elsewhere")
        running.submit(study="theirs")
    for study in ("c", "b", "a"):
        running.submit(study=study)
    Dispatcher(running.sweeps)._round()
    assert begun == ["c", "b"]
    assert running.sweeps.get("theirs").state == "queued"


def test_ending_it_twice_or_unstarted_does_no_harm(running):
    dispatcher = Dispatcher(running.sweeps)
    dispatcher.stop()
    dispatcher.start()
    dispatcher.stop()
    dispatcher.stop()


@pytest.mark.parametrize(
    ("given", "address", "checkpoints"),
    [({}, "", ""), ({"ray_address": "ray:6379", "checkpoints": Path("/kept")}, "ray:6379", "/kept")],
)
def test_a_process_is_told_what_is_the_services_own_alone(running, monkeypatch, given, address, checkpoints):
    told = Path("told")
    script = Path("python").absolute()
    script.write_text(
        f"#!/bin/sh\nenv > {told.absolute()}.part\nmv {told.absolute()}.part {told.absolute()}\n"
    )
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    for name in ("SGDR_RAY_ADDRESS", "SGDR_CHECKPOINTS", "SGDR_TOKEN"):
        monkeypatch.setenv(name, "of the service's environment")
    running.sweeps = running.make_sweeps(**given)
    running.submit()
    running.dispatch()
    wait_for(told.exists)
    environment = dict(line.partition("=")[::2] for line in told.read_text().splitlines())
    assert environment["SGDR_STORAGE"] == running.url and "SGDR_TOKEN" not in environment
    assert (environment["SGDR_RAY_ADDRESS"], environment["SGDR_CHECKPOINTS"]) == (address, checkpoints)


def test_on_ray_a_cancelled_sweep_has_the_time_that_its_workers_have_and_more(running):
    running.submit(study="here")
    running.submit(study="on ray", engine="ray", workers=2)
    records = running.sweeps.records()
    dispatcher = Dispatcher(running.sweeps, grace=1.0)
    assert dispatcher._grace_of(records["here"]) == 1.0
    assert Dispatcher(running.sweeps)._grace_of(records["on ray"]) >= END_SECONDS + 30
