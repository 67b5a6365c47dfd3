"""`sgdr confirm` as a process: what it prints and keeps, and what it refuses."""

import json
import re
from typing import Any, NamedTuple

import pytest

from sgdr import search
from sgdr.shapes import EARLIER
from tests.databases import copied

CONFIRM = ("confirm", "tiny", "--workload", "tiny:workload", "--top", "1", "--seeds", "4", "--slots", "4")


@pytest.fixture(scope="module")
def file(tmp_path_factory, tiny):
    database = tmp_path_factory.mktemp("swept") / "sgdr.db"
    how = {"pruner": "none", "slots": 4, "shapes": EARLIER}
    search.sweep(tiny.workload, trials=12, storage=f"sqlite:///{database}", **how)
    return database


@pytest.fixture
def study(file, tmp_path):
    """The URL of the storage in the folder of `sgdr`, which holds the study `tiny`."""
    return copied(file, tmp_path / "sgdr.db")


class Confirmed(NamedTuple):
    """A study before and after it was confirmed; only to be read."""

    sgdr: Any
    best: Any
    best_as_json: Any
    done: Any
    verdict: search.Verdict


@pytest.fixture(scope="module")
def confirmed(file, command_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("confirmed")
    url, run = copied(file, folder / "sgdr.db"), command_in(folder)
    best, best_as_json = run("best", "tiny"), run("best", "tiny", "--json")
    done = run(*CONFIRM)
    assert done.returncode == 0, done.stderr
    return Confirmed(run, best, best_as_json, done, search.load("tiny", url).verdict)


def refused(done, *parts):
    """Asserts that the process refused in one line that has all the parts."""
    assert done.returncode == 2, done.stderr or done.stdout
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("sgdr: ") and "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


def test_it_prints_the_verdict_and_a_row_for_each_candidate(confirmed):
    done, verdict = confirmed.done, confirmed.verdict
    assert f"Verdict on study 'tiny': {verdict.words}" in done.stdout
    assert "mean ± 95 %" in done.stdout and "in the search" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r" \d+ ", line)]
    assert [(int(row[0]), row[1]) for row in rows] == [
        (candidate.number, candidate.arm) for candidate in verdict.candidates
    ]
    assert {candidate.arm for candidate in verdict.candidates} == {"restarts", "cosine", "constant"}
    for row, each in zip(rows, verdict.candidates, strict=True):
        assert row[2] == f"{each.mean:.4g}" and row[3] == "±" and int(row[5]) == len(each.values)


def test_best_marks_what_is_confirmed_and_what_is_not(confirmed):
    assert re.search(r"trial \d+, unconfirmed\)", confirmed.best.stdout)
    assert all(best["confirmed"] is None for best in json.loads(confirmed.best_as_json.stdout))
    plain = json.loads(json.dumps(confirmed.verdict.to_dict()))
    after = confirmed.sgdr("best", "tiny", "-k", "12")
    first = plain["candidates"][0]
    assert re.search(rf"trial {first['number']}, confirmed\)", after.stdout)
    assert f"{first['mean']:.4g} ±" in after.stdout and "unconfirmed" in after.stdout
    top = json.loads(confirmed.sgdr("best", "tiny", "-k", "12", "--json").stdout)
    assert [best["number"] for best in top[:3]] == [candidate["number"] for candidate in plain["candidates"]]
    assert [best["confirmed"] is None for best in top] == [False] * 3 + [True] * 9
    assert top[0]["confirmed"]["mean"] == first["mean"] and top[0]["confirmed"]["seeds"] == len(
        first["values"]
    )


@pytest.mark.slow
def test_json_is_the_verdict_and_the_only_thing_on_stdout(sgdr, study):
    done = sgdr(*CONFIRM, "--json")
    assert done.returncode == 0, done.stderr
    verdict = search.Verdict.from_dict(json.loads(done.stdout))
    assert verdict == search.load("tiny", study).verdict
    again = sgdr(*CONFIRM, "--json")
    assert again.stdout == done.stdout


@pytest.mark.slow
def test_a_sweep_can_confirm_at_once(sgdr, tmp_path):
    sweep = ("sweep", "--workload", "tiny:workload", "--trials", "8", "--pruner", "none", "--slots", "8")
    done = sgdr(*sweep, "--confirm")
    assert done.returncode == 0, done.stderr
    assert "Verdict on study 'tiny': " in done.stdout and ", confirmed)" in done.stdout
    assert "  sgdr best " in done.stdout and "  sgdr confirm" not in done.stdout
    verdict = search.load("tiny", f"sqlite:///{tmp_path}/sgdr.db").verdict
    again = sgdr(*sweep, "--resume", "--confirm", "--json")
    answer = json.loads(again.stdout)
    assert answer["verdict"] == verdict.to_dict() and answer["best"]["number"] == verdict.best.number
    assert answer["best"]["confirmed"]["mean"] == verdict.best.mean


def test_a_sweep_names_the_command_that_confirms_it(sgdr):
    done = sgdr("sweep", "--workload", "tiny:workload", "--trials", "4", "--pruner", "none", "--slots", "4")
    assert done.returncode == 0, done.stderr
    assert "  sgdr confirm -w tiny:workload tiny" in done.stdout and ", unconfirmed)" in done.stdout


def test_a_candidate_that_diverges_is_told_in_its_row(sgdr, study, tmp_path):
    (tmp_path / "broken.py").write_text(
        "import jax.numpy as jnp\nimport tiny\n\n\nclass Broken(tiny.Tiny):\n"
        "    def init(self, key):\n        return super().init(key) * jnp.nan\n"
    )
    done = sgdr(*CONFIRM[:2], "--workload", "broken:Broken", "--top", "1", "--seeds", "2", "--slots", "4")
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert "no candidate could be trained again: diverged at epoch 1 on seed" in done.stderr


def test_a_workload_that_is_not_registered_is_asked_for_in_a_line(sgdr, study):
    done = sgdr("confirm", "tiny")
    refused(done, "study 'tiny' was made with the workload 'tiny', which is not registered", "--workload")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--seeds", "1"), ("seeds=1", "at least 2")),
        (("--seeds", "many"), ("--seeds",)),
        (("--top", "0"), ("top=0", "at least 1")),
        (("--slots", "0"), ("slots=0", "at least 1")),
        (("--slots", "few"), ("--slots 'few'", "auto")),
        (("--workload", "tiny:Maximized"), ("name 'maximized'", "made with 'tiny'")),
        (("--workload", "tiny:nothing"), ("tiny has no 'nothing'",)),
        (("--workload", "nowhere"), ("unknown workload 'nowhere'",)),
        (("--storage", "sqlite:///none.db"), ("does not exist",)),
        (("--no-such-option",), ("--no-such-option", "--help")),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(sgdr, study, arguments, parts):
    refused(sgdr(*CONFIRM, *arguments), *parts)
    assert search.load("tiny", study).verdict is None


def test_an_unknown_study_is_refused_with_those_that_there_are(sgdr, study):
    refused(sgdr("confirm", "other"), "no study 'other'", "there is 'tiny'")


def test_the_help_has_examples_and_every_option(sgdr):
    done = sgdr("confirm", "--help")
    assert done.returncode == 0 and done.stderr == ""
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).replace("│", " ").split())
    for part in ("sgdr confirm digits --top 2 --seeds 32", "--top", "--seeds", "--workload", "--json"):
        assert part in said
