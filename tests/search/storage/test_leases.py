"""Leases: who is taken to be at work on a study."""

import itertools
import os
import socket
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection

from sgdr.search.storage import leases as module
from sgdr.search.storage.leases import (
    EXPIRE_SECONDS,
    PREFIX,
    RENEW_SECONDS,
    Lease,
    Watch,
    living,
    predecessors,
)
from sgdr.search.storage.retry import Retrying
from tests.faults import CallFaults, away


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
        psutil.wait_procs([psutil.Process(process.pid)], timeout=120)
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


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lease_of(seen: float = 1.0, **changes: Any) -> dict[str, Any]:
    """A lease of a worker on another host."""
    claim = {"host": "elsewhere", "pid": 1, "started": 0.0, "seen": seen, "ended": False, **changes}
    return {"launch": None, "place": None, "notes": {}, **claim}


def attributes_of(**claims: dict[str, Any]) -> dict[str, Any]:
    return {"seed": 3, **{PREFIX + worker: claim for worker, claim in claims.items()}}


def test_a_watch_goes_by_its_own_clock():
    watch = Watch(clock := Clock())
    long_ago = attributes_of(a=lease_of(seen=-1e9), b=lease_of(seen=1e12))
    assert watch.dead(long_ago, but="") == set()
    clock.now += EXPIRE_SECONDS - 1
    assert watch.dead(long_ago, but="") == set()
    renewed = {**long_ago, PREFIX + "a": lease_of(seen=-1e9 + 1)}
    assert watch.dead(renewed, but="") == set()
    clock.now += 2
    assert watch.dead(renewed, but="") == {"b"} and watch.dead(renewed, but="b") == set()
    clock.now += EXPIRE_SECONDS
    assert watch.dead(renewed, but="") == {"a", "b"}
    assert watch.dead(attributes_of(a=lease_of(ended=True)), but="") == set()


def test_a_watch_that_forgives_begins_anew():
    watch = Watch(clock := Clock())
    there = attributes_of(a=lease_of())
    watch.dead(there, but="")
    clock.now += EXPIRE_SECONDS + 1
    watch.reset()
    assert watch.dead(there, but="") == set()
    clock.now += EXPIRE_SECONDS - 1
    assert watch.dead(there, but="") == set()
    clock.now += 2
    assert watch.dead(there, but="") == {"a"}


def test_on_the_same_host_a_dead_process_is_seen_at_once_and_a_hung_one_in_time():
    watch = Watch(clock := Clock())
    here = {"host": socket.gethostname(), "pid": os.getpid()}
    mine = psutil.Process().create_time()
    there = attributes_of(lives=lease_of(**here, started=mine), gone=lease_of(**here, started=mine - 60))
    assert watch.dead(there, but="") == {"gone"}
    clock.now += EXPIRE_SECONDS
    assert watch.dead(there, but="") == {"lives", "gone"}


def test_workers_are_dead_with_their_launcher():
    watch = Watch(clock := Clock())
    workers = {"a": lease_of(launch="l", place=0), "b": lease_of(launch="l", place=1, ended=True)}
    there = attributes_of(l=lease_of(), **workers)
    assert watch.dead(there, but="") == set() and living(there, 1.0).keys() == {"l", "a"}
    ended = attributes_of(l=lease_of(ended=True), **workers)
    assert watch.dead(ended, but="") == {"a"} and living(ended, 1.0) == {}
    clock.now += EXPIRE_SECONDS
    renewed = {**there, PREFIX + "a": lease_of(seen=2.0, launch="l")}
    assert watch.dead(renewed, but="a") == {"l"} and watch.dead(renewed, but="") == {"l", "a"}
    alone = attributes_of(a=lease_of(launch="of which nothing is known"))
    assert watch.dead(alone, but="") == set() and living(alone, 1.0).keys() == {"a"}


def test_a_place_is_left_by_those_who_had_it_before():
    there = attributes_of(
        a=lease_of(launch="l", place=0),
        b=lease_of(launch="l", place=0, ended=True),
        c=lease_of(launch="l", place=1),
        d=lease_of(launch="k", place=0),
        e=lease_of(launch="l", place=0),
    )
    assert predecessors(there, "l", 0, but="e") == {"a"}


def test_workers_of_one_launch_share_a_study_that_nobody_else_gets(study):
    launcher = Lease(*study)
    workers = [Lease(*study, launch=launcher.worker, place=place) for place in range(2)]
    assert {claim["place"] for claim in claims(study).values()} == {None, 0, 1}
    with pytest.raises(ValueError, match="is being swept"):
        Lease(*study)
    launcher.end()
    Lease(*study).end()  # the workers end with their launcher
    for worker in workers:
        worker.end()


def test_one_that_is_refused_leaves_no_lease(study):
    lease = Lease(*study)
    with pytest.raises(ValueError, match="is being swept"):
        Lease(*study)
    assert [claim["ended"] for claim in claims(study).values()] == [False, True]
    lease.end()


def test_a_lease_is_taken_once_the_storage_is_back():
    faults = CallFaults()
    number = faults.inner.create_new_study([StudyDirection.MINIMIZE], "s")
    for at, done in itertools.product((1, 2, 3), (False, True)):
        with faults.at(at, after=away) if done else faults.at(at, before=away):
            lease = Lease(faults.storage, number, retrying=Retrying(sleep=lambda seconds: None))
        assert set(living(faults.inner.get_study_user_attrs(number), 0.0)) == {lease.worker}
        lease.end()


def test_notes_are_written_with_the_next_renewal_and_the_end(study):
    lease = Lease(*study, clock=(clock := Clock()))
    lease.notes = {"epochs": 1}
    lease.renew()
    assert claims(study)[PREFIX + lease.worker]["notes"] == {}
    clock.now += RENEW_SECONDS + 1
    lease.renew()
    assert claims(study)[PREFIX + lease.worker]["notes"] == {"epochs": 1}
    lease.notes = {"epochs": 2}
    lease.end()
    assert claims(study)[PREFIX + lease.worker]["notes"] == {"epochs": 2}
    clock.now += RENEW_SECONDS + 1
    lease.renew()
    assert claims(study)[PREFIX + lease.worker]["ended"]


def test_a_worker_that_waits_for_an_epoch_is_alive_and_one_that_hangs_is_not(study, monkeypatch):
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.02)
    lease = Lease(*study)

    def renews(within: float = 120.0) -> bool:
        seen, give_up = claims(study)[PREFIX + lease.worker]["seen"], time.monotonic() + within
        while claims(study)[PREFIX + lease.worker]["seen"] == seen:
            if time.monotonic() > give_up:
                return False
            time.sleep(0.01)
        return True

    assert renews() and renews()
    monkeypatch.setattr(module, "HUNG_SECONDS", 0.0)
    time.sleep(0.1)
    assert not renews(within=1.0)
    monkeypatch.undo()
    lease.end()
