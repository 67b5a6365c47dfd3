"""Replays of searches, on a table that is made up: the better the schedule, the lower its curve."""

import numpy as np
import pytest

from experiments.bench import replay, rules, search, verdicts
from experiments.bench.tables import ETA_RATIO, METRICS, Table, grid
from sgdr.search.problem.arms import arm_of

BUDGET, SEEDS = 40, 8


@pytest.fixture(scope="module")
def small() -> Table:
    schedules = grid(BUDGET)
    random = np.random.default_rng(0)
    level = np.array([0.2 + 0.1 * np.log(schedule.base_lr / 0.07) ** 2 for schedule in schedules])
    falling = np.exp(-np.arange(1, BUDGET + 1) / 8)
    curves = level[:, None, None] + 0.5 * falling + 0.01 * random.normal(size=(len(level), SEEDS, BUDGET))
    return Table("made-up", BUDGET, schedules, dict.fromkeys(METRICS, curves.astype(np.float32)))


def test_grid_has_both_controls_and_each_schedule_once() -> None:
    schedules = grid(100)
    arms = [arm_of(schedule, 100) for schedule in schedules]
    assert [arms.count(arm) for arm in ("restarts", "cosine", "constant")] == [224, 16, 8]
    assert len({str(schedule) for schedule in schedules}) == len(schedules)


def test_every_schedule_of_the_grid_is_its_own_nearest(small: Table) -> None:
    nearest = replay.Grid(small)
    assert [nearest.row(schedule) for schedule in small.schedules] == list(range(len(small.schedules)))
    assert len(ETA_RATIO) == 2


@pytest.mark.parametrize("pruner", replay.PRUNERS)
def test_pruners_on_given_schedules_cost_no_more_than_all_and_find_a_good_one(
    small: Table, pruner: str
) -> None:
    rows = np.random.default_rng(1).permutation(len(small.schedules))[:30].tolist()
    run = replay.in_order(small, 0, rows, replay.PRUNERS[pruner](BUDGET))
    assert run.rows.tolist() == rows and run.epochs[run.complete].tolist() == [BUDGET] * run.complete.sum()
    assert run.cost(30, BUDGET) <= 30 and (run.cost(30, BUDGET) == 30) is (pruner == "none")
    worth = replay.worths_of(small)[:, 0]
    best = run.finalists(30, worth)[0]
    assert worth[best] <= np.quantile(worth[rows], 0.2)


def test_our_search_is_the_products_own_and_finds_a_good_schedule(small: Table) -> None:
    nearest = replay.Grid(small)
    run = replay.ours(small, nearest, 0, 64, seed=3)
    again = replay.ours(small, nearest, 0, 64, seed=3)
    assert run.rows.tolist() == again.rows.tolist() and run.epochs.tolist() == again.epochs.tolist()
    arms = [arm_of(small.schedules[row], BUDGET) for row in run.rows]
    assert arms.count("constant") == 8 and run.cost(64, BUDGET) < 20
    worth = replay.worths_of(small)
    assert worth[run.finalists(64, worth[:, 0])[0]].mean() <= np.quantile(worth.mean(1), 0.2)
    row, cost = replay.confirmed(small, nearest, run, 0, 1, [5, 6])
    assert row in run.rows and cost == 6


def test_cost_between_two_numbers_of_trials_is_interpolated() -> None:
    points = [(10.0, 0.3), (20.0, 0.2)]
    assert search.at_cost(points, 15) == pytest.approx(0.25)
    assert np.isnan(search.at_cost(points, 25))


def test_rules_cost_less_than_all_and_differ(small: Table) -> None:
    rows = list(range(0, len(small.schedules), 5))
    results = rules.tried(small, 0, [6, 7], rows)
    assert set(results) == set(rules.RULES) and all(0 < cost < len(rows) for _, cost in results.values())
    assert len({cost for _, cost in results.values()}) > 5


def test_phase_is_one_at_the_peak_and_zero_at_troughs_and_for_a_constant_rate(small: Table) -> None:
    results = rules.phases(small)
    for row, schedule in enumerate(small.schedules):
        troughs = np.array(schedule.troughs(budget=BUDGET), int) - 1
        assert np.allclose(results[row, troughs], 0, atol=1e-6)
        assert results[row].min() >= 0 and results[row].max() < 1


def test_verdicts_on_a_large_difference_are_right_and_on_none_are_rare() -> None:
    large, none = (verdicts.simulated(effect, 60, seed=1) for effect in (6, 0))
    assert sum(searched.decision == "restarts help" for searched in large) >= 55
    assert sum(searched.decision != "undecided" for searched in none) <= 6
    assert all(searched.seeds == 64 for searched in none if searched.decision == "undecided")


def test_draws_keep_the_seeds_of_search_confirmation_and_truth_apart() -> None:
    for draw in search.draws(20, SEEDS):
        assert sorted([draw.searched, *draw.confirming, *draw.true]) == list(range(SEEDS))
