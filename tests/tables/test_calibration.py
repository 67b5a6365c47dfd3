"""How answers are judged on planted truths and on tables."""

import numpy as np
import pytest

from experiments.tables import calibration, truths
from experiments.tables.calibration import judged, outcomes
from experiments.tables.truths import Planted, Truth, hidden
from sgdr import WarmRestarts
from sgdr.search.study.answer import answer
from sgdr.search.study.belief import Belief
from sgdr.search.study.evidence import Tried, evidence
from tests.tables.planted import table

SPACE = {"base_lr": [1e-3, 1.0], "hparams": {}}


def test_a_planted_truth_is_what_its_trainings_tend_to():
    planted = Planted(0.03, 0.01).truth(0)
    rows = {entry.shape: row for row, entry in enumerate(planted.table.entries) if row % 13 == 6}
    assert planted.apart(rows["restarts"], rows["cosine"]) == (pytest.approx(0.03), 0.0)
    assert planted.table.worth.mean(1) == pytest.approx(planted.means, abs=0.01)
    assert planted.means[planted.best()] == planted.means.min()
    assert planted.table.entries[planted.best()].shape != "restarts"


def test_the_truth_of_a_table_is_that_of_seeds_which_the_search_does_not_see():
    noisy = table("cosine/0", noise=0.01)
    truth = hidden(noisy, 0)
    seen = truth.table.worth[:, : truth.seeds]
    assert truth.seeds == 4 and np.allclose((seen.mean(1) + truth.means) / 2, noisy.worth.mean(1))
    assert np.median(truth.luck) == pytest.approx(0.01 / 2, rel=0.2)
    assert truth.best([3, 5]) in (3, 5) and truth.apart(3, 3) == (0.0, 0.0)
    assert not np.allclose(hidden(noisy, 1).means, truth.means)


def test_an_answer_is_judged_by_the_truth():
    losses = {"cosine": [0.30, 0.302, 0.298] * 8, "restarts": [0.341, 0.34, 0.339] * 8}
    schedules = {"cosine": WarmRestarts(0.1, 60), "restarts": WarmRestarts(0.1, 15)}
    tried = [
        Tried(row, shape, schedules[shape], {}, 60, seen, min(seen))
        for row, (shape, seen) in enumerate(losses.items())
    ]
    reached = answer(Belief(evidence(tried, SPACE)), "loss", "minimize", 48.0)
    for means, is_true in (([0.3, 0.34], True), ([0.5, 0.4], False)):
        true, nothing = np.array(means), np.zeros(2)
        outcome = judged(reached, Truth(table(""), 8, true, nothing, true), tried)
        assert outcome.decided and outcome.over_cosine is None
        assert [outcome.value, outcome.right, outcome.near_tried, outcome.near_best] == [is_true] * 4
    lucky = judged(reached, Truth(table(""), 8, true, nothing + 1, true), tried)
    assert lucky.value and lucky.right and lucky.near_best is None


def test_outcomes_are_told_of_every_truth_and_cost(monkeypatch, capsys):
    monkeypatch.setattr(calibration, "names", list)
    monkeypatch.setattr(truths, "SEEDS", 8)
    found = outcomes("+0 ± 0.01", [0], costs=(2, 4))
    assert [len(found[cost]) for cost in (2, 4)] == [1, 1]
    monkeypatch.setattr(calibration, "outcomes", lambda name, repeats: found)
    monkeypatch.setattr("sys.argv", ["calibration", "+0 ± 0.003", "--repeats", "1"])
    calibration.main()
    printed = capsys.readouterr().out
    assert "+0 ± 0.003" in printed and "all planted" in printed and "near best" in printed
