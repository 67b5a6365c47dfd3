"""Sweeps as real processes that are killed at any moment, interrupted, and resumed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import psutil
import pytest

from sgdr import search
from sgdr.search.storage.leases import EXPIRE_SECONDS
from tests.trial_tables import check_repeated, check_unchanged

WORKLOADS = Path(__file__).parents[2] / "slow.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kill_workloads.py").write_text(WORKLOADS.read_text())
    return tmp_path


def begin(
    folder: Path, workload: str, count: int, *options: str, by: str = "--trials"
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sgdr", "sweep", "--workload", f"kill_workloads:{workload}"]
    command += [by, str(count), "--slots", "4", "--pruner", "none", "--study", "killed", *options]
    environment = {**os.environ, "SGDR_STORAGE": url(folder)}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/killed.db"


def trials(folder: Path) -> pd.DataFrame:
    return search.load("killed", url(folder)).trials()


def wait_for(folder: Path, process: subprocess.Popen[str], **counts: int) -> None:
    """Until the study has at least so many trials of each state."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        try:
            states = trials(folder).state
            if all((states == state).sum() >= count for state, count in counts.items()):
                return
        except (ValueError, KeyError):  # not made yet
            time.sleep(0.05)
        time.sleep(0.02)
    raise AssertionError(f"no {counts} trials in two minutes")


def finish(folder: Path, workload: str, count: int, by: str = "--trials") -> pd.DataFrame:
    process = begin(folder, workload, count, "--resume", by=by)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert "Best schedule" in out
    return trials(folder)


def check(table: pd.DataFrame, count: int) -> None:
    """Exactly the number asked for, nothing running, every interrupted trial trained again as it was."""
    assert (table.state == "COMPLETE").sum() == count
    assert set(table.state) <= {"COMPLETE", "FAIL"}
    dead = table[table.state == "FAIL"]
    again = table[table.retry_of.notna()].set_index("retry_of")
    assert again.index.is_unique
    check_repeated(again, dead)


@pytest.mark.parametrize("workload", ["slow", pytest.param("function", marks=pytest.mark.slow)])
def test_kill_loses_no_finished_trial_and_resume_reaches_the_number_at_once(
    folder: Path, workload: str
) -> None:
    process = begin(folder, workload, 1000)
    wait_for(folder, process, COMPLETE=4, RUNNING=1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    before = trials(folder)
    done = before[before.state == "COMPLETE"]
    assert (before.state == "RUNNING").any()
    began = time.monotonic()
    table = finish(folder, workload, len(done) + 8)
    assert time.monotonic() - began < EXPIRE_SECONDS  # it does not wait for who is gone
    check(table, len(done) + 8)
    check_unchanged(table, done)
    _, alive = psutil.wait_procs(children, timeout=120)
    assert not alive


@pytest.mark.slow
def test_a_killed_sweep_spends_what_is_left_of_its_cost(folder: Path) -> None:
    process = begin(folder, "function", 12, by="--cost")
    wait_for(folder, process, COMPLETE=4, RUNNING=1)
    process.kill()
    process.communicate()
    check(finish(folder, "function", 12, by="--cost"), 12)
    assert search.load("killed", url(folder)).spent == 12


@pytest.mark.slow
@pytest.mark.parametrize(("workload", "number"), [("slow", signal.SIGINT), ("function", signal.SIGTERM)])
def test_interrupt_ends_cleanly_and_says_how_to_go_on(folder: Path, workload: str, number: int) -> None:
    process = begin(folder, workload, 1000)
    wait_for(folder, process, COMPLETE=2)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "--resume" in err.strip().splitlines()[-1]
    counts = trials(folder).state.value_counts().to_dict()
    assert "RUNNING" not in counts
    assert counts.get("FAIL", 0) <= 4
    check(finish(folder, workload, counts["COMPLETE"] + 5), counts["COMPLETE"] + 5)


@pytest.mark.slow
def test_second_sweep_of_a_study_is_refused_while_the_first_is_at_it(folder: Path) -> None:
    process = begin(folder, "slow", 1000)
    wait_for(folder, process, RUNNING=1)
    second = begin(folder, "slow", 1000, "--resume")
    _, err = second.communicate(timeout=120)
    assert second.returncode == 2
    assert f"process {process.pid}" in err
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_locked_database_is_waited_for(folder: Path) -> None:
    import sqlite3

    process = begin(folder, "slow", 32)
    wait_for(folder, process, COMPLETE=1)
    blocker = sqlite3.connect(folder / "killed.db", isolation_level=None, timeout=30)
    blocker.execute("BEGIN IMMEDIATE")
    time.sleep(3)
    assert process.poll() is None
    blocker.execute("ROLLBACK")
    blocker.close()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert (trials(folder).state == "COMPLETE").sum() == 32
    assert "Best schedule" in out


def trials_there(folder: Path) -> int:
    """How many trials the study has; 0 where there is none yet."""
    try:
        return len(trials(folder))
    except ValueError:
        return 0


@pytest.mark.slow
@pytest.mark.parametrize("workload", ["slow", "function"])
def test_kills_at_random_moments(folder: Path, workload: str) -> None:
    chance = random.Random(1)
    done: dict[int, Any] = {}
    for place in range(4):
        known = trials_there(folder)
        process = begin(folder, workload, 40, "--resume")
        # Every other time it is at its trials by then, however slowly it starts.
        while place % 2 and trials_there(folder) == known and process.poll() is None:
            time.sleep(0.05)
        time.sleep(chance.uniform(0.0, 3.0))
        process.kill()
        process.communicate()
        try:
            table = trials(folder)
        except ValueError:  # killed before there was a study
            continue
        complete = table[table.state == "COMPLETE"]
        assert len(complete) <= 40
        for number, row in done.items():
            pd.testing.assert_series_equal(complete.loc[number], row)
        done = {number: complete.loc[number] for number in complete.index}
    check(finish(folder, workload, 40), 40)
    study = optuna.load_study(study_name="killed", storage=url(folder))
    assert all(trial.state.is_finished() for trial in study.trials)


@pytest.mark.slow
def test_full_disk_ends_clearly_and_can_be_resumed(tmp_path: Path) -> None:
    """A small file system of its own, filled to the last block while a sweep writes to it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        (folder / "kill_workloads.py").write_text(WORKLOADS.read_text())
        process = begin(folder, "slow", 1000)
        wait_for(folder, process, COMPLETE=4)
        done = trials(folder)
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 512)
            except OSError:
                pass
        _, err = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "Traceback" not in err
        assert "full" in err
        assert "--resume" in err
        filler.unlink()
        done = done[done.state == "COMPLETE"]
        table = finish(folder, "slow", len(done) + 12)
        check(table, len(done) + 12)
        check_unchanged(table, done)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_of_two_that_resume_at_the_same_time_no_more_than_one_runs(folder: Path) -> None:
    first = begin(folder, "slow", 4)
    assert first.wait(timeout=120) == 0
    first.communicate()
    both = [begin(folder, "slow", 12, "--resume") for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    codes = [process.returncode for process in both]
    assert codes in ([0, 2], [2, 0], [2, 2], [0, 0]), errors
    if codes == [0, 0]:  # one after the other, not side by side
        assert (trials(folder).state == "COMPLETE").sum() == 12
    assert len(trials(folder)) <= 12
    assert all("is being swept" in error for error, code in zip(errors, codes, strict=True) if code == 2)
