"""Searches by hand, replayed on a table whose best schedule is known."""

import numpy as np
import pytest

from experiments.tables import peers
from experiments.tables.lineup import splits
from experiments.tables.peers import by_hand, rows_of, staged, staged_variants
from experiments.tables.trials import Replay, course
from tests.tables.planted import BEST, table


def named(search, replay, **numbers):
    """The row that a search names in the end."""
    return course(lambda replay: search(replay, **numbers), replay)[-1][1]


def test_the_hand_finds_the_best_peak_of_one_cosine_and_no_restarts():
    planted = table("restarts/4x2 0")
    replay = Replay(planted, [0])
    row = named(by_hand, replay, peaks=13)
    assert planted.entries[row].shape == "cosine" and planted.entries[row].schedule.base_lr == BEST
    assert replay.spent == 13


@pytest.mark.parametrize(("helps", "shape"), [("restarts/4x2 0", "restarts"), ("linear/0", "cosine")])
def test_staging_finds_the_restarts_that_it_tries(helps, shape):
    planted = table(helps)
    replay = Replay(planted, [0, 1, 2, 3])
    row = named(staged, replay, peaks=13)
    assert planted.entries[row].shape == shape and planted.entries[row].schedule.base_lr == BEST
    assert replay.spent == 13 + len(staged_variants(planted)) + 9


@pytest.mark.parametrize(("cost", "spent"), [(16, 16), (19, 19), (24, 21), (48, 21)])
def test_staging_is_as_large_as_its_cost_allows(cost, spent):
    replay = Replay(table(""), [0, 1, 2, 3], cost)
    course(peers.staged_within, replay)
    assert replay.spent == spent


def test_staging_once_spends_up_to_twelve():
    costs = []
    for cost in (10, 12, 48):
        replay = Replay(table(""), [0], cost)
        course(peers.staged_once, replay)
        costs.append(replay.spent)
    assert costs == [10, 12, 12]


def test_more_seeds_choose_better_where_luck_is_large():
    planted = table("", noise=0.02)
    truth = planted.losses[:, :, 0].mean(1)
    orders = [np.random.default_rng(number).permutation(8).tolist() for number in range(60)]
    once = [truth[named(by_hand, Replay(planted, order), peaks=6)] for order in orders]
    thrice = [truth[named(by_hand, Replay(planted, order), peaks=6, seeds=3)] for order in orders]
    assert np.mean(thrice) < np.mean(once)


def test_few_peaks_lie_in_the_middle():
    rows = rows_of(table(""), "cosine", "0")
    assert named(by_hand, Replay(table(""), [0]), peaks=1) == rows[6]


def test_every_split_spends_what_it_says():
    planted = table("")
    assert len(splits(4)) == 11 * (1 + 3 * 3)
    for peer in splits(4)[::7]:
        replay = Replay(planted, [0, 1, 2, 3], peer.least)
        course(peer.search, replay)
        assert replay.spent == peer.least


def test_one_epoch_of_each_peak_is_finished_from_where_it_stood():
    planted = table("")
    replay = Replay(planted, [0], 3)
    steps = course(peers.first_epochs_of_peaks, replay)
    assert planted.entries[steps[-1][1]].schedule.base_lr == BEST
    assert [spent for spent, _ in steps] == pytest.approx([13 / 60, (13 + 59) / 60, (13 + 2 * 59) / 60])


def test_one_epoch_of_any_schedules_takes_half_of_the_cost():
    planted = table("")
    replay = Replay(planted, [0], 3)
    steps = course(peers.first_epochs_of_any, replay)
    assert steps[0][0] == pytest.approx(1.5)
    assert planted.worth[steps[-1][1], 0] == min(planted.worth[row, 0] for _, row in steps)
