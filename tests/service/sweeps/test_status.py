"""How a sweep stands by the leases of its study, where the service has not begun it."""

import os
import socket

import pytest
from sgdr_service.sweeps.refusals import Conflict, NotOurs
from sgdr_service.sweeps.status import status

from sgdr.search.storage.leases import PREFIX, Lease, leases
from sgdr.search.sweeps.create_study import create_study


@pytest.fixture
def begun(running):
    """A study that the command line sweeps on Ray: its launcher's lease, that of this process, first."""
    settings = running.sweeps.check(running.asked("quick", study="s")).settings
    with running.sweeps.storage() as storage:
        create_study(storage, "s", settings, resume=False)
        number = storage.get_study_id_from_name("s")
        launcher = Lease(storage, number)
        yield storage, number, launcher
        launcher.end()


def rewrite(storage, number, worker, **changes):
    """The lease of that worker, as of another process."""
    claim = leases(storage.get_study_user_attrs(number))[worker]
    storage.set_study_user_attr(number, PREFIX + worker, {**claim, **changes})


def test_a_launcher_and_its_workers_are_one_sweep(running, begun):
    storage, number, launcher = begun
    assert status(running.study("s")).workers == 1
    workers = [Lease(storage, number, launch=launcher.worker, place=place) for place in range(2)]
    for place, worker in enumerate(workers):
        rewrite(storage, number, worker.worker, host="a-node", pid=1000 + place)
    now = running.sweeps.get("s")
    assert (now.launched_by, now.state, now.workers) == ("command line", "running", 2)
    assert (now.pid, now.host) == (os.getpid(), socket.gethostname())
    with pytest.raises(NotOurs, match=f"by process {os.getpid()} on "):
        running.sweeps.cancel("s")
    with pytest.raises(Conflict, match="is being swept"):
        running.submit(study="s", resume=True)
    for worker in workers:
        worker.end()
    assert running.sweeps.get("s").state == "running"
    launcher.end()
    now = running.sweeps.get("s")
    assert (now.state, now.workers, now.resumable) == ("finished", 0, False)


def test_a_sweep_whose_launcher_died_is_dead_also_where_its_workers_ended_in_order(running, begun):
    storage, number, launcher = begun
    worker = Lease(storage, number, launch=launcher.worker, place=0)
    rewrite(storage, number, launcher.worker, pid=2**22 - 1, started=1.0)
    now = running.sweeps.get("s")
    assert (now.state, now.workers, now.resumable) == ("dead", 0, True)
    worker.end()
    assert running.sweeps.get("s").state == "dead"
