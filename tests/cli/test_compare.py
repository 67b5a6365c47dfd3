"""`sgdr compare` as a process: what it prints and keeps, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sgdr import search
from sgdr.shapes import EARLIER
from tests.databases import copied

WORKLOADS = Path(__file__).parents[1] / "slow.py"
OWN = ("--workload", "tiny:workload", "--seeds", "4", "--slots", "4")


class Compared(NamedTuple):
    """A study in which schedules were compared; only to be read."""

    sgdr: Any
    url: str
    done: Any


@pytest.fixture(scope="module")
def file(tmp_path_factory, tiny):
    database = tmp_path_factory.mktemp("swept") / "sgdr.db"
    how = {"pruner": "none", "slots": 4, "shapes": EARLIER}
    search.sweep(tiny.workload, trials=6, storage=f"sqlite:///{database}", **how)
    return database


@pytest.fixture(scope="module")
def compared(file, command_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    url, run = copied(file, folder / "sgdr.db"), command_in(folder)
    done = run("compare", "tiny", "cosine base_lr=0.03", "constant base_lr=1e30", *OWN)
    assert done.returncode == 0, done.stderr
    return Compared(run, url, done)


@pytest.fixture
def study(file, tmp_path):
    """The URL of the storage in the folder of `sgdr`, which holds the study `tiny`."""
    return copied(file, tmp_path / "sgdr.db")


def test_it_prints_a_row_for_each_schedule_and_a_sentence(compared):
    kept = search.compare_study("tiny", storage=compared.url)
    out = compared.done.stdout
    rows = [line.split() for line in out.splitlines() if re.match(r" ?\d+ ", line)]
    assert [row[:2] for row in rows] == [["1", str(kept.schedules[0].number)], ["2", "–"], ["3", "–"]]
    for line, one in zip(
        [line for line in out.splitlines() if re.match(r" ?\d+ ", line)], kept.schedules, strict=True
    ):
        assert one.words in line and f"{one.mean:.4g} ({one.low:.4g} to {one.high:.4g})" in line
    assert "one cosine cycle with base_lr 0.03" in out and "minus that of 1 (95 %)" in out
    assert rows[2][-6:-4] == ["4", "4"]  # of its four seeds all diverged
    assert out.rstrip().endswith(kept.words)


def test_without_schedules_it_shows_what_the_study_keeps(compared):
    again = compared.sgdr("compare", "tiny")
    assert again.returncode == 0 and again.stdout == compared.done.stdout and again.stderr == ""
    plain = json.loads(compared.sgdr("compare", "tiny", "--json").stdout)
    assert plain == search.compare_study("tiny", storage=compared.url).to_dict()
    assert plain["schedules"][2]["diverged"].keys() == plain["schedules"][0]["values"].keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), 'keeps no comparison yet; give schedules, as "cosine base_lr=0.03"'),
        (("sawtooth base_lr=1", *OWN), "must begin with a shape"),
        (("trial:77", *OWN), "has no trial number=77"),
        (("cosine base_lr=0.1", *OWN, "--seeds", "1"), "seeds=1 must be a whole number of at least 2"),
        (("cosine base_lr=0.1", *OWN, "--slots", "few"), "--slots 'few' must be a whole number or auto"),
        (("cosine base_lr=0.1",), "is not registered; give it as --workload"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(sgdr, study, arguments, said):
    before = search.load("tiny", study).attributes
    done = sgdr("compare", "tiny", *arguments)
    assert done.returncode == 2 and done.stdout == "", done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("sgdr: ") and said in done.stderr
    assert search.load("tiny", study).attributes == before


def test_the_help_has_examples(sgdr):
    done = sgdr("compare", "--help")
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).replace("│", " ").split())
    for part in ('sgdr compare digits "cosine base_lr=0.03"', "trial:12", "--seeds", "--json"):
        assert part in said


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on_where_it_was(tmp_path):
    (tmp_path / "slow.py").write_text(WORKLOADS.read_text())
    url = f"sqlite:///{tmp_path}/s.db"
    common = [sys.executable, "-m", "sgdr"]
    how: dict[str, Any] = {"cwd": tmp_path, "env": {**os.environ, "SGDR_STORAGE": url}, "text": True}
    own = ["--workload", "slow:function", "--slots", "2"]
    subprocess.run([*common, "sweep", *own, "--trials", "4", "--pruner", "none"], check=True, **how)
    asked = [*common, "compare", "function", "linear base_lr=0.5", *own, "--seeds", "16"]
    process = subprocess.Popen(asked, stderr=subprocess.PIPE, stdout=subprocess.PIPE, **how)
    until = time.monotonic() + 120
    while "comparison" not in search.load("function", url).attributes:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=120)
    assert process.returncode == 130 and out == ""
    assert "Interrupted; finished runs are kept. Go on with:\n  sgdr compare function" in said
    left = search.compare_study("function", storage=url)
    assert 0 < sum(len(row.values) for row in left.schedules) < 32
    done = subprocess.run([*asked, "--json"], capture_output=True, check=True, **how)
    for before, row in zip(left.schedules, json.loads(done.stdout)["schedules"], strict=False):
        assert len(row["values"]) == 16
        assert {str(seed): value for seed, value in before.values.items()}.items() <= row["values"].items()
