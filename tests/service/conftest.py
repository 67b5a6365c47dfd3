"""Sweeps as the service runs them: workloads that are registered, and a dispatcher with real processes."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from optuna.distributions import FloatDistribution
from sgdr_service.sweeps.declarations import Declarations
from sgdr_service.sweeps.dispatcher import Dispatcher
from sgdr_service.sweeps.record import ACTIVE, local_process, read_record
from sgdr_service.sweeps.request import SweepRequest
from sgdr_service.sweeps.status import SweepStatus
from sgdr_service.sweeps.sweeps import Sweeps

from sgdr.search.problem.declaration import Declaration
from sgdr.search.study.study import Study

WORKLOADS = """
import os, signal, sys, time
from pathlib import Path
from sgdr import search

def train(run, seconds):
    for epoch in range(1, run.budget + 1):
        time.sleep(seconds)
        run.report(epoch, 1 / epoch + run.schedule(epoch - 1) + run.seed % 7 / 1000)

@search.workload(metric="error", direction="minimize", budget=3, hparams={"decay": (0.0, 1.0)})
def quick(run):
    train(run, 0.0)

@search.workload(metric="error", direction="minimize", budget=4)
def slow(run):
    train(run, 0.05)

def stubborn():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    return slow

def flaky():
    if Path("broken").exists():
        raise ValueError("the data is missing;\\nput it there")
    print("read")
    os.write(1, b"from below\\n")
    return quick

def leaking():
    raise OSError("/secret/path")

def leaving():
    sys.exit("/secret/path")

def crashing():
    os._exit(3)

def endless():
    time.sleep(600)
"""
LIMITS = {
    "max_running": 1,
    "max_queued": 9,
    "max_trials": 9999,
    "max_budget": 99,
    "max_seconds": None,
    "max_workers": 2,
}
NAMES = ("quick", "slow", "stubborn", "flaky", "leaking", "leaving", "crashing", "endless")
SERVICE = """
import sys, time
from sgdr_service.sweeps.declarations import Declarations
from sgdr_service.sweeps.declarations import Declarations
from sgdr_service.sweeps.dispatcher import Dispatcher
from sgdr_service.sweeps.sweeps import Sweeps
limits = dict(max_running=1, max_queued=9, max_trials=999, max_budget=99, max_seconds=None, max_workers=2)
Dispatcher(Sweeps(sys.argv[1], Declarations(), **limits), interval=0.05).start()
time.sleep(600)
"""


@pytest.fixture
def registered_workloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, in which processes run and find the workloads above, and tiny's."""
    tiny = (Path(__file__).parent.parent / "tiny.py").read_text()
    (tmp_path / "tiny_workload.py").write_text(tiny)
    (tmp_path / "sweep_workloads.py").write_text(WORKLOADS)
    metadata = tmp_path / "tiny_workload-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-workload\nVersion: 1.0\n")
    points = "".join(f"{name} = sweep_workloads:{name}\n" for name in NAMES)
    points += "tiny = tiny_workload:workload\nunfit = tiny_workload:Fails\nabsent = no_such_module:workload\n"
    (metadata / "entry_points.txt").write_text(f"[sgdr.workloads]\n{points}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.chdir(tmp_path)
    # Locks are files in the folder of temporary ones.
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    return tmp_path


class Told(Declarations):
    """Declarations that are known, in place of those that workloads are asked for."""

    def __init__(self, **known: Declaration) -> None:
        super().__init__()
        self.told = known

    def get(self, name: str) -> Declaration:
        if name not in self.told:
            raise ValueError(f"workload={name!r} is not registered: use one of {', '.join(self.told)}")
        return self.told[name]


class Running:
    """Sweeps on one storage, and what runs them; all of it ends with the test."""

    def __init__(self, url: str) -> None:
        self.url = url
        decay = {"decay": FloatDistribution(0.0, 1.0)}
        quick = Declaration("quick", "error", "minimize", 3, "callable", None, None, None, decay, None)
        slow = Declaration("slow", "error", "minimize", 4, "callable", None, None, None, {}, None)
        self.declarations = Told(quick=quick, slow=slow, stubborn=slow, flaky=quick)
        self.sweeps = self.make_sweeps()
        with self.sweeps.storage():
            pass  # it is there before several threads look for it
        self.dispatchers: list[Dispatcher] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def make_sweeps(self, **limits: Any) -> Sweeps:
        """Another service on the same storage."""
        return Sweeps(self.url, self.declarations, **{**LIMITS, **limits})

    def dispatch(self, sweeps: Sweeps | None = None, grace: float = 20.0) -> Dispatcher:
        """A dispatcher in this process."""
        dispatcher = Dispatcher(sweeps or self.sweeps, interval=0.05, grace=grace)
        self.dispatchers.append(dispatcher)
        dispatcher.start()
        return dispatcher

    def dispatch_apart(self) -> "subprocess.Popen[bytes]":
        """A dispatcher in a process of its own, which can be killed."""
        process = subprocess.Popen([sys.executable, "-c", SERVICE, self.url])
        self.processes.append(process)
        return process

    def asked(self, workload: str = "quick", **arguments: object) -> SweepRequest:
        request = {"workload": workload, "trials": 4, "slots": 1, "pruner": "none", **arguments}
        return SweepRequest.model_validate(request)

    def submit(self, workload: str = "quick", **arguments: object) -> SweepStatus:
        return self.sweeps.submit(self.asked(workload, **arguments))

    def wait(self, study: str, *states: str, finished: int = 0) -> SweepStatus:
        """Until the sweep is in one of these states with so many finished trials."""
        deadline = time.monotonic() + 120
        while True:
            status = self.sweeps.get(study)
            if status.state in states and status.finished >= finished:
                return status
            ended = status.state not in (*ACTIVE, *states)
            assert not ended and time.monotonic() < deadline, f"{study} is not {states}: {status}"
            time.sleep(0.03)

    def study(self, name: str) -> Study:
        """As it stands now."""
        with self.sweeps.storage() as storage:
            return Study(name, self.url, storage, storage.get_study_id_from_name(name))

    def sweeping(self) -> list[psutil.Process]:
        """The processes of sweeps that run, as far as they have said so."""
        with self.sweeps.storage() as storage:
            records = [read_record(study.user_attrs) for study in storage.get_all_studies()]
        processes = [local_process(record.process) for record in records if record and record.process]
        return [process for process in processes if process is not None]

    def end(self) -> None:
        for dispatcher in self.dispatchers:
            dispatcher.stop()
        for apart in self.processes:
            apart.kill()
            apart.wait()
        left = self.sweeping()
        children = [
            child.process for dispatcher in self.dispatchers for child in dispatcher.children.values()
        ]
        for sweep in left + [psutil.Process(child.pid) for child in children if child.poll() is None]:
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in (*sweep.children(recursive=True), sweep):
                    process.kill()
        for child in children:
            child.wait()
        psutil.wait_procs(left, timeout=120)
        self.sweeps.close()


@pytest.fixture
def running(registered_workloads: Path) -> Iterator[Running]:
    """The storage is SQLite."""
    sweeps = Running(f"sqlite:///{registered_workloads}/service.db")
    yield sweeps
    sweeps.end()


@pytest.fixture
def running_on_postgres(registered_workloads: Path, postgres_url: str) -> Iterator[Running]:
    """The storage is PostgreSQL."""
    sweeps = Running(postgres_url)
    yield sweeps
    sweeps.end()
