"""The state of a sweep from what its study says of it."""

import itertools
import os
import socket
import subprocess
import sys

import psutil
import pytest
from sgdr_service.sweeps.record import (
    CANCEL,
    END,
    OUTCOMES,
    PROCESS,
    STATES,
    SWEEP,
    SweepRecord,
    at_work,
    local_process,
    read_record,
    this_process,
)

from sgdr.search.storage.leases import EXPIRE_SECONDS, PREFIX

NOW = 1e9
ASKED = {"nonce": "n", "request": {"trials": 4}, "requested": NOW, "host": "h"}
GONE = {"nonce": "n", "host": socket.gethostname(), "pid": 2**22 - 1, "create_time": 1.0, "started": NOW}
MARK = {"nonce": "n", "time": NOW}


def ended(outcome):
    return {"nonce": "n", "outcome": outcome, "error": None, "traceback": None, "time": NOW}


@pytest.mark.parametrize(
    ("process", "alive", "phase", "cancel", "end", "state"),
    [
        (False, False, None, False, None, "queued"),
        (False, False, None, True, None, "cancelled"),
        (True, True, "sweep", False, None, "running"),
        (True, True, "confirm", False, None, "confirming"),
        (True, True, "sweep", True, None, "cancelling"),
        (True, True, "confirm", True, None, "cancelling"),
        (True, False, "sweep", False, None, "dead"),
        (True, False, "confirm", True, None, "cancelled"),
        *((True, True, "sweep", True, outcome, outcome) for outcome in OUTCOMES),
        *((True, False, "sweep", False, outcome, outcome) for outcome in OUTCOMES),
        (False, False, None, False, "failed", "failed"),
    ],
)
def test_the_state_follows_from_the_entries(process, alive, phase, cancel, end, state):
    record = SweepRecord(
        nonce="n",
        request={},
        requested=NOW,
        host="h",
        cancel=MARK if cancel else None,
        process={**GONE, "phase": phase} if process else None,
        end=ended(end) if end else None,
        alive=alive,
    )
    assert record.state == state and state in STATES
    assert record.active == (state in ("queued", "running", "confirming", "cancelling"))
    assert record.resumable == (not record.active and state != "finished")


@pytest.mark.parametrize("attributes", [{}, {SWEEP: "theirs"}, {SWEEP: {"seed": 3}}, {CANCEL: MARK}])
def test_studies_without_a_sweep_of_ours_have_no_record(attributes):
    assert read_record(attributes) is None


def test_entries_of_an_earlier_sweep_do_not_count():
    entries = {CANCEL: MARK, PROCESS: {**GONE, "phase": "sweep"}, END: ended("failed")}
    assert read_record({SWEEP: ASKED, **entries}, NOW).state == "failed"
    for count in range(4):
        for keys in itertools.combinations(entries, count):
            attributes = {SWEEP: {**ASKED, "nonce": "other"}, **{key: entries[key] for key in keys}}
            assert read_record(attributes, NOW).state == "queued"


def test_a_process_is_known_by_its_number_and_its_beginning():
    me = this_process()
    assert local_process(me).pid == os.getpid()
    assert local_process({**me, "create_time": me["create_time"] - 60}) is None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        other = {**me, "pid": process.pid, "create_time": psutil.Process(process.pid).create_time()}
        attributes = {SWEEP: ASKED, PROCESS: {**GONE, **other, "phase": "sweep"}}
        assert read_record(attributes, NOW).state == "running"
        process.kill()
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        assert read_record(attributes, NOW).state == "dead"
    assert local_process(other) is None


def test_another_hosts_process_lives_while_it_begins_or_renews_its_lease():
    process = {**GONE, "host": "elsewhere", "phase": "sweep"}
    attributes = {SWEEP: ASKED, PROCESS: process}
    assert read_record(attributes, NOW + EXPIRE_SECONDS - 1).state == "running"
    late = NOW + EXPIRE_SECONDS + 1
    assert read_record(attributes, late).state == "dead"
    lease = {"host": "elsewhere", "pid": 1, "started": 0.0, "seen": late - 1, "ended": False}
    assert read_record({**attributes, PREFIX + "a": lease}, late).state == "running"


def test_whoever_launched_the_workers_stands_for_them():
    here = {"host": "elsewhere", "started": 0.0, "seen": NOW, "ended": False}
    attributes = {
        PREFIX + "a": {**here, "pid": 2, "launch": "c", "place": 0, "notes": {}},
        PREFIX + "b": {**here, "pid": 3, "launch": "c", "place": 1, "notes": {}},
        PREFIX + "c": {**here, "pid": 1, "launch": None, "place": None, "notes": {}},
    }
    assert [claim["pid"] for claim in at_work(attributes, NOW)] == [1, 2, 3]
    attributes[PREFIX + "b"]["ended"] = True
    assert [claim["pid"] for claim in at_work(attributes, NOW)] == [1, 2]
    attributes[PREFIX + "c"]["ended"] = True
    assert at_work(attributes, NOW) == []
