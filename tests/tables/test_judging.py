"""Distances to the best, and how sure they are."""

import numpy as np
import pytest

from experiments.tables.judging import Repeats, floor, noise
from experiments.tables.table import attainable
from tests.tables.planted import table


def test_half_of_the_seeds_are_seen_and_four_at_most():
    assert Repeats.of(table("", seeds=4), 3).seen == 2
    repeats = Repeats.of(table(""), 3)
    assert repeats.seen == 4 and len(repeats.orders) == 3
    assert sorted(repeats.orders[1]) == list(range(8)) != repeats.orders[1]


def test_the_truth_is_read_where_nobody_has_looked():
    planted = table("", noise=0.1)
    repeats = Repeats.of(planted, 5)
    losses = repeats.true(planted, [4, 4, 9])
    for repeat, row in enumerate((4, 4, 9)):
        seen, hidden = repeats.orders[repeat][:4], repeats.orders[repeat][4:]
        assert losses.whole[repeat] == pytest.approx(planted.worth[row, hidden].mean())
        assert np.isnan(losses.without[repeat, seen]).all()
        assert losses.without[repeat, hidden[1]] == pytest.approx(
            planted.worth[row, [hidden[0], *hidden[2:]]].mean()
        )


def test_who_names_nothing_has_the_worst():
    planted = table("")
    assert Repeats.of(planted, 1).true(planted, [-1]).whole == pytest.approx(planted.worst)


def test_differences_are_paired_and_of_as_many_repeats_as_both_have():
    planted = table("", noise=0.1)
    repeats = Repeats.of(planted, 50)
    one, same = repeats.true(planted, [4] * 50), repeats.true(planted, [4] * 20)
    difference = (one - same).estimate()
    assert difference == (0, 0, 0) and len((one - same).whole) == 20
    assert (one * 2 - one).estimate() == pytest.approx(one.estimate())
    assert (one - 1).estimate().mean == pytest.approx(one.estimate().mean - 1)


def test_the_interval_of_one_row_is_that_of_a_mean_over_the_seeds():
    misses, naive = 0, 0
    for seed in range(80):
        planted = table("", noise=0.01, seed=seed)
        estimate = Repeats.of(planted, 60).true(planted, [100] * 60).estimate()
        off = abs(estimate.mean - float(table("").worth[100].mean()))
        misses += off > estimate.reach
        naive += off > estimate.within
    assert misses <= 10 and naive > 40


def test_the_attainable_is_that_of_the_table_and_its_interval_covers_the_truth():
    planted = [table("linear/0", noise=0.01, seed=seed) for seed in range(20)]
    floors = [floor(one) for one in planted]
    assert floors[0].mean == attainable(planted[0].worth)
    assert sum(abs(one.mean - 0.25) > one.reach for one in floors) <= 2
    assert noise(planted[0]) == pytest.approx(0.01, rel=0.25)
