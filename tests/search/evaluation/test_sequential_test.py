"""Who needs more seeds, and whether they are enough: against SciPy, and by simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sgdr.search.evaluation.sequential_test import (
    BEHIND,
    ERROR,
    Difference,
    compare,
    interval,
    leader,
    level,
    looks,
    more_seeds,
    paired,
    remaining,
)

SEEDS = 64
SLOW = pytest.mark.slow  # a case of `make test-all` alone
REPEATS = 300

series = st.lists(st.floats(-100, 100).map(lambda value: round(value, 3)), min_size=2, max_size=20)


def by_seed(values):
    return dict(enumerate(map(float, values)))


def race(means, rng, arms, seeds=SEEDS, spread=1.0, shared=0.5):
    """The decision on candidates with these true means, and the seeds that it took, as `Rounds` does it.

    A seed is easy or hard for all (`shared`); `arms` says which candidates have restarts.
    """
    noise = spread * rng.standard_normal((len(means), seeds)) + shared * rng.standard_normal(seeds)
    values = [by_seed(mean + row) for mean, row in zip(means, noise, strict=True)]
    known = {number: {} for number in range(len(means))}
    racing = set(known)
    for done in looks(seeds):
        for number in racing:
            known[number] = {seed: values[number][seed] for seed in range(done)}
        groups = [{n: known[n] for n in known if arms[n] is side} for side in (True, False)]
        decision, *_ = compare(*groups, done, seeds)
        if decision != "undecided":
            break
        racing = {number for group in groups for number in remaining(group)}
    return decision, done


def decisions(means, arms, repeats=REPEATS, **how):
    """How often each is decided."""
    rng = np.random.default_rng(0)
    reached = [race(means, rng, arms, **how)[0] for _ in range(repeats)]
    return {name: reached.count(name) / repeats for name in ("restarts help", "restarts do not help")}


def standard_errors(count):
    """A true difference of so many of its standard errors after all seeds, where each value spreads by 1."""
    return count * np.sqrt(2 / SEEDS)


# Looks


@given(st.integers(2, 10**6))
def test_looks_double_from_two_or_more_and_end_at_the_seeds(seeds):
    ends = looks(seeds)
    assert ends[-1] == seeds and ends[0] >= 2 and ends == sorted(set(ends)) and len(ends) <= 4
    assert all(before < after <= 2 * before for before, after in itertools.pairwise(ends))


def test_sixty_four_seeds_are_looked_at_after_8_16_32_and_all():
    assert looks(64) == [8, 16, 32, 64]
    assert looks(2) == [2] and looks(3) == [3] and looks(5) == [4, 5] and looks(20) == [4, 5, 10, 20]


def test_differences_that_are_the_same_but_for_rounding_are_no_evidence_of_precision():
    """Differences of 2 seeds, as errors of 258 examples in float32 gave them: a t test would be certain."""
    rounded = paired({1: 0.011627908796, 2: 0.011627906933}, {1: 0.0, 2: 0.0})
    assert rounded.p_higher == 0.25
    values = {1: {1: 0.0, 2: 0.0}, 2: {1: 0.011627908796, 2: 0.011627906933}}
    assert remaining(values) == [1, 2]


@given(st.integers(2, 10**6))
def test_all_looks_together_spend_the_whole_error(seeds):
    spent = [level(done, seeds) for done in looks(seeds)]
    assert sum(spent) == pytest.approx(ERROR) and all(part > 0 for part in spent)
    assert ERROR == 0.05


# One comparison


@settings(deadline=None)
@given(series)
def test_the_interval_is_the_t_interval_of_scipy(values):
    mean, low, high = interval(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-9)
    if np.std(values) > 1e-6:
        expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (low, high) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    else:
        assert low == high == mean


def test_the_interval_of_one_value_is_that_value():
    assert interval([0.3]) == (0.3, 0.3, 0.3)


@settings(deadline=None)
@given(series, st.integers(0, 10**6))
def test_the_paired_difference_is_the_paired_t_test_of_scipy(values, seed):
    a = np.array(values) + np.random.default_rng(seed).standard_normal(len(values))
    estimate = paired(by_seed(a), by_seed(values))
    lower, higher = (stats.ttest_rel(a, values, alternative=side) for side in ("less", "greater"))
    assert estimate.p_lower == pytest.approx(lower.pvalue, rel=1e-6, abs=1e-9)
    assert estimate.p_higher == pytest.approx(higher.pvalue, rel=1e-6, abs=1e-9)
    both = stats.ttest_rel(a, values).confidence_interval(0.95)
    assert (estimate.low, estimate.high) == pytest.approx((both.low, both.high), rel=1e-6, abs=1e-9)
    assert estimate.seeds == len(values) and estimate.mean == pytest.approx(np.mean(a - values), abs=1e-9)


def test_only_seeds_that_both_have_are_paired():
    estimate = paired({1: 5.0, 2: 1.0, 3: 2.0}, {2: 0.5, 3: 1.0, 9: 70.0})
    assert estimate.seeds == 2 and estimate.mean == pytest.approx(0.75)


@given(series)
def test_swapping_the_two_mirrors_the_difference(values):
    a, b = by_seed(values), by_seed(reversed(values))
    one, other = paired(a, b, above=0.01, below=0.02), paired(b, a, above=0.02, below=0.01)
    assert (one.mean, one.low, one.high) == pytest.approx((-other.mean, -other.high, -other.low), abs=1e-9)
    assert (one.p_lower, one.p_higher) == pytest.approx((other.p_higher, other.p_lower), abs=1e-9)


@pytest.mark.parametrize(("by", "lower", "higher"), [(-0.5, 0.5**8, 1), (0.5, 1, 0.5**8), (0.0, 1, 1)])
def test_equal_differences_are_tested_by_their_signs(by, lower, higher):
    a = {seed: 0.25 * seed + by for seed in range(8)}
    estimate = paired(a, {seed: 0.25 * seed for seed in range(8)})
    assert (estimate.mean, estimate.low, estimate.high, estimate.deviation) == (by, by, by, 0.0)
    assert (estimate.p_lower, estimate.p_higher) == (lower, higher)


@pytest.mark.parametrize("common", [0, 1])
def test_fewer_than_two_common_seeds_are_refused(common):
    a, b = dict.fromkeys(range(3), 1.0), dict.fromkeys(range(3 - common, 9), 1.0)
    with pytest.raises(ValueError, match=f"{common} common seeds; at least two"):
        paired(a, b)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.floats(-2, 2))
def test_the_interval_leaves_out_nothing_exactly_where_it_is_decided(seed, ours, theirs, effect):
    rng = np.random.default_rng(seed)
    restarts = {n: by_seed(rng.standard_normal(16) + effect) for n in range(ours)}
    controls = {10 + n: by_seed(rng.standard_normal(16)) for n in range(theirs)}
    decision, best, control, estimate = compare(restarts, controls, 16, 64)
    assert best == leader(restarts) and control == leader(controls)
    expected = (
        "restarts help" if estimate.high < 0 else "restarts do not help" if estimate.low > 0 else "undecided"
    )
    assert decision == expected


def test_differences_without_noise_are_decided_once_the_seeds_are_many():
    better, worse = by_seed([0.25] * 16), by_seed([0.5] * 16)
    assert compare({0: better}, {1: worse}, 16, 16)[0] == "restarts help"
    assert compare({0: worse}, {1: better}, 16, 16)[0] == "restarts do not help"
    assert compare({0: better}, {1: better}, 16, 16)[0] == "undecided"
    assert compare({0: by_seed([0.25] * 2)}, {1: by_seed([0.5] * 2)}, 2, 2)[0] == "undecided"


# Who goes on


def test_the_leader_is_the_lowest_of_those_with_the_most_seeds():
    assert leader({4: by_seed([1, 2]), 7: by_seed([1, 1]), 8: by_seed([0])}) == 7
    assert leader({4: by_seed([1, 1]), 7: by_seed([1, 1])}) == 4


def test_the_clearly_worse_are_out_and_the_leader_and_its_equals_stay():
    rng = np.random.default_rng(1)
    base = rng.standard_normal(16)
    group = {
        0: by_seed(base),
        1: by_seed(base + 0.01 * rng.standard_normal(16)),
        2: by_seed(base + 2 + 0.1 * rng.standard_normal(16)),
        3: by_seed(base),
    }
    assert remaining(group) == [0, 1, 3]


def test_who_has_fewer_seeds_than_the_leader_is_out_for_good():
    assert remaining({0: by_seed([1, 1.1, 1.2]), 1: by_seed([0.1, 0.2]), 2: {}}) == [0]


def test_nobody_is_out_after_one_seed():
    assert remaining({0: by_seed([1]), 1: by_seed([9])}) == [0, 1]


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-9, 9), min_size=6, max_size=6), min_size=1, max_size=6))
def test_somebody_always_goes_on(rows):
    group = {number: by_seed(row) for number, row in enumerate(rows)}
    assert leader(group) in remaining(group)


def test_differences_too_small_for_a_square_decide_nothing():
    estimate = paired(by_seed([0, 0, 0, 1e-172]), by_seed([0, 0, 0, 0]))
    assert (estimate.p_lower, estimate.p_higher) == (1.0, 1.0)


def test_one_as_good_as_the_leader_is_seldom_out():
    rng = np.random.default_rng(2)
    out = 0
    for _ in range(REPEATS):
        group = {number: by_seed(rng.standard_normal(16)) for number in range(2)}
        out += len(remaining(group)) == 1
    assert out / REPEATS <= 2 * BEHIND + 0.04  # either may lead


# Operating characteristics. An error of 5 % is 50 of 1,000 repeats, with a standard deviation of 7.
MANY = 1000
AT_MOST = 0.05 + 2 * 0.007


@pytest.mark.parametrize("share", [0.0, pytest.param(3.0, marks=SLOW)])
def test_without_an_effect_it_seldom_decides(share):
    outcomes = decisions([0, 0], [True, False], repeats=MANY, shared=share)
    assert sum(outcomes.values()) <= AT_MOST


@pytest.mark.parametrize("seeds", [2, *(pytest.param(seeds, marks=SLOW) for seeds in (4, 20))])
def test_without_an_effect_it_seldom_decides_also_on_few_seeds(seeds):
    assert sum(decisions([0, 0], [True, False], repeats=MANY, seeds=seeds).values()) <= AT_MOST


def test_many_candidates_against_one_control_are_no_help_by_their_number():
    outcomes = decisions([0] * 11, [True] * 10 + [False], repeats=200)
    assert outcomes["restarts help"] <= 0.05


@pytest.mark.slow
def test_many_controls_against_one_candidate_are_no_harm_by_their_number():
    outcomes = decisions([0] * 11, [True] + [False] * 10, repeats=200)
    assert outcomes["restarts do not help"] <= 0.05


@pytest.mark.parametrize(
    ("errors", "candidates"),
    [(4.0, 1), *(pytest.param(*case, marks=SLOW) for case in ((4.0, 3), (6.0, 1), (6.0, 3)))],
)
def test_a_big_effect_is_found_in_both_directions(candidates, errors):
    effect = standard_errors(errors)
    arms = [True] * candidates + [False] * candidates
    helps = decisions([-effect] * candidates + [0] * candidates, arms)
    hurts = decisions([effect] * candidates + [0] * candidates, arms)
    assert helps["restarts help"] > 0.8 and helps["restarts do not help"] == 0
    assert hurts["restarts do not help"] > 0.8 and hurts["restarts help"] == 0
    assert helps["restarts help"] == pytest.approx(hurts["restarts do not help"], abs=0.1)


def test_restarts_that_help_are_found_though_the_search_brought_bad_candidates_too():
    effect = standard_errors(5)
    outcomes = decisions([-effect, 1.0, 2.0, 0, 0.5, 1.5], [True] * 3 + [False] * 3)
    assert outcomes["restarts help"] > 0.8 and outcomes["restarts do not help"] == 0


def test_a_huge_effect_takes_few_seeds():
    rng = np.random.default_rng(3)
    reached = [race([-5, 0], rng, [True, False]) for _ in range(50)]
    assert {decision for decision, _ in reached} == {"restarts help"}
    assert np.mean([done for _, done in reached]) <= 16


def test_scale_and_offset_of_the_values_do_not_matter():
    small = decisions([-0.5, 0], [True, False], repeats=60)
    large = decisions([-500, 0], [True, False], repeats=60, spread=1000.0, shared=3e5)
    assert small == large


# How many more


def difference(mean, deviation, seeds):
    return Difference(mean, mean, mean, 0.5, 0.5, deviation, seeds)


@pytest.mark.parametrize("candidates", [1, 3])
@pytest.mark.parametrize("ratio", [0.25, -0.5])
def test_so_many_more_seeds_decide_in_about_four_of_five_cases(candidates, ratio):
    more = more_seeds(difference(ratio, 1.0, 8), candidates)
    assert more is not None
    rng = np.random.default_rng(4)
    x = rng.normal(abs(ratio), 1.0, (4000, 8 + more))
    t = x.mean(1) / (x.std(1, ddof=1) / np.sqrt(8 + more))
    share = np.mean(stats.t.sf(t, 7 + more) < ERROR / 2 / candidates)
    assert 0.75 <= share <= 0.85


@given(st.floats(0.1, 10), st.floats(0.01, 10), st.integers(2, 64), st.integers(1, 5))
def test_more_seeds_are_at_least_one_and_more_for_a_smaller_difference(mean, deviation, seeds, candidates):
    whole, half = (more_seeds(difference(m, deviation, seeds), candidates) for m in (mean, mean / 2))
    assert whole == more_seeds(difference(-mean, deviation, seeds), candidates)
    assert 1 <= whole <= half
    assert whole <= more_seeds(difference(mean, deviation, seeds), candidates + 1)


@pytest.mark.parametrize(
    "found", [difference(0.0, 1.0, 8), difference(0.5, 0.0, 2), difference(2e-10, 0.01, 8)]
)
def test_without_a_difference_or_without_noise_no_number_of_seeds_is_named(found):
    assert more_seeds(found, 3) is None
