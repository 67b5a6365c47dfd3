"""Sweeps by several workers as real processes: what they share, and what is left when any of them dies."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from sgdr import search
from sgdr.search.storage.leases import leases
from tests.trial_tables import check_repeated, check_unchanged

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SECONDS = 300.0
"""How long a busy machine may take for what a test waits for: a cluster and its workers start in each."""

SLOW = Path(__file__).parents[3] / "slow.py"
MORE = '''
import os, sys

class Slower(Slow):
    """Half a second an epoch."""
    steps_per_epoch = 200000

slower = Slower()

class Quick(Slow):
    """No time at all an epoch."""
    steps_per_epoch = 100

quick = Quick()

class Deadly(Slow):
    """Takes its process with it, but where it is launched."""
    def init(self, key):
        if "sgdr.search.sweeps.ray.worker" in sys.modules:
            os.kill(os.getpid(), 9)
        return super().init(key)

deadly = Deadly()
'''
HASTY = """
from ray_workloads import Slower
from sgdr.search.storage import leases

leases.RENEW_SECONDS, leases.EXPIRE_SECONDS = 1.5, 15.0

class Hasty(Slower):
    pass

hasty = Hasty()
"""
"""Whoever imports the workload, and so the launcher and each worker, is taken to be dead after seconds."""
NOT_THERE = """
import sys
if "sgdr.search.sweeps.ray.worker" in sys.modules:
    raise ModuleNotFoundError("No module named 'only_here'")
from ray_workloads import Slow
class Elsewhere(Slow):
    pass
elsewhere = Elsewhere()
"""


SLOWER = "ray_workloads:slower"


class Sweep:
    """A sweep of one study as a process."""

    def __init__(self, folder: Path, storage: str | None = None) -> None:
        (folder / "ray_workloads.py").write_text(SLOW.read_text() + MORE)
        (folder / "hasty.py").write_text(HASTY)
        (folder / "not_there.py").write_text(NOT_THERE)
        self.folder = folder
        self.url = storage or f"sqlite:///{folder}/swept.db"
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None
        self._study: search.Study | None = None

    def begin(
        self, count: int, *options: str, workload: str = "ray_workloads:slow", by: str = "--trials"
    ) -> None:
        command = [sys.executable, "-m", "sgdr", "sweep", "--workload", workload, by, str(count)]
        command += ["--study", "swept", "--pruner", "none", "--sampler", "tpe", "--slots", "2"]
        command += ["--engine", "ray", *options]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, "SGDR_STORAGE": self.url, "RAY_USAGE_STATS_ENABLED": "0", **self.environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def end(self, code: int = 0) -> tuple[str, str]:
        """What the process prints until its end, which has that code."""
        assert self.process is not None
        out, err = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == code, (out, err)
        return out, err

    def study(self) -> search.Study:
        """The study as it stands; opened once, since every opening has connections of its own."""
        if self._study is None:
            self._study = search.load("swept", self.url)
        self._study.refresh()
        return self._study

    def trials(self) -> pd.DataFrame:
        return self.study().trials()

    def workers(self) -> list[dict[str, Any]]:
        """The leases of workers that have not ended."""
        claims = leases(self.study().attributes).values()
        return [claim for claim in claims if claim["launch"] is not None and not claim["ended"]]

    def wait_for(self, finished: int, *, workers: int = 2) -> None:
        """Until so many trials are finished, and that many workers are at it."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None and self.process.poll() is None, self.process.communicate()
            try:
                table = self.trials()
                running = (table.state == "RUNNING").sum()
                if (
                    (table.state == "COMPLETE").sum() >= finished
                    and running
                    and len(self.workers()) == workers
                ):
                    return
            except (ValueError, search.StorageError):  # not made yet, or the database is away
                pass
            time.sleep(0.1)
        raise AssertionError(f"no {finished} trials by {workers} workers in {SECONDS:g} s")

    def wait_until(self, holds: Callable[[pd.DataFrame], Any]) -> None:
        """Until that is so of the trials, while the process is at it."""
        deadline = time.monotonic() + SECONDS
        while not holds(self.trials()):
            assert self.process is not None and self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, self.trials()
            time.sleep(0.1)

    def check(self, count: int, *, launches: int = 1) -> pd.DataFrame:
        """Exactly the number asked for, nothing running, all that was cut off trained again as it was.

        What a launch had only claimed when it died, and not begun, is nothing to the next one.
        """
        table = self.trials()
        assert list(table.index) == list(range(len(table)))
        assert (table.state == "COMPLETE").sum() == count
        assert set(table.state) <= {"COMPLETE", "FAIL"}
        dead = table[table.state == "FAIL"]
        begun = dead[dead.arm.notna()]
        again = table[table.retry_of.notna()].set_index("retry_of")
        assert again.index.is_unique
        assert set(again.index) <= set(dead.index)
        assert set(again.index) >= set((dead if launches == 1 else begun).index)
        check_repeated(again, begun)
        first = table[table.retry_of.isna()]
        assert first.seed.dropna().is_unique
        assert not self.workers()
        return table


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    sweep_ = Sweep(tmp_path)
    yield sweep_
    _kill(sweep_.process)


def _kill(process: subprocess.Popen[str] | None) -> None:
    if process is not None and process.poll() is None:
        for child in (*psutil.Process(process.pid).children(recursive=True), process):
            child.kill()
        process.communicate()


def left_behind(folder: Path) -> list[psutil.Process]:
    """Workers of a sweep in that folder: Ray gives them its folder as their own."""
    processes = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if process.cwd() == str(folder):
                processes.append(process)
        except psutil.Error:
            continue
    return processes


def test_two_workers_share_a_study(sweep: Sweep) -> None:
    sweep.environment["HOME"] = str(sweep.folder)
    shapes = ("--shapes", "restarts,cosine,constant")
    sweep.begin(12, "--workers", "2", "--json", *shapes, workload="ray_workloads:quick")
    out, err = sweep.end()
    told = json.loads(out)
    table = sweep.check(12)
    assert told["reached"] and told["trials"] == {"COMPLETE": 12}
    assert told["devices"].startswith("2 workers") and told["compilations"] <= 2
    assert table.state.eq("COMPLETE").all() and table.epochs.eq(6).all()
    assert told["epochs"] == 72
    assert (table.arm == "constant").sum() == 2 and (table.arm == "cosine").sum() >= 2
    assert "Traceback" not in err
    assert not (sweep.folder / ".ray" / "auth_token").exists(), "every `ray start` would ask for it"
    deadline = time.monotonic() + 120
    while left_behind(sweep.folder) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left_behind(sweep.folder)


def test_the_same_seed_gives_the_same_trials_however_many_train_them(tmp_path: Path) -> None:
    tables = []
    for name, options in (("local", ["--engine", "local"]), ("ray", ["--workers", "2"])):
        folder = tmp_path / name
        folder.mkdir()
        sweep = Sweep(folder)
        try:
            sweep.begin(16, *options)
            sweep.end()
            tables.append(sweep.trials())
        finally:
            _kill(sweep.process)
    told = ["state", "arm", "value", "base_lr", "T_0", "T_mult", "eta_min", "seed", "epochs"]
    pd.testing.assert_frame_equal(tables[0][told], tables[1][told])


def test_functions_are_trained_by_processes_of_the_workers(sweep: Sweep) -> None:
    sweep.begin(10, "--workers", "2", workload="ray_workloads:function")
    sweep.end()
    sweep.check(10)


@pytest.mark.parametrize(
    ("options", "workload", "words"),
    [
        (["--gpus-per-worker", "1"], "ray_workloads:slow", " CPU and 0 GPU"),
        (["--address", "127.0.0.1:1"], "ray_workloads:slow", "127.0.0.1:1"),
        ([], "not_there:elsewhere", "only_here"),
    ],
)
def test_bad_input_is_one_clear_line(sweep: Sweep, options: list[str], workload: str, words: str) -> None:
    sweep.begin(4, *options, workload=workload)
    _, err = sweep.end(2)
    assert words in err and "Traceback" not in err
    assert len([line for line in err.splitlines() if line.startswith("sgdr: ")]) == 1


def test_a_workload_that_kills_its_workers_ends_the_sweep(sweep: Sweep) -> None:
    sweep.begin(4, workload="ray_workloads:deadly")
    _, err = sweep.end(1)
    assert "died" in err and "Traceback" not in err
    assert not sweep.workers()


def test_interrupt_ends_cleanly_and_resume_goes_on(sweep: Sweep) -> None:
    sweep.begin(1000, "--workers", "2", workload=SLOWER)
    sweep.wait_for(4)
    assert sweep.process is not None
    sweep.process.send_signal(signal.SIGINT)
    _, err = sweep.end(130)
    assert "--resume" in err.strip().splitlines()[-1] and "Traceback" not in err
    done = sweep.trials()
    assert not (done.state == "RUNNING").any() and not sweep.workers()
    complete = done[done.state == "COMPLETE"]
    sweep.begin(len(complete) + 4, "--workers", "2", "--resume", workload=SLOWER)
    sweep.end()
    table = sweep.check(len(complete) + 4)
    check_unchanged(table, complete)


def test_a_killed_worker_loses_no_trial_and_comes_back(sweep: Sweep) -> None:
    """The sweep goes to a cost; workers of one to a number of trials die with their node, below."""
    sweep.begin(16, "--workers", "2", workload=SLOWER, by="--cost")
    sweep.wait_for(2)
    time.sleep(0.5)  # whoever has just ended its trials has begun others
    complete = sweep.trials().query("state == 'COMPLETE'")
    os.kill(sweep.workers()[0]["pid"], signal.SIGKILL)
    sweep.end()
    table = sweep.check(16)
    check_unchanged(table, complete)
    assert (table.state == "FAIL").any() and sweep.study().spent == 16


def test_a_killed_driver_is_resumed_at_once(sweep: Sweep) -> None:
    sweep.begin(1000, "--workers", "2", workload=SLOWER)
    sweep.wait_for(4)
    assert sweep.process is not None
    complete = sweep.trials().query("state == 'COMPLETE'")
    sweep.process.kill()
    sweep.process.communicate()
    # Many more, so that all that was cut off is trained again: the workers go on for a moment by themselves.
    asked = len(complete) + 16
    sweep.begin(asked, "--workers", "2", "--resume", workload=SLOWER)
    sweep.end()
    table = sweep.check(max(asked, (sweep.trials().state == "COMPLETE").sum()), launches=2)
    check_unchanged(table, complete)


def test_a_worker_that_hangs_loses_its_trials_to_the_others(sweep: Sweep) -> None:
    sweep.begin(1000, "--workers", "2", workload="hasty:hasty")
    sweep.wait_for(2)
    hung = sweep.workers()[0]
    os.kill(hung["pid"], signal.SIGSTOP)
    try:
        sweep.wait_until(lambda table: table.retry_of.notna().any())
        assert sweep.process is not None
        sweep.process.send_signal(signal.SIGINT)
        sweep.end(130)
    finally:
        if psutil.pid_exists(hung["pid"]):
            os.kill(hung["pid"], signal.SIGKILL)
    assert set(sweep.trials().state) <= {"COMPLETE", "FAIL"}


def test_workers_wait_for_a_database_that_is_away_for_longer_than_they_are_waited_for(
    tmp_path: Path, postgres_server: Any
) -> None:
    sweep = Sweep(tmp_path, postgres_server.url)
    try:
        sweep.begin(16, "--workers", "2", workload="hasty:hasty")
        sweep.wait_for(2)
        postgres_server.stop(mode="immediate")
        time.sleep(20)
        postgres_server.start()
        _, err = sweep.end()
        assert "Traceback" not in err
        table = sweep.check(16)
        assert table.state.eq("COMPLETE").all()
    finally:
        _kill(sweep.process)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that trains nothing, on this machine; nodes come and go."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    utils = pytest.importorskip("ray.cluster_utils")
    started = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield started
    started.shutdown()


def test_nodes_of_a_cluster_come_and_go_and_sqlite_is_reached_by_the_proxy(
    sweep: Sweep, cluster: Any
) -> None:
    leave_token(sweep.folder)  # of another cluster, as `ray start` leaves it
    sweep.environment["HOME"] = str(sweep.folder)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    sweep.begin(16, "--workers", "2", "--address", cluster.address, workload=SLOWER)
    sweep.wait_for(2)
    complete = sweep.trials().query("state == 'COMPLETE'")
    cluster.remove_node(nodes[0], allow_graceful=False)
    nodes[0] = cluster.add_node(num_cpus=1)
    sweep.end()
    table = sweep.check(16)
    check_unchanged(table, complete)
    for node in nodes:
        cluster.remove_node(node)


def test_a_cluster_that_has_a_token_is_joined_by_its_address(sweep: Sweep) -> None:
    home = sweep.folder / "home"
    leave_token(home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--head", "--block", "--num-cpus", "1", "--include-dashboard", "false", "--port", str(port)]
    ray = str(Path(sys.executable).with_name("ray"))
    head = subprocess.Popen(
        [ray, "start", *options, "--node-ip-address", "127.0.0.1", "--temp-dir", f"/tmp/sgdr-test-{port}"],
        env={**os.environ, "HOME": str(home), "RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while not _answers(port):
            assert head.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        address = ("--address", f"127.0.0.1:{port}")
        sweep.environment["HOME"] = str(sweep.folder)  # without the token
        sweep.begin(2, *address)
        _, err = sweep.end(code=2)
        assert "RAY_AUTH_TOKEN" in err
        sweep.environment["HOME"] = str(home)
        sweep.begin(2, *address)
        sweep.end()
        sweep.check(2)
    finally:
        _kill(head)
        shutil.rmtree(f"/tmp/sgdr-test-{port}", ignore_errors=True)


def leave_token(home: Path) -> None:
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text("0123456789abcdef" * 4)


def _answers(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0
