"""Leases: who is taken to be at work on a study."""

import os
import socket
import subprocess
import sys

import psutil
import pytest
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection

from sgdr.search.lease import EXPIRE_SECONDS, PREFIX, RENEW_SECONDS, Lease, living


@pytest.fixture
def study():
    storage = InMemoryStorage()
    return storage, storage.create_new_study([StudyDirection.MINIMIZE], "s")


def claims(study):
    return {
        key: claim for key, claim in study[0].get_study_user_attrs(study[1]).items() if key.startswith(PREFIX)
    }


def test_a_lease_lives_until_it_is_ended(study):
    lease = Lease(*study)
    (claim,) = living(study[0].get_study_user_attrs(study[1]), now=0.0).values()
    assert claim["pid"] == os.getpid() and claim["host"] == socket.gethostname()
    with pytest.raises(ValueError, match=f"process {os.getpid()} on"):
        Lease(*study)
    assert set(living(study[0].get_study_user_attrs(study[1]), now=0.0)) == {lease.worker}
    lease.end()
    other = Lease(*study)
    assert lease.worker != other.worker
    assert set(living(study[0].get_study_user_attrs(study[1]), now=0.0)) == {other.worker}


def test_renewing_writes_only_now_and_then(study):
    now = 1000.0
    lease = Lease(*study, clock=lambda: now)
    written = claims(study)
    now += RENEW_SECONDS - 1
    lease.renew()
    assert claims(study) == written
    now += 2
    lease.renew()
    assert claims(study)[PREFIX + lease.worker]["seen"] == now


def test_a_process_that_is_gone_is_dead_at_once():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        claim = {
            "host": socket.gethostname(),
            "pid": process.pid,
            "started": psutil.Process(process.pid).create_time(),
            "seen": 0.0,
            "ended": False,
        }
        attributes = {PREFIX + "a": claim, "seed": 3}
        assert list(living(attributes, now=1e9)) == ["a"]
        process.kill()
        psutil.wait_procs([psutil.Process(process.pid)], timeout=30)
        assert living(attributes, now=0.0) == {}
    assert living(attributes, now=0.0) == {}


def test_a_number_that_another_process_has_now_is_not_it():
    mine = psutil.Process().create_time()
    claim = {"host": socket.gethostname(), "pid": os.getpid(), "seen": 0.0, "ended": False}
    assert living({PREFIX + "a": {**claim, "started": mine}}, 0.0)
    assert not living({PREFIX + "a": {**claim, "started": mine - 60}}, 0.0)


def test_another_hosts_worker_is_dead_when_it_has_not_been_heard_of_for_long():
    claim = {"host": "elsewhere", "pid": 1, "started": 0.0, "seen": 1000.0, "ended": False}
    assert living({PREFIX + "a": claim}, 1000.0 + EXPIRE_SECONDS - 1)
    assert not living({PREFIX + "a": claim}, 1000.0 + EXPIRE_SECONDS + 1)
    assert not living({PREFIX + "a": {**claim, "ended": True}}, 1000.0)
