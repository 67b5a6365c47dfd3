"""What a trial is worth, against plain loops over its epochs."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr import WarmRestarts
from sgdr.search.problem.objective import (
    OBJECTIVES,
    chosen_epoch,
    curve_of,
    members,
    sign,
    stopping_budgets,
    value,
)

CURVES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40)
SCHEDULES = st.builds(WarmRestarts, st.just(0.1), st.integers(1, 15), st.integers(1, 3))


def plain_epoch(objective, select, schedule, direction):
    if objective == "final":
        return len(select)
    if objective == "ensemble":
        return max((end for end in ends(schedule, len(select)) if end <= len(select)), default=len(select))
    allowed = range(1, len(select) + 1)
    if objective == "best-trough":
        allowed = [epoch for epoch in allowed if any(epoch == end for end in ends(schedule, len(select)))]
    best = None
    for epoch in allowed:
        better = best is None or (
            select[epoch - 1] < select[best - 1]
            if direction == "minimize"
            else select[epoch - 1] > select[best - 1]
        )
        best = epoch if better else best
    return best


def ends(schedule, until):
    at, length = 0, schedule.T_0
    while at < until:
        at += length
        length *= schedule.T_mult
        yield at


@settings(deadline=None, max_examples=300)
@given(CURVES, SCHEDULES, st.sampled_from(OBJECTIVES), st.sampled_from(["minimize", "maximize"]), st.data())
def test_agrees_with_a_plain_loop(select, schedule, objective, direction, data):
    curve = data.draw(st.lists(st.floats(-1, 1), min_size=len(select), max_size=len(select)))
    expected = plain_epoch(objective, select, schedule, direction) or len(select)
    assert chosen_epoch(objective, select, schedule, direction) == expected
    if objective != "anytime":
        assert value(objective, curve, schedule, direction, select) == curve[expected - 1]
        assert value(objective, select, schedule, direction) == select[expected - 1]


@settings(deadline=None)
@given(CURVES, SCHEDULES, st.sampled_from(["minimize", "maximize"]), st.data())
def test_anytime_is_the_mean_over_all_budgets_that_halve_the_last(select, schedule, direction, data):
    curve = data.draw(st.lists(st.floats(-1, 1), min_size=len(select), max_size=len(select)))
    halvings = math.ceil(math.log2(len(select)))
    budgets = [math.ceil(len(select) / 2**k) for k in range(halvings + 1)]
    assert stopping_budgets(len(select)) == budgets
    had = [curve[plain_epoch("best-epoch", select[:stop], schedule, direction) - 1] for stop in budgets]
    assert value("anytime", curve, schedule, direction, select) == pytest.approx(sum(had) / len(had))


@settings(deadline=None)
@given(CURVES, SCHEDULES, st.integers(1, 40))
def test_who_is_as_good_sooner_is_no_worse_at_any_time(curve, schedule, lead):
    sooner = [min(curve[: epoch + lead]) for epoch in range(1, len(curve) + 1)]
    at_end = value("best-epoch", curve, schedule)
    assert at_end <= value("anytime", sooner, schedule) <= value("anytime", curve, schedule)


def test_an_ensemble_is_of_the_last_troughs_and_else_of_the_last_model():
    assert members(WarmRestarts(0.1, 2, 1), 13) == [4, 6, 8, 10, 12]
    assert members(WarmRestarts(0.1, 1, 2), 13) == [1, 3, 7]
    assert members(WarmRestarts(0.1, 20), 13) == [13] == members(lambda step: 0.1, 13)
    assert curve_of("ensemble", "error") == "ensemble" and curve_of("anytime", "error") == "error"


def test_an_epoch_between_troughs_does_not_count_for_best_trough():
    curve = [0.1, 0.5, 0.4, 0.2, 0.3]
    schedule = WarmRestarts(0.1, 2, 1)
    assert chosen_epoch("best-epoch", curve, schedule) == 1
    assert chosen_epoch("best-trough", curve, schedule) == 4
    assert chosen_epoch("final", curve, schedule) == 5


def test_bad_input_is_refused():
    schedule = WarmRestarts(0.1, 5)
    with pytest.raises(
        ValueError, match="objective='best' must be one of best-epoch, best-trough, final, anytime, ensemble"
    ):
        chosen_epoch("best", [1.0], schedule)
    with pytest.raises(ValueError, match="no epochs"):
        value("best-epoch", [], schedule)


def test_sign_makes_every_metric_a_loss():
    assert (sign("minimize"), sign("maximize")) == (1.0, -1.0)
    assert math.isclose(sign("maximize") * 0.9, -0.9)
