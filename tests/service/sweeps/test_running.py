"""Sweeps with real processes: run, queued, cancelled, killed, found again and resumed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from sgdr_service.sweeps.refusals import Conflict, Full, NotOurs
from sgdr_service.sweeps.request import SweepRequest
from sgdr_service.sweeps.run import NO_CLUSTER


@pytest.mark.parametrize("where", ["running", pytest.param("running_on_postgres", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_sweep_runs_to_its_end_and_is_confirmed(request, where):
    running = request.getfixturevalue(where)
    name = f"größe 言葉 -- {where}"
    asked = running.submit("quick", study=name, trials=8, controls=0.5, confirm=True, objective="final")
    assert (asked.state, asked.id, asked.finished, asked.best, asked.pid) == ("queued", name, 0, None, None)
    running.dispatch()
    done = running.wait(name, "finished")
    study = running.study(name)
    assert (done.finished, done.trials, done.running, done.resumable, done.error) == (8, 8, 0, False, None)
    assert (done.best.number, done.best.value) == (study.best.number, study.best.value)
    assert done.outcomes == {"complete": 8} and sum(done.arms.values()) == 8
    assert done.requested <= done.started <= done.ended
    assert done.launched_by == "service" and done.request["confirm"] is True
    assert study.verdict is not None and study.attributes["objective"] == "final"
    with pytest.raises(Conflict, match="resume=true"):
        running.submit("quick", study=name, objective="final")
    running.submit("quick", study=name, trials=9, objective="final", resume=True)
    assert running.wait(name, "finished").finished == 9
    running.submit("quick", study=name, trials=None, cost=11.5, objective="final", resume=True)
    done = running.wait(name, "finished")
    assert (done.trials, done.cost, done.spent, done.share) == (None, 11.5, 11, 11 / 11.5)
    assert done.so_far == "11.0 of 11.5 full trainings"


@pytest.mark.slow
def test_sweeps_queue_in_the_order_in_which_they_came(running):
    running.sweeps = running.make_sweeps(max_queued=3)
    for study in ("b", "-a", "c"):
        assert running.submit(study=study, trials=2).state == "queued"
    with pytest.raises(Full, match="3 sweeps are queued"):
        running.submit(study="d")
    assert "d" not in {status.id for status in running.sweeps.all()}
    assert running.sweeps.cancel("c").state == "cancelled"
    running.dispatch()
    assert running.wait("b", "running").id == "b" and running.sweeps.get("-a").state == "queued"
    running.wait("-a", "finished")
    ended = {status.id: status for status in running.sweeps.all()}
    assert ended["b"].state == "finished" and ended["b"].ended <= ended["-a"].started
    assert ended["c"].started is None and ended["c"].resumable and ended["c"].ended is not None


@pytest.mark.slow
def test_a_cancelled_sweep_keeps_what_is_finished_and_is_resumed_to_its_number(running):
    dispatcher = running.dispatch()
    running.submit("slow", trials=9999)
    status = running.wait("slow", "running", finished=2)
    with pytest.raises(Conflict, match="has a sweep that is running"):
        running.submit("slow", trials=3, resume=True)
    assert running.sweeps.cancel("slow").state in ("cancelling", "cancelled")
    cancelled = running.wait("slow", "cancelled")
    assert running.sweeps.cancel("slow") == cancelled
    assert (
        2 <= status.finished <= cancelled.finished < 9999 and cancelled.resumable and cancelled.running == 0
    )
    before = running.study("slow").trials()
    running.submit("slow", trials=cancelled.finished + 3, resume=True)
    done = running.wait("slow", "finished")
    assert done.finished == cancelled.finished + 3
    after = running.study("slow").trials()
    complete = before[before.state == "COMPLETE"]
    assert after.loc[complete.index].equals(complete)
    dispatcher.stop()


@pytest.mark.slow
def test_a_confirmation_is_cancelled_too(running):
    running.dispatch()
    running.submit("slow", trials=2, budget=20, confirm=True)
    running.wait("slow", "confirming")
    running.sweeps.cancel("slow")
    cancelled = running.wait("slow", "cancelled")
    assert cancelled.finished == 2 and cancelled.resumable and running.study("slow").verdict is None


@pytest.mark.slow
def test_a_sweep_that_does_not_listen_is_killed(running):
    running.dispatch(grace=0.3)
    running.submit("stubborn", trials=9999, study="s")
    running.wait("s", "running", finished=1)
    (process,) = running.sweeping()
    children = process.children(recursive=True)
    running.sweeps.cancel("s")
    assert running.wait("s", "cancelled").resumable
    _, alive = psutil.wait_procs([process, *children], timeout=120)
    assert not alive


@pytest.mark.slow
def test_a_sweep_outlives_its_service_and_is_found_again(running):
    service = running.dispatch_apart()
    running.submit("slow", trials=9999)
    running.submit("quick", trials=2)
    begun = running.wait("slow", "running", finished=1)
    service.kill()
    service.wait()
    at = running.sweeps.get("slow").finished
    running.wait("slow", "running", finished=at + 2)
    running.dispatch()
    time.sleep(0.5)  # for many rounds
    assert running.sweeps.get("slow").pid == begun.pid
    assert [process.pid for process in running.sweeping()] == [begun.pid]
    assert running.sweeps.get("quick").state == "queued"
    running.sweeps.cancel("slow")
    running.wait("slow", "cancelled")
    assert running.wait("quick", "finished").finished == 2


@pytest.mark.slow
def test_a_sweep_that_is_killed_is_dead_and_can_be_resumed(running):
    running.dispatch()
    running.submit("slow", trials=9999)
    status = running.wait("slow", "running", finished=2)
    os.kill(status.pid, signal.SIGKILL)
    dead = running.wait("slow", "dead")
    assert dead.resumable and dead.finished >= 2 and (dead.running, dead.ended) == (0, None)
    assert running.sweeps.cancel("slow").state == "dead"
    running.submit("slow", trials=dead.finished + 2, resume=True)
    assert running.wait("slow", "finished").finished == dead.finished + 2


@pytest.mark.slow
def test_of_two_dispatchers_one_works_until_it_ends(running):
    first = running.dispatch()
    running.submit("slow", study="a", trials=9999)
    running.wait("a", "running")  # so that it is the first that has the lock
    second = running.dispatch(running.make_sweeps(max_running=3))
    running.submit("slow", study="b", trials=9999)
    running.wait("a", "running", finished=1)
    assert running.sweeps.get("b").state == "queued"
    assert (len(first.children), len(second.children)) == (1, 0)
    first.stop()
    running.wait("b", "running")
    assert (len(first.children), len(second.children)) == (1, 1)
    assert running.sweeps.get("a").state == "running"


@pytest.mark.slow
def test_a_sweep_ends_at_its_timeout_or_by_a_signal(running):
    running.dispatch(running.make_sweeps(max_running=2))
    running.sweeps = running.make_sweeps(max_seconds=1.0)
    running.submit("slow", study="timed", trials=9999)
    assert running.sweeps.get("timed").request["timeout"] == 1.0
    running.sweeps = running.make_sweeps()
    running.submit("slow", study="stopped", trials=9999)
    stopped = running.wait("stopped", "running", finished=1)
    os.kill(stopped.pid, signal.SIGTERM)
    assert running.wait("stopped", "interrupted").resumable
    timed = running.wait("timed", "timed out")
    assert timed.resumable and timed.finished < 9999 and timed.ended is not None


def test_a_sweep_that_fails_says_why_in_its_own_words(running):
    running.submit("flaky", study="s")
    Path("broken").touch()
    running.dispatch()
    failed = running.wait("s", "failed")
    assert failed.error == "the data is missing; put it there" and failed.resumable and failed.finished == 0


def test_a_process_that_does_not_come_to_begin_is_not_started_for_ever(running, monkeypatch):
    running.submit()
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    running.dispatch()
    failed = running.wait("quick", "failed")
    assert failed.error == "its process ended with exit code 1 before it began" and failed.pid is None


@pytest.mark.slow
def test_sweeps_of_the_command_line_are_shown_and_left_alone(running):
    running.dispatch()
    command = [sys.executable, "-m", "sgdr", "sweep", "-w", "sweep_workloads:slow", "--trials", "9999"]
    environment = {**os.environ, "SGDR_STORAGE": running.url}
    with subprocess.Popen(
        [*command, "--slots", "1"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not any(status.finished for status in running.sweeps.all()):
            assert process.poll() is None
            time.sleep(0.05)
        now = running.sweeps.get("slow")
        assert (now.launched_by, now.state, now.pid) == ("command line", "running", process.pid)
        assert (now.trials, now.request, now.requested) == (None, None, None)
        with pytest.raises(NotOurs, match=f"by process {process.pid} on .*stop it there"):
            running.sweeps.cancel("slow")
        with pytest.raises(Conflict, match=f"by process {process.pid}"):
            running.sweeps.submit(SweepRequest(workload="slow", resume=True))
        assert process.poll() is None
        process.kill()
    dead = running.sweeps.get("slow")
    assert (dead.state, dead.resumable) == ("dead", True) and running.sweeps.cancel("slow") == dead
    running.submit("slow", trials=dead.finished + 1, resume=True)
    done = running.wait("slow", "finished")
    assert (done.launched_by, done.finished) == ("service", dead.finished + 1)


@pytest.mark.slow
def test_a_cluster_that_is_not_there_fails_a_sweep_and_is_not_named(running):
    running.sweeps = running.make_sweeps(ray_address="127.0.0.1:9")
    running.submit(engine="ray", workers=2)
    running.dispatch()
    failed = running.wait("quick", "failed")
    assert failed.error == NO_CLUSTER and failed.resumable and failed.finished == 0
