"""Trials on a table: what they show, and what they cost."""

import numpy as np
import pytest

from experiments.tables.trials import NoSeedLeftError, Replay, SpentError, at_cost, course
from tests.tables.planted import table


def test_a_trial_that_goes_on_pays_the_rest_only():
    replay = Replay(table(""), [3], cost=1)
    trial = replay.begin(0)
    assert replay.spent == 0 and trial.worth == np.inf
    trial.train(15)
    assert replay.spent == pytest.approx(0.25) and len(trial.losses) == len(trial.select) == 15
    assert not trial.ended and not replay.count(0)
    trial.train(15)
    assert replay.spent == pytest.approx(0.25)
    assert trial.train() == replay.mean(0)
    assert trial.ended and not trial.diverged and replay.left == 0 and replay.best() == 0


def test_the_worth_so_far_is_of_the_epoch_that_is_selected():
    planted = table("")
    planted.losses[5, 2, :3], planted.select[5, 2, :3] = (0.5, 0.7, 0.2), (0.6, 0.4, 0.5)
    trial = Replay(planted, [2]).begin(5)
    assert [trial.train(epoch) for epoch in (1, 2, 3)] == pytest.approx([0.5, 0.7, 0.7])


def test_nothing_is_trained_beyond_the_cost():
    replay = Replay(table(""), [0, 1], cost=1.5)
    replay.train(0)
    trial = replay.begin(0)
    with pytest.raises(SpentError, match=r"60 epochs are more than the 0\.500 trainings"):
        trial.train()
    assert replay.spent == 1 and trial.epoch == 0
    trial.train(30)
    with pytest.raises(SpentError):
        trial.train(31)


def test_a_trial_that_diverges_costs_what_it_was_trained():
    planted = table("")
    planted.losses[0, 0, 5:] = np.nan
    replay = Replay(planted, [0])
    trial = replay.begin(0)
    trial.train(5)
    assert not trial.diverged
    assert trial.train(20) == planted.worst
    assert trial.diverged and trial.ended and replay.spent == pytest.approx(6 / 60)
    trial.train()
    assert replay.spent == pytest.approx(6 / 60)


def test_a_schedule_is_begun_once_on_each_seed():
    replay = Replay(table("", noise=0.1), [4, 2])
    assert [replay.begin(0).seed, replay.begin(0).seed, replay.begin(1).seed] == [4, 2, 4]
    assert replay.seeds_left(0) == 0 and replay.seeds_left(1) == 1
    with pytest.raises(NoSeedLeftError, match="row=0 has had all 2 seeds"):
        replay.train(0)


def test_a_course_ends_where_the_cost_is_spent():
    def search(replay):
        for row in range(100):
            replay.train(row)
            yield row

    named = course(search, Replay(table(""), [0], cost=3))
    assert named == [(1, 0), (2, 1), (3, 2)]
    assert at_cost(named, 2.5) == (2, 1) and at_cost(named, 0.5) == (0, -1)
