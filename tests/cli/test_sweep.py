"""`sgdr sweep` as a process: what it prints, and how it goes on."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sgdr.choices import Stage
from sgdr.cli.sweep import _shown
from sgdr.search import Progress

# All with as many slots: that is one program, which is compiled once a run.
SWEEP = ("sweep", "--workload", "tiny:workload", "--pruner", "none", "--slots", "4")
QUICK = {"confirm": ("--seeds", "2", "--slots", "4")}


def finished(folder: Path) -> int:
    with sqlite3.connect(folder / "sgdr.db") as database:
        return database.execute(
            "SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')"
        ).fetchone()[0]


def test_prints_the_best_schedule_the_top_five_and_how_to_go_on(sgdr, tmp_path):
    done = sgdr(*SWEEP, "--trials", "6", "--shapes", "restarts,cosine,constant")
    assert done.returncode == 0, done.stderr
    for part in ("Best schedule", "base_lr", "T_0", "T_mult", "eta_min", "restarts", "error"):
        assert part in done.stdout
    assert "Top 5 of 6 completed trials" in done.stdout
    assert "finished by arm: " in done.stdout and "constant 1" in done.stdout
    again = [line.split() for line in done.stdout.splitlines() if line.startswith("  sgdr ")]
    assert [words[1] for words in again] == ["confirm", "answer", "best", "plot", "lr"]
    for words in again:
        assert sgdr(*words[1:], *QUICK.get(words[1], ())).returncode == 0, words
    assert (tmp_path / "tiny.png").stat().st_size > 1000


def test_shapes_are_asked_for_by_name_and_told_with_their_fields(sgdr):
    done = sgdr(*SWEEP, "--trials", "8", "--sampler", "tpe", "--shapes", "restarts, one-cycle, cyclic")
    assert done.returncode == 0, done.stderr
    assert "one-cycle 1, cyclic 1" in done.stdout and "deprecated" not in done.stderr
    best = sgdr("best", "tiny", "-k", "8")
    assert "length 6, pct_start " in best.stdout and "up " in best.stdout
    refused = sgdr(*SWEEP, "--study", "other", "--shapes", "square")
    assert refused.returncode == 2
    assert "shapes='square' must be one of restarts, cosine, linear, " in refused.stderr


def test_the_rates_of_the_best_are_printed_by_a_command_whatever_its_shape(sgdr):
    done = sgdr(*SWEEP, "--trials", "2", "--shapes", "wsd", "--warmup", "1")
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("  sgdr lr "))
    assert line.startswith("  sgdr lr --shape wsd ") and " --warmup 1 " in line
    assert sgdr(*line.split()[1:]).returncode == 0


def test_relatives_are_still_taken_and_said_to_be_deprecated(sgdr):
    done = sgdr(*SWEEP, "--trials", "16", "--sampler", "tpe", "--controls", "0.5", "--relatives", "cyclic")
    assert done.returncode == 0 and "cyclic 1" in done.stdout and "constant 1" in done.stdout
    assert done.stderr.count("--relatives is deprecated: give --shapes") == 1 and "Warning" not in done.stderr


def test_json_is_the_only_thing_on_stdout_and_holds_the_result(sgdr):
    done = sgdr(*SWEEP, "--trials", "4", "--json", "--study", "mine", "--seed", "3")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["study"] == "mine" and result["reached"] is True
    assert result["trials"] == {"COMPLETE": 4} and sum(result["arms"].values()) == 4
    assert result["verdict"] is None
    values = [best["value"] for best in result["top"]]
    assert len(values) == 4 and values == sorted(values) and result["best"] == result["top"][0]
    assert result["best"]["schedule"].keys() >= {"base_lr", "T_0", "T_mult", "eta_min"}
    assert result["epochs"] == 4 * 6 and result["timing"]["wall"] > 0


@pytest.mark.parametrize(
    ("objective", "said"),
    [("anytime", "on average over stopping after 1 to 6 "), ("ensemble", "forward pass")],
)
def test_what_a_trial_is_worth_is_said_of_the_best_and_in_the_answer(sgdr, objective, said):
    asked = (
        "sweep",
        "--workload",
        "tiny:predicting",
        "--cost",
        "3",
        "--slots",
        "2",
        "--T-0",
        "1:2",
        "--T-mult",
        "1",
    )
    done = sgdr(*asked, "--objective", objective, "--shapes", "restarts")
    assert done.returncode == 0, done.stderr
    assert f"({objective})" in done.stdout and f"{objective} error" in done.stdout
    assert said in done.stdout or "models together, the last at epoch" in done.stdout


def test_a_cost_is_what_all_trials_together_may_train(sgdr):
    done = sgdr(*SWEEP, "--cost", "2.5")
    assert done.returncode == 0, done.stderr
    assert "Top 2 of 2 completed trials" in done.stdout and "; cost 2.0" in done.stdout
    more = sgdr(*SWEEP, "--cost", "4", "--resume", "--json")
    assert json.loads(more.stdout)["spent"] == 4 and json.loads(more.stdout)["trials"] == {"COMPLETE": 4}
    assert [row["spent"] for row in json.loads(sgdr("studies", "--json").stdout)] == [4]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cost", "16", "--trials", "4"), "cost=16.0 cannot be beside trials=4"),
        (("--cost", "0.5"), "cost=0.5 must be at least 1"),
        (("--cost", "nan"), "cost=nan must be a finite number"),
        (("--cost", "inf"), "cost=inf must be a finite number"),
        (("--cost", "much"), "--cost"),
    ],
)
@pytest.mark.slow
def test_a_cost_that_cannot_be_is_refused_in_one_line(sgdr, tmp_path, words, said):
    refused = sgdr(*SWEEP, *words)
    assert refused.returncode == 2 and refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1 and said in refused.stderr
    assert not (tmp_path / "sgdr.db").exists()


def test_the_bar_shows_what_was_asked_for_and_the_cost_and_the_best_so_far():
    now = Progress(finished=5, trials=None, spent=9.34, cost=16, running=3, failed=0, best=0.25, epochs=9)
    assert _shown(now).so_far == "9.3/16.0" and _shown(now).also == "5 trials, 3 running, best 0.25"
    assert _shown(replace(now, stage=Stage.PEAK)).also == "5 trials, 3 running, best 0.25, seeks the peak"
    by_trials = _shown(replace(now, trials=64, cost=None, failed=1))
    assert (by_trials.so_far, by_trials.what) == ("5/64", "trials")
    assert by_trials.also == "3 running, cost 9.3, best 0.25, 1 failed"


@pytest.mark.parametrize(("controls", "counts"), [("0", (8, 0, 0)), ("0.5", (4, 2, 2))])
def test_controls_are_the_share_of_the_trials_without_restarts(sgdr, controls, counts):
    asked = ("--trials", "8", "--sampler", "tpe", "--controls", controls, "--T-0", "1:3")
    plain = sgdr(*SWEEP, *asked, "--json", "--study", "plain")
    share = json.loads(plain.stdout)["arms"]
    assert share.pop("restarts") == counts[0]
    assert share == dict.fromkeys(["cosine", "linear", "wsd", "constant"][: sum(counts[1:])], 1)
    done = sgdr(
        *SWEEP, *asked, "--json", *(["--shapes", "restarts,cosine,constant"] if controls != "0" else [])
    )
    assert done.returncode == 0, done.stderr
    arms = zip(("restarts", "cosine", "constant"), counts, strict=True)
    assert json.loads(done.stdout)["arms"] == {arm: count for arm, count in arms if count}


def test_a_study_that_exists_needs_resume_and_reaches_exactly_the_trials_asked_for(sgdr, tmp_path):
    assert sgdr(*SWEEP, "--trials", "3").returncode == 0
    refused = sgdr(*SWEEP, "--trials", "5")
    assert refused.returncode == 2 and refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1 and "--resume" in refused.stderr
    assert finished(tmp_path) == 3
    more = sgdr(*SWEEP, "--trials", "5", "--resume", "--json")
    assert json.loads(more.stdout)["trials"] == {"COMPLETE": 5} and finished(tmp_path) == 5
    nothing_left = sgdr(*SWEEP, "--trials", "4", "--resume", "--json")
    assert json.loads(nothing_left.stdout)["trials"] == {"COMPLETE": 5} and finished(tmp_path) == 5


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_resumed_sweep_does_not_draw_the_same_trials_again(sgdr, sampler):
    for trials in ("3", "6"):
        assert sgdr(*SWEEP, "--trials", trials, "--sampler", sampler, "--resume").returncode == 0
    answer = json.loads(sgdr("best", "tiny", "-k", "99", "--json").stdout)
    assert len({best["schedule"]["base_lr"] for best in answer}) == 6


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (("--budget", "5"), "budget 6, not 5"),
        (("--base-lr", "0.1:0.2"), "space"),
        (("--closed",), "space"),
        (("--objective", "final"), "objective 'best-epoch', not 'final'"),
        (("--workload", "tiny:Maximized"), "workload 'tiny', not 'maximized'"),
    ],
)
def test_resuming_with_something_else_names_the_difference(swept, changed, named):
    done = swept(*SWEEP, "--study", "tiny", "--trials", "9", "--resume", *changed)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and named in done.stderr


@pytest.mark.slow
def test_of_two_sweeps_that_begin_a_study_at_once_one_is_refused(sgdr, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: sgdr(*SWEEP, "--trials", "9"), range(2)))
    assert sorted(done.returncode for done in both) == [0, 2]
    (refused,) = (done for done in both if done.returncode)
    assert len(refused.stderr.splitlines()) == 1 and "'tiny'" in refused.stderr
    assert finished(tmp_path) == 9


def test_resume_of_no_study_begins_it(sgdr, tmp_path):
    assert sgdr(*SWEEP, "--trials", "2", "--resume").returncode == 0
    assert finished(tmp_path) == 2


def test_resume_of_a_study_whose_making_was_cut_off_begins_it(sgdr, tmp_path):
    import optuna

    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/sgdr.db", study_name="tiny")
    study.set_user_attr("versions", {})
    study.set_user_attr("seed", 5)
    done = sgdr(*SWEEP, "--trials", "2", "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"] == {"COMPLETE": 2}


@pytest.mark.parametrize("directions", [["maximize"], ["minimize", "minimize"]])
def test_a_study_of_somebody_else_is_not_taken_over(sgdr, tmp_path, directions):
    import optuna

    optuna.create_study(storage=f"sqlite:///{tmp_path}/sgdr.db", study_name="tiny", directions=directions)
    done = sgdr(*SWEEP, "--trials", "2", "--resume")
    assert done.returncode == 2 and "was not made by sgdr" in done.stderr


def test_a_timeout_ends_it_and_says_how_to_go_on(sgdr):
    done = sgdr(*SWEEP, "--trials", str(10**30), "--timeout", "0.5s")
    assert done.returncode == 0, done.stderr
    assert "Stopped at the timeout" in done.stdout and "--resume" in done.stdout


def test_a_sweep_that_completes_no_trial_exits_1(sgdr, tmp_path):
    (tmp_path / "nowhere.py").write_text(
        "from sgdr import search\n\n\n"
        "@search.workload(metric='error', direction='minimize', budget=1, base_lr=(0.1, 1.0))\n"
        "def train(run):\n    run.report(1, float('nan'))\n"
    )
    done = sgdr("sweep", "--workload", "nowhere:train", "--trials", "2", "--json")
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert result["best"] is None and result["trials"] == {"PRUNED": 2}


def test_studies_may_have_names_of_any_script(sgdr):
    done = sgdr(*SWEEP, "--trials", "2", "--study", "学習率 é", "--closed")
    assert done.returncode == 0, done.stderr
    assert "sgdr best -k 10 '学習率 é'" in done.stdout
    assert json.loads(sgdr("best", "学習率 é", "--json").stdout)


@pytest.mark.slow
@pytest.mark.parametrize("workload", ["tiny:Tiny", "tiny:factory"])
def test_a_class_and_a_function_are_called_to_make_the_workload(sgdr, workload):
    assert (
        sgdr("sweep", "--workload", workload, "--trials", "1", "--storage", "sqlite:///a.db").returncode == 0
    )


@pytest.mark.slow
def test_maximized_metrics_are_ordered_from_the_highest(sgdr):
    done = sgdr("sweep", "--workload", "tiny:Maximized", "--trials", "5", "--json", "--pruner", "none")
    values = [best["value"] for best in json.loads(done.stdout)["top"]]
    assert len(values) == 5 and values == sorted(values, reverse=True)
