"""`sgdr export` as a process: of a study and of a schedule, code and tables, to stdout and into files."""

import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from sgdr import WarmRestarts, Warmup, export, relatives, search
from sgdr.cli.export import _encoded
from sgdr.decays import Linear
from sgdr.relatives import StepDecay

SCHEDULE = ("--base-lr", "0.1", "--T-0", "10", "--T-mult", "2", "--eta-min", "0.001")
TYPICAL = WarmRestarts(0.1, 10, 2, 0.001)


def with_words(schedule, target, **lengths):
    """The code, and below it what the framework's own scheduler can do."""
    report = export.parity.report(schedule, target, **lengths)
    return f"{export.code(schedule, target, **lengths)}\n{report.comments()}"


def output(done):
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def refused(done, *parts):
    assert done.returncode == 2 and done.stdout == "", done.stderr or done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("sgdr: ") and all(part in line for part in parts), line


@pytest.fixture(scope="module")
def trials(swept):
    return json.loads(output(swept("best", "tiny", "-k", "8", "--json")))


@pytest.mark.parametrize("target", export.TARGETS)
def test_code_of_a_study_is_that_of_its_best_schedule_in_its_own_steps(swept, trials, target):
    best = trials[0]
    expected = with_words(WarmRestarts(**best["schedule"]), target, steps_per_epoch=2, budget=best["budget"])
    assert output(swept("export", "tiny", "--to", target)) == expected
    assert "Steps per batch" in expected


def test_code_of_a_trial_with_other_lengths(swept, trials):
    other = trials[-1]
    options = ("--trial", str(other["number"]), "--steps-per-epoch", "7", "--budget", "40")
    expected = with_words(WarmRestarts(**other["schedule"]), "optax", steps_per_epoch=7, budget=40)
    assert output(swept("export", "tiny", "--to", "optax", *options)) == expected


@pytest.mark.parametrize("target", export.TARGETS)
def test_code_of_a_schedule(swept, target):
    assert output(swept("export", *SCHEDULE, "--to", target)) == with_words(TYPICAL, target)
    lengths = ("--steps-per-epoch", "50", "--budget", "100")
    assert output(swept("export", *SCHEDULE, "--to", target, *lengths)) == with_words(
        TYPICAL, target, steps_per_epoch=50, budget=100
    )


def test_a_study_whose_epochs_have_no_known_length_is_exported_where_that_is_said(sgdr, tmp_path):
    (tmp_path / "own.py").write_text(
        "from sgdr import search\n\n\n"
        '@search.workload(metric="error", direction="minimize", budget=3, base_lr=(0.1, 1.0))\n'
        "def train(run):\n"
        "    for epoch in range(run.budget):\n"
        "        run.report(epoch + 1, 1 / (epoch + 1))\n"
    )
    done = sgdr("sweep", "--workload", "own:train", "--trials", "1", "--slots", "1")
    assert done.returncode == 0, done.stderr
    (best,) = json.loads(output(sgdr("best", "train", "--json")))
    schedule = WarmRestarts(**best["schedule"])
    for target in ("torch", "transformers"):
        refused(sgdr("export", "train", "--to", target), f"must be known for {target}", "(--steps-per-epoch)")
    code = output(sgdr("export", "train", "--to", "torch", "--interval", "epoch"))
    assert code == with_words(schedule, "torch", budget=3, interval="epoch")
    assert "Steps per epoch" in code and "for epoch in range(3)" in code
    code = output(sgdr("export", "train", "--to", "keras", "--steps-per-epoch", "10"))
    assert code == with_words(schedule, "keras", budget=3, steps_per_epoch=10)


def test_trials_of_every_shape_are_code(sgdr, tiny, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    options = {"trials": 16, "storage": url, "controls": 0.6, "slots": 4, "pruner": "none"}
    space = search.Space(warmup=1)
    search.sweep(tiny.workload, study="s", shapes=["restarts", "cyclic"], space=space, **options)
    study = search.load("s", url)
    trials = study.trials()
    number = trials.index[(trials.arm == "cyclic") & (trials.state == "COMPLETE")][0]
    schedule = study.schedule(number)
    assert isinstance(schedule.schedule, relatives.Cyclic)
    code = output(sgdr("export", "s", "--to", "optax", "--trial", str(number), "--storage", url))
    assert code == export.code(schedule, "optax", steps_per_epoch=2, budget=6)


@pytest.mark.parametrize(
    ("options", "schedule"),
    [
        (
            ("--shape", "linear", "--base-lr", "0.1", "--length", "60", "--warmup", "5"),
            Warmup(Linear(0.1, 60), 5),
        ),
        (("--shape", "step-decay", "--base-lr", "1", "--milestones", "3,9.5"), StepDecay(1, (3, 9.5))),
        (("--shape", "constant", "--base-lr", "0.1"), relatives.constant(0.1)),
    ],
)
def test_a_schedule_of_any_shape_is_code(swept, options, schedule):
    assert output(swept("export", *options, "--to", "torch")).startswith(export.code(schedule, "torch"))
    rates = json.loads(output(swept("export", *options, "--to", "json")))
    assert [row["lr"] for row in rates] == schedule(np.arange(100)).tolist()


def test_tables_of_a_study_are_its_trials(swept, trials):
    rows = json.loads(output(swept("export", "tiny", "--to", "json")))
    assert [row["number"] for row in rows] == list(range(8))
    table = pd.read_csv(io.StringIO(output(swept("export", "tiny", "--to", "csv"))))
    assert list(table.columns) == list(rows[0])
    for trial in trials:
        row = rows[trial["number"]]
        assert row["state"] == "COMPLETE" and row["value"] == trial["value"] and row["error"] is None
        assert {name: row[name] for name in trial["schedule"]} == trial["schedule"]
        assert table["eta_min"][trial["number"]] == trial["schedule"]["eta_min"]
        assert table["value"][trial["number"]] == trial["value"]
    (one,) = json.loads(output(swept("export", "tiny", "--to", "json", "--trial", "3")))
    assert one == rows[3]


def test_curves_have_a_row_an_epoch(swept):
    rows = json.loads(output(swept("export", "tiny", "--to", "json", "--curves")))
    assert [(row["number"], row["epoch"]) for row in rows] == [(n, e) for n in range(8) for e in range(1, 7)]
    assert all(row["error"] > 0 and row["select_error"] > 0 for row in rows)
    table = pd.read_csv(
        io.StringIO(output(swept("export", "tiny", "--to", "csv", "--curves", "--trial", "5")))
    )
    assert table["epoch"].tolist() == list(range(1, 7)) and set(table["number"]) == {5}
    assert table["error"].tolist() == [row["error"] for row in rows if row["number"] == 5]


def test_json_has_null_for_what_is_missing_or_not_finite(sgdr, tmp_path):
    (tmp_path / "far.py").write_text(
        "import tiny\n\n\nclass Far(tiny.Tiny):\n    name = 'far'\n\n"
        "    def update(self, state, lr, step, key, hparams):\n        return state * 1e30\n\n\nfar = Far()\n"
    )
    done = sgdr("sweep", "--workload", "far:far", "--trials", "2", "--pruner", "none")
    assert "diverged" in done.stdout + done.stderr
    assert done.returncode == 1 and "No trial was completed; 2 diverged" in done.stdout
    rows = json.loads(output(sgdr("export", "far", "--to", "json")), parse_constant=pytest.fail)
    assert [row["value"] for row in rows] == [None, None] and rows[0]["diverged_at"] >= 1
    assert output(sgdr("export", "far", "--to", "csv")).count("\n") == 3
    refused(sgdr("export", "far", "--to", "torch"), "'far' has no completed trial", "diverged")


def test_what_json_cannot_hold_is_null():
    table = pd.DataFrame(
        {
            "real": [1.5, math.nan, math.inf, -math.inf],
            "whole": pd.array([2**53 + 1, None, 3, 4], "Int64"),
            "text": ["ä", None, "nan", ""],
            "started": pd.to_datetime(["2026-01-02 03:04:05", None, None, None]),
        }
    )
    rows = json.loads(_encoded(table, "json"), parse_constant=pytest.fail)
    assert rows[0] == {"real": 1.5, "whole": 2**53 + 1, "text": "ä", "started": "2026-01-02T03:04:05"}
    assert rows[1] == dict.fromkeys(table.columns)
    assert [row["real"] for row in rows] == [1.5, None, None, None]
    assert json.loads(_encoded(table[:0], "json")) == []


def test_tables_of_a_schedule_are_its_rates(swept):
    rows = json.loads(output(swept("export", *SCHEDULE, "--to", "json", "--steps", "0:80:10")))
    assert rows == [{"step": step, "lr": TYPICAL(step)} for step in range(0, 80, 10)]
    table = pd.read_csv(io.StringIO(output(swept("export", *SCHEDULE, "--to", "csv"))))
    assert list(table.columns) == ["step", "lr"] and table["step"].tolist() == list(range(100))
    assert table["lr"].to_numpy() == pytest.approx(TYPICAL(np.arange(100)), rel=1e-15)


def test_a_file_is_written_whole_or_not_at_all(swept, tmp_path):
    path = tmp_path / "schédule.py"
    path.write_text("old")
    done = swept("export", *SCHEDULE, "--to", "torch", "-o", str(path))
    assert output(done) == f"{path}\n" and path.read_text(encoding="utf-8") == with_words(TYPICAL, "torch")
    assert list(tmp_path.iterdir()) == [path]
    refused(
        swept("export", *SCHEDULE, "--to", "torch", "-o", f"{tmp_path}/no/a.py"),
        "no folder",
        "make it first",
    )
    refused(swept("export", *SCHEDULE, "--to", "torch", "-o", str(tmp_path)), "is a folder")
    refused(
        swept("export", *SCHEDULE, "--to", "torch", "-o", str(tmp_path / ("x" * 300))),
        "cannot be written",
    )
    refused(swept("export", *SCHEDULE, "--to", "torch", "--budget", "0", "-o", str(path)), "budget")
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == with_words(TYPICAL, "torch")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("tiny",), ("--to",)),
        (("tiny", "--to", "tensorflow"), ("--to 'tensorflow'", "torch, optax, keras", "json, csv")),
        (("tiny", "--to", ""), ("--to ''",)),
        (("--to", "torch"), ("--base-lr is missing",)),
        (("--base-lr", "0.1", "--to", "csv"), ("--T-0 is missing",)),
        (("tiny", *SCHEDULE, "--to", "torch"), ("'tiny'", "not both")),
        (("--shape", "joined", "--to", "torch"), ("--shape 'joined' must be one of restarts, cosine",)),
        (
            ("--shape", "wsd", "--base-lr", "1", "--length", "9", "--fall", "x", "--to", "csv"),
            ("fall", "'x'"),
        ),
        (("nope", "--to", "torch"), ("no study 'nope'", "'tiny'")),
        (("tiny", "--to", "torch", "--trial", "99"), ("--trial 99", "no completed trial", "sgdr best")),
        (("tiny", "--to", "torch", "--trial", "-1"), ("--trial -1", "no completed trial")),
        (("tiny", "--to", "csv", "--trial", "99"), ("--trial 99", "no trial")),
        (("tiny", "--to", "csv", "--trial", "99", "--curves"), ("--trial 99", "no curve")),
        (("tiny", "--to", "torch", "--steps-per-epoch", "0"), ("steps_per_epoch", "got 0")),
        (("tiny", "--to", "torch", "--steps-per-epoch", "2.5"), ("--steps-per-epoch",)),
        (("tiny", "--to", "torch", "--interval", "batch"), ("interval", "'step' or 'epoch'", "'batch'")),
        (("tiny", "--to", "csv", "--interval", "step"), ("--interval", "--to csv")),
        ((*SCHEDULE, "--to", "keras", "--interval", "epoch"), ("--steps-per-epoch", "keras")),
        (("tiny", "--to", "torch", "--budget", "-3"), ("budget", "got -3")),
        (("tiny", "--to", "torch", "--steps", "0:9"), ("--steps", "--to torch")),
        (("tiny", "--to", "torch", "--curves"), ("--curves", "--to torch")),
        (("tiny", "--to", "csv", "--steps", "0:9"), ("--steps", "a study")),
        (("tiny", "--to", "csv", "--budget", "9"), ("--budget", "--to csv")),
        ((*SCHEDULE, "--to", "json", "--steps-per-epoch", "9"), ("--steps-per-epoch", "--to json")),
        ((*SCHEDULE, "--to", "json", "--curves"), ("--curves", "a schedule")),
        ((*SCHEDULE, "--to", "torch", "--trial", "1"), ("--trial", "a schedule")),
        ((*SCHEDULE, "--to", "csv", "--steps", "9:9"), ("--steps '9:9'",)),
        ((*SCHEDULE, "--to", "csv", "--steps", ""), ("--steps ''",)),
        (("--base-lr", "nan", "--T-0", "3", "--to", "torch"), ("base_lr", "nan")),
        (("--base-lr", "1e99", "--T-0", "3", "--to", "keras"), ("base_lr", "float32")),
    ],
)
def test_bad_input_is_refused_in_one_line(swept, arguments, parts):
    refused(swept("export", *arguments), *parts)


def test_no_framework_is_run_and_the_options_of_that_say_so(swept):
    for option in ("--measure", "--no-measure"):
        done = swept("export", *SCHEDULE, "--to", "optax", option)
        assert done.stdout == with_words(TYPICAL, "optax") and done.returncode == 0
        assert done.stderr == "sgdr: leave out --measure and --no-measure: no framework is run\n"


def test_help_shows_examples(swept):
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", output(swept("export", "--help"))).split())
    assert "sgdr export digits --to torch" in said and "--steps-per-epoch" in said
