"""What a confirmation finds: who is better, who has failed, and what is said of it."""

from types import SimpleNamespace

import numpy as np
import pytest

from sgdr import WarmRestarts, search
from sgdr.search.artifacts.snapshots import Snapshots
from sgdr.search.evaluation import race, sequential_test
from sgdr.search.evaluation.finalists import Candidate
from sgdr.search.problem.objective import OBJECTIVES
from tests.search.evaluation.known import Known, confirm, copied, sweep
from tests.storages import stored


@pytest.fixture(scope="module")
def final_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("final") / "s.db"
    sweep(f"sqlite:///{file}", Known(), objective="final")
    return file


def test_restarts_that_help_are_said_to_help(url):
    verdict = confirm(url, Known(effect=-0.5), seeds=32)
    assert verdict.decision == "restarts help" and verdict.words.startswith("restarts help: error is 0.")
    assert "lower with restarts than with" in verdict.words
    assert verdict.best.arm == "restarts" and verdict.best.number == verdict.restarts
    assert verdict.difference["low"] < -0.5 < verdict.difference["high"] < 0
    assert verdict.more_seeds is None and verdict.difference["seeds"] < 32  # it stopped where it was clear


def test_restarts_that_hurt_are_said_not_to_help(final_file, tmp_path):
    url = copied(final_file, tmp_path)
    verdict = confirm(url, Known(effect=0.5), seeds=32)
    assert verdict.decision == "restarts do not help" and "higher with restarts than with" in verdict.words
    assert verdict.best.arm != "restarts" and verdict.best.number == verdict.control
    assert 0 < verdict.difference["low"] < 0.5 < verdict.difference["high"]


def test_restarts_that_do_nothing_leave_it_undecided_and_say_how_large_the_difference_may_be(url):
    verdict = confirm(url, Known(), seeds=16)
    assert verdict.decision == "undecided" and verdict.difference["low"] < 0 < verdict.difference["high"]
    largest = max(-verdict.difference["low"], verdict.difference["high"])
    assert verdict.more_seeds >= 1 and f"any difference is within ± {largest:.2g}" in verdict.words
    assert max(len(candidate.values) for candidate in verdict.candidates) == 16


@pytest.mark.slow
def test_controls_have_as_many_looks_as_restarts(url):
    """A spike after a restart harms nobody by best epoch: the epochs before it count."""
    verdict = confirm(url, Known(effect=0.5), seeds=16)
    assert verdict.decision == "undecided"


@pytest.mark.slow
def test_without_any_luck_all_differences_are_equal_and_signs_decide(url):
    verdict = confirm(url, Known(effect=-0.25, spread=0.0), seeds=32)
    assert verdict.decision == "restarts help"
    assert [verdict.difference[name] for name in ("mean", "low", "high")] == pytest.approx([-0.25] * 3)


def test_of_a_maximized_metric_higher_is_better(tmp_path):
    workload = Known(effect=-0.5, metric="accuracy", direction="maximize")
    url = f"sqlite:///{tmp_path}/s.db"
    sweep(url, workload)
    verdict = confirm(url, workload, seeds=32)
    assert verdict.decision == "restarts help" and "accuracy is 0." in verdict.words
    assert "higher with restarts" in verdict.words
    assert 0 < verdict.difference["low"] < 0.5 < verdict.difference["high"]
    means = [
        candidate.mean
        for candidate in verdict.candidates
        if len(candidate.values) == len(verdict.best.values)
    ]
    assert means == sorted(means, reverse=True)


def test_candidates_that_are_clearly_behind_get_fewer_seeds(url):
    """The best trial of each arm in the search is much worse on other seeds."""
    ranked = search.load("s", url).ranked()
    firsts = [next(best for best in ranked if best.arm == arm) for arm in ("restarts", "cosine")]
    bad = [best.schedule.base_lr for best in firsts]
    verdict = confirm(url, Known(bad=bad), seeds=16)
    counts = {candidate.number: len(candidate.values) for candidate in verdict.candidates}
    assert [counts[best.number] for best in firsts] == [sequential_test.looks(16)[0]] * 2
    assert max(counts.values()) == 16
    assert {candidate.number for candidate in verdict.candidates[-2:]} == {best.number for best in firsts}


def test_a_study_without_controls_is_undecided_and_says_why(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    sweep(url, Known(), trials=6, controls=0, space=search.Space(T_0=(1, 3)))
    verdict = confirm(url, Known())
    assert verdict.decision == "undecided" and verdict.control is None and verdict.difference is None
    assert verdict.words == (
        "undecided: no control was completed in the search, so restarts have nothing to be compared with; "
        "give the study more trials, or a higher cost, by --resume, or another one a share of --controls"
    )
    assert verdict.best.number == verdict.restarts and search.load("s", url).verdict == verdict


def test_a_control_has_as_many_looks_as_restarts():
    """Restarts choose among troughs under best-trough; a control has one alone: its best epoch is read."""
    candidate = Candidate(None, "restarts")
    controls = [Candidate(None, arm) for arm in ("cosine", "constant")]
    for objective in OBJECTIVES:
        assert candidate.objective(objective) == objective
        read = {control.objective(objective) for control in controls}
        assert read == {"best-epoch" if objective == "best-trough" else objective}


@pytest.mark.slow
def test_a_control_of_a_best_trough_study_is_worth_its_best_epoch(tmp_path):
    """It is best after its first epoch, which is no trough of a control."""
    url, rises = f"sqlite:///{tmp_path}/s.db", Known(rise=0.5, spread=0.0)
    sweep(url, rises, trials=8, objective="best-trough")
    verdict = confirm(url, rises, top=1, seeds=2)
    means = {candidate.arm: candidate.mean for candidate in verdict.candidates}
    assert means["cosine"] == means["constant"] == 2.0  # after the 2 steps of the first epoch, not at the end


@pytest.mark.parametrize(("epochs", "remarked"), [((3, 4, 5), True), ((3, 9, 9), False)])
def test_a_schedule_that_is_best_before_its_first_restart_is_remarked_on(epochs, remarked):
    best = search.Best(7, 0.1, WarmRestarts(0.1, 5), 5, 20, {}, 0, {}, "restarts", None)
    read = Candidate(best, "restarts", dict.fromkeys(range(3), 0.1), dict(enumerate(epochs)))
    rounds = race.Rounds(SimpleNamespace(stored=stored()), [read], range(3), None, None, search.Callback())
    rounds._done = 3
    assert ("before its first restart, after 5" in rounds._without_restart(7)) is remarked


# Candidates that fail


def test_candidates_that_diverge_are_out_with_the_epoch_and_the_seed(url):
    limit = np.median([best.schedule.base_lr for best in search.load("s", url).ranked()])
    verdict = confirm(url, Known(breaks_above=limit), top=99)
    failed = {candidate.number: candidate for candidate in verdict.candidates if candidate.failed}
    assert {
        candidate.number for candidate in verdict.candidates if candidate.schedule.base_lr > limit
    } == set(failed)
    assert 0 < len(failed) < len(verdict.candidates)
    for candidate in failed.values():
        assert candidate.mean is None and candidate.values == {}
        assert candidate.failed.startswith("diverged at epoch 1 on seed ")
    assert {candidate.number for candidate in verdict.candidates[-len(failed) :]} == set(failed)
    study = search.load("s", url)
    assert {best.number for best in study.top(99)[-len(failed) :]} == set(failed)


@pytest.fixture(scope="module")
def half_diverged(known_file, tmp_path_factory):
    """The file of the study confirmed where all restarts diverge, and the verdict; only to be read."""
    folder = tmp_path_factory.mktemp("diverged")
    verdict = confirm(copied(known_file, folder), Known(breaks_above=0, broken=[1]))
    return folder / "s.db", verdict


def test_where_one_side_has_diverged_the_verdict_says_so(half_diverged):
    _, verdict = half_diverged
    assert verdict.decision == "undecided" and verdict.restarts is None and verdict.best.arm != "restarts"
    said = "undecided: no schedule with restarts could be trained again; trial "
    assert verdict.words.startswith(said) and "diverged at epoch" in verdict.words


def test_where_all_have_diverged_it_is_an_error_and_the_best_is_one_not_tried(url):
    with pytest.raises(RuntimeError, match=r"no candidate could be trained again: diverged at epoch 1 on"):
        confirm(url, Known(breaks_above=0))
    study = search.load("s", url)
    assert study.verdict.best is None
    tried = {candidate.number for candidate in study.verdict.candidates}
    assert study.best.number not in tried and study.best.confirmed is None
    assert {best.number for best in study.top(99)[-len(tried) :]} == tried


def test_what_has_diverged_is_not_trained_again(half_diverged, tmp_path, trained):
    file, first = half_diverged
    again = confirm(copied(file, tmp_path), Known(breaks_above=0, broken=[1]))
    assert again == first and trained == []


def test_models_of_a_run_that_diverged_are_not_kept_from_there_on(half_diverged):
    study = search.load("s", f"sqlite:///{half_diverged[0]}")
    for snapshot in Snapshots(study.snapshot_folder).all():
        assert all(np.isfinite(value) for value in snapshot.values.values())
