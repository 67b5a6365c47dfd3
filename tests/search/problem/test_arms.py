"""Arms: which one a schedule is of, and that each gets its share of the trials."""

import itertools
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr import WarmRestarts
from sgdr.search.problem.arms import BLOCK, DEFAULT_SHARE, Places, arm_of, next_arm, planned
from sgdr.shapes import DEFAULT_SHAPES, SHAPES

ARMS = ("restarts", "cosine", "constant")
CONTROLS = ARMS[1:]
FEW = settings(deadline=None, max_examples=100)


def dealt(trials: int, share: float, begun: Mapping[str, int] | None = None) -> list[str]:
    """The arms of the trials, in order, of a search of `trials` that has begun with these."""
    counts = Counter(begun)
    arms = []
    while sum(counts.values()) < trials:
        arms.append(next_arm(counts, share, trials, ARMS))
        counts[arms[-1]] += 1
    return arms


@pytest.mark.parametrize(
    ("T_0", "T_mult", "arm"),
    [(1, 1, "restarts"), (29, 3, "restarts"), (30, 1, "cosine"), (31, 1, "cosine"), (10**6, 2, "cosine")],
)
def test_a_schedule_that_does_not_restart_within_the_budget_is_one_cosine(T_0, T_mult, arm):
    assert arm_of(WarmRestarts(0.1, T_0, T_mult, 0.01), 30) == arm
    assert arm_of(WarmRestarts(0.1, T_0, T_mult, 0.0), 30) == arm


@pytest.mark.parametrize("T_0", [1, 7, 30, 31])
def test_a_rate_that_never_falls_is_constant_whatever_its_cycles(T_0):
    assert arm_of(WarmRestarts(0.1, T_0, 2, 0.1), 30) == "constant"
    assert arm_of(WarmRestarts(0.1, T_0, 2, 0.0999), 30) != "constant"


@FEW
@given(
    st.floats(0.01, 1),
    st.integers(1, 40),
    st.integers(1, 3),
    st.floats(0, 0.9),
    st.none() | st.integers(1, 3),
    st.integers(1, 60),
)
def test_an_arm_is_what_the_rates_within_the_budget_do(base_lr, T_0, T_mult, ratio, cycles, budget):
    schedule = WarmRestarts(base_lr, T_0, T_mult, base_lr * ratio, cycles=cycles)
    rates = [schedule(quarter / 4) for quarter in range(4 * budget)]
    rises = any(after > before for before, after in itertools.pairwise(rates))
    assert arm_of(schedule, budget) == ("restarts" if rises else "cosine")


def test_peaks_that_fall_are_no_constant_rate():
    assert arm_of(WarmRestarts(0.1, 5, 1, 0.1, peak_decay=0.5), 30) == "restarts"


@pytest.mark.parametrize(
    ("trials", "counts"),
    [(8, (6, 1, 1)), (16, (12, 2, 2)), (64, (48, 8, 8)), (128, (96, 16, 16)), (1000, (750, 125, 125))],
)
def test_a_quarter_of_the_trials_are_controls_half_of_them_of_each_kind(trials, counts):
    assert DEFAULT_SHARE == 0.25
    assert Counter(dealt(trials, DEFAULT_SHARE)) == dict(zip(ARMS, counts, strict=True))


@FEW
@given(st.integers(1, 300), st.floats(0, 0.9))
def test_of_any_number_of_trials_each_control_has_half_of_the_share(trials, share):
    counts = Counter(dealt(trials, share))
    for control in CONTROLS:
        assert abs(counts[control] - share / 2 * trials) <= 1
    assert abs(counts["restarts"] - (1 - share) * trials) <= 2 and counts["restarts"] >= 1


@FEW
@given(st.integers(1, 300), st.floats(0, 0.9))
def test_in_every_block_the_controls_come_first_and_together(trials, share):
    arms = dealt(trials, share)
    for start in range(0, trials, BLOCK):
        block = arms[start : start + BLOCK]
        order = [arm for arm, _ in itertools.groupby(block)]
        assert order == [arm for arm in (*CONTROLS, "restarts") if arm in block]
        assert block.count("cosine") == pytest.approx(share / 2 * len(block), abs=1)


@FEW
@given(st.integers(1, 300), st.dictionaries(st.sampled_from(ARMS), st.integers(0, 50)))
def test_without_a_share_there_are_no_controls_whatever_was_begun(trials, begun):
    assert set(dealt(trials, 0.0, begun)) <= {"restarts"}


@FEW
@given(st.lists(st.integers(1, 20), min_size=1, max_size=4))
def test_a_search_that_is_extended_again_and_again_keeps_its_shares(eighths):
    counts: Counter[str] = Counter()
    for end in itertools.accumulate(eighths):
        counts.update(dealt(8 * end, 0.25, counts))
        assert counts == {"restarts": 6 * end, "cosine": end, "constant": end}


@pytest.mark.parametrize("arm", CONTROLS)
def test_a_control_that_failed_is_made_up_for_next(arm):
    counts = {"restarts": 20, "cosine": 8, "constant": 8}
    assert next_arm(counts, 0.25, 64, ARMS) == "restarts"
    assert next_arm({**counts, arm: 7}, 0.25, 64, ARMS) == arm


@FEW
@given(st.integers(1, 300), st.floats(0, 0.9))
def test_places_are_dealt_as_one_after_the_other(trials, share):
    places = Places({}, {}, share, trials, ARMS)
    arms = dealt(trials, share)
    assert [places[place][0] for place in range(trials)] == arms
    draws: Counter[str] = Counter()
    for place, arm in enumerate(arms):
        assert places[place] == (arm, draws[arm])
        draws[arm] += 1


@FEW
@given(st.integers(1, 100), st.floats(0, 0.9), st.lists(st.integers(0, 150), max_size=20))
def test_a_place_is_the_same_whenever_it_is_asked_for(trials, share, asked):
    """Also those after the last: where trials fail there are more places than trials."""
    places = Places({}, {}, share, trials, ARMS)
    assert [places[place] for place in asked] == [
        Places({}, {}, share, trials, ARMS)[place] for place in asked
    ]


@FEW
@given(st.integers(1, 200), st.integers(0, 200), st.floats(0, 0.9))
def test_a_run_that_is_resumed_deals_what_is_left(first, more, share):
    begun = Counter(dealt(first, share))
    places = Places(begun, begun, share, first + more, ARMS)
    left = dealt(first + more, share, begun)
    assert [places[place][0] for place in range(more)] == left
    for arm in ARMS:
        draws = [draw for name, draw in (places[place] for place in range(more)) if name == arm]
        assert draws == list(range(begun[arm], begun[arm] + len(draws)))


def test_what_failed_before_counts_as_drawn_and_not_as_begun():
    begun = {"restarts": 20, "cosine": 7, "constant": 8}
    places = Places(begun, {**begun, "cosine": 9}, 0.25, 64, ARMS)
    assert [places[place] for place in range(3)] == [("cosine", 9), ("restarts", 20), ("restarts", 21)]
    assert begun == {"restarts": 20, "cosine": 7, "constant": 8}


@pytest.mark.parametrize(
    ("trials", "counts"),
    [
        (4, (4, 0, 0, 0, 0)),
        (6, (4, 1, 1, 0, 0)),
        (8, (6, 1, 1, 0, 0)),
        (16, (12, 1, 1, 1, 1)),
        (64, (48, 4, 4, 4, 4)),
        (256, (192, 16, 16, 16, 16)),
    ],
)
def test_by_default_a_quarter_is_split_among_four_of_few_trials_the_first_ones(trials, counts):
    assert DEFAULT_SHAPES == ("restarts", "cosine", "linear", "wsd", "constant")
    expected = {arm: count for arm, count in zip(DEFAULT_SHAPES, counts, strict=True) if count}
    assert planned(DEFAULT_SHARE, trials, DEFAULT_SHAPES) == expected


SOME = st.sets(st.sampled_from(list(SHAPES)), min_size=1).map(
    lambda names: [name for name in SHAPES if name in names]
)


@FEW
@given(st.integers(1, 300), st.floats(0, 0.9), SOME)
def test_the_controls_are_as_many_whatever_their_shapes_and_each_has_as_many(trials, share, shapes):
    counts = planned(share, trials, shapes)
    controls = [counts.get(arm, 0) for arm in shapes if arm != "restarts"]
    assert sum(counts.values()) == trials and counts.keys() <= set(shapes)
    if controls:
        assert controls == sorted(controls, reverse=True) and controls[0] - controls[-1] <= 1
    if "restarts" in shapes:
        dealt_before = trials - Counter(dealt(trials, share))["restarts"]
        assert sum(controls) == (dealt_before if controls else 0)
        assert counts["restarts"] >= 1


@FEW
@given(st.integers(1, 300), st.floats(0, 0.9), SOME)
def test_of_any_shapes_places_are_as_planned(trials, share, shapes):
    places = Places({}, {}, share, trials, shapes)
    assert Counter(places[place][0] for place in range(trials)) == planned(share, trials, shapes)
    assert places[trials + 70][0] in shapes  # where trials fail there are more places than trials
