"""`sgdr best`, `studies`, `workloads` and `delete` as processes."""

import json
import subprocess
import sys

import pytest

SWEEP = ("sweep", "--workload", "tiny:workload", "--trials", "2", "--pruner", "none", "--slots", "4")


def test_best_shows_the_best_schedule_and_a_table_of_k(swept):
    done = swept("best", "tiny", "-k", "3")
    assert done.returncode == 0 and done.stderr == ""
    assert "Best schedule of study 'tiny'" in done.stdout and "Top 3 of 8 completed trials" in done.stdout
    assert "T_0" in done.stdout and "eta_min" in done.stdout


def test_best_as_json_is_what_the_sweep_found(swept):
    answer = json.loads(swept("best", "tiny", "-k", "100", "--json").stdout)
    assert len(answer) == 8
    values = [best["value"] for best in answer]
    assert values[1:] == sorted(values[1:])  # the first is the one that the answer recommends
    for best in answer:
        schedule = best["schedule"]
        assert 1 <= schedule["T_0"] <= best["budget"] == 6 and schedule["T_mult"] in (1, 2, 3)
        floor = schedule["eta_min"] / schedule["base_lr"]
        assert floor == 1 if best["arm"] == "constant" else 0 <= floor <= 0.1
        assert 1e-3 <= schedule["base_lr"] <= 1 and (best["arm"] == "restarts") == bool(best["restarts"])
        assert 1 <= best["epoch"] <= 6 and best["seed"] >= 0


def test_studies_lists_them_with_their_trials(swept):
    (row,) = json.loads(swept("studies", "--json").stdout)
    assert row["study"] == row["workload"] == "tiny"
    assert row["trials"] == {"COMPLETE": 8} and row["budget"] == 6 and row["metric"] == "error"
    assert row["best"] == json.loads(swept("best", "tiny", "--json").stdout)[0]["value"]
    table = swept("studies").stdout
    assert "tiny" in table and "best-epoch" in table and "8" in table


def test_workloads_lists_the_registered_without_loading_them(swept):
    rows = json.loads(swept("workloads", "--json").stdout)
    names = {row["name"] for row in rows}
    assert names >= {"digits", "digits-noisy", "mnist1d", "fashion-mnist", "fashion-mnist-cnn"}
    assert all(":" in row["object"] for row in rows)
    table = swept("workloads").stdout
    assert all(name in table for name in names)


def test_delete_takes_one_study_and_leaves_the_others(sgdr):
    for name in ("one", "two"):
        assert sgdr(*SWEEP, "--study", name).returncode == 0
    asked = sgdr("delete", "one")
    assert asked.returncode == 2 and "--yes" in asked.stderr
    assert [row["study"] for row in json.loads(sgdr("studies", "--json").stdout)] == ["one", "two"]
    assert sgdr("delete", "one", "--yes").returncode == 0
    assert [row["study"] for row in json.loads(sgdr("studies", "--json").stdout)] == ["two"]


@pytest.mark.slow
def test_delete_leaves_a_study_that_is_being_swept(sgdr, tmp_path):
    import optuna

    from sgdr.search.storage.leases import Lease

    assert sgdr(*SWEEP).returncode == 0
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/sgdr.db")
    lease = Lease(storage, storage.get_study_id_from_name("tiny"))
    refused = sgdr("delete", "tiny", "--yes")
    assert refused.returncode == 2 and "being swept right now" in refused.stderr
    also = sgdr(*SWEEP, "--resume")
    assert also.returncode == 2 and "is being swept by process" in also.stderr
    lease.end()
    assert sgdr("delete", "tiny", "--yes").returncode == 0


HELD = """
import os, pty, sys
pid, terminal = pty.fork()
if not pid:
    os.execv(sys.executable, [sys.executable, "-m", "sgdr", "delete", "tiny"])
said = b""
while b"[y/N]" not in said:
    said += os.read(terminal, 1000)
os.write(terminal, sys.argv[1].encode() + b"\\n")
try:
    while more := os.read(terminal, 1000):
        said += more
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), b"Traceback" in said)
"""


@pytest.mark.slow
def test_delete_asks_on_a_terminal(sgdr, tmp_path):
    assert sgdr(*SWEEP).returncode == 0

    def answer(text: str) -> str:
        command = [sys.executable, "-c", HELD, text]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
        ).stdout.strip()

    assert answer("n") == "130 False"
    assert sgdr("best", "tiny").returncode == 0
    assert answer("y") == "0 False"
    assert sgdr("best", "tiny").returncode == 2
