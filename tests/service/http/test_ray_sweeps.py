"""Sweeps on Ray: asked for over HTTP, cancelled while they run, gone on with to their number."""

import tempfile
import time

import psutil
import pytest
from sgdr_service.sweeps.record import ACTIVE

SECONDS = 120


@pytest.fixture
def client(registered_workloads, serve):
    """A client of a server on a storage of the test's own, whose sweeps run."""
    # Ray makes sockets in its folder, whose names must be short.
    with tempfile.TemporaryDirectory(prefix="sgdr-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        server = serve("--storage", f"sqlite:///{registered_workloads}/own.db", RAY_TMPDIR=folder)
        with server.client() as opened:
            yield opened


def wait(client, study, state, finished=0, workers=0):
    """Until the sweep is in that state, with so many finished trials and workers."""
    deadline = time.monotonic() + SECONDS
    while True:
        answer = client.get(f"/v1/sweeps/{study}").json()
        if answer["state"] == state and answer["finished"] >= finished and answer["workers"] >= workers:
            return answer
        assert answer["state"] in (*ACTIVE, state) and time.monotonic() < deadline, answer
        time.sleep(0.1)


@pytest.mark.slow
def test_a_sweep_on_ray_is_cancelled_and_gone_on_with_to_its_number(client):
    asked = {"workload": "slow", "trials": 900, "slots": 1, "pruner": "none", "engine": "ray", "workers": 2}
    assert client.post("/v1/sweeps", json=asked).status_code == 202
    begun = wait(client, "slow", "running", finished=2, workers=2)
    assert begun["request"].items() >= asked.items() and begun["launched_by"] == "service"
    processes = [psutil.Process(begun["pid"]), *psutil.Process(begun["pid"]).children(recursive=True)]
    assert client.delete("/v1/sweeps/slow").json()["state"] in ("cancelling", "cancelled")
    cancelled = wait(client, "slow", "cancelled")
    assert cancelled["resumable"] and cancelled["finished"] < 900
    assert (cancelled["error"], cancelled["running"], cancelled["workers"]) == (None, 0, 0)
    assert "running" not in cancelled["outcomes"]
    _, alive = psutil.wait_procs(processes, timeout=120)
    assert not alive
    again = {"workload": "slow", "trials": cancelled["finished"] + 4, "resume": True}
    assert client.post("/v1/sweeps", json=again).json()["request"]["workers"] == 2
    done = wait(client, "slow", "finished")
    assert done["finished"] == done["trials"] == cancelled["finished"] + 4
    assert done["outcomes"]["complete"] == done["finished"] and "running" not in done["outcomes"]
    trials = client.get("/v1/studies/slow/trials?limit=1000").json()["items"]
    assert done["finished"] == sum(trial["state"] == "COMPLETE" for trial in trials)
