"""A warm-up in the space: each schedule has what it leaves of the budget, whatever its shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution

from sgdr import WarmRestarts, Warmup, relatives
from sgdr.errors import ArgumentError
from sgdr.search.backend.rate_table import rates
from sgdr.search.model.traits import traits
from sgdr.search.problem.arms import ALL_ARMS, arm_of, is_of
from sgdr.search.problem.objective import chosen_epoch
from sgdr.search.problem.space import Space
from sgdr.search.strategy.staged.grid import points
from sgdr.warmup import flat_fields, unwarmed, unwarmed_fields
from tests.tiny import Tiny

WARM = Warmup(WarmRestarts(0.1, 10, 2, 1e-3), 5)


def space_of(budget=60, **ranges):
    return Space(**ranges).resolved(Tiny(), budget)


def values(distribution):
    """What a distribution may give."""
    if isinstance(distribution, CategoricalDistribution):
        return st.sampled_from(distribution.choices)
    whole = isinstance(distribution, IntDistribution)
    return (st.integers if whole else st.floats)(distribution.low, distribution.high)


@given(data=st.data(), budget=st.integers(2, 200), arm=st.sampled_from(ALL_ARMS), closed=st.booleans())
def test_every_trial_has_the_rates_of_its_shape_over_what_is_left(data, budget, arm, closed):
    warmup = tuple(sorted(data.draw(st.tuples(*2 * [st.integers(0, budget - 1)]))))
    space = space_of(budget, warmup=warmup, closed=closed)
    searched = space.distributions(budget, arm)
    assert ("warmup" in searched) is (warmup[0] < warmup[1])
    params = {name: data.draw(values(searched[name])) for name in searched}
    steps = params.get("warmup", warmup[0])
    schedule, epochs = space.schedule(params, budget, arm)
    inner, length = unwarmed(schedule)
    assert length == steps and isinstance(schedule, Warmup) is (steps > 0)

    bare = {**params, "warmup": 0}
    if "T_0" in params:
        bare["T_0"] = min(params["T_0"], budget - steps)
        assert budget - steps >= inner.T_0
    if closed and arm == "restarts":
        assert schedule.troughs(budget=epochs)[-1] == epochs <= budget
    else:
        alone, left = space.schedule(bare, budget - steps, arm)
        assert (inner, left + steps) == (alone, epochs) and epochs == budget
    table = rates(schedule, epochs, 3)
    shifted = rates(inner, epochs - steps, 3)
    assert np.array_equal(table[3 * steps :], shifted)
    assert np.allclose(table[: 3 * steps], inner(0) * np.arange(3 * steps) / max(3 * steps, 1))

    assert arm_of(schedule, epochs) == arm_of(inner, epochs - steps)
    stated = schedule.to_dict()
    assert relatives.from_dict(stated) == schedule and is_of(arm, searched, params, stated)
    assert chosen_epoch("best-trough", [1.0] * epochs, schedule) <= epochs
    assert np.array_equal(traits(schedule, epochs), traits(inner, max(epochs - steps, 1)))


def test_without_a_range_nothing_is_searched_and_schedules_are_bare():
    plain = space_of()
    assert plain.to_dict()["warmup"] == [0, 0] and "warmup" not in plain.distributions(60)
    params = {"base_lr": 0.1, "T_0": 60, "T_mult": 1, "eta_ratio": 0.0}
    assert plain.schedule(params, 60) == (WarmRestarts(0.1, 60, 1), 60)
    assert space_of(warmup=4).schedule(params, 60) == (Warmup(WarmRestarts(0.1, 56, 1), 4), 60)
    assert space_of(warmup=(0, 4)).schedule({**params, "warmup": 0}, 60)[0] == WarmRestarts(0.1, 60, 1)


def test_T_0_and_what_shapes_have_alone_are_limited_to_what_is_left():
    space = space_of(warmup=(10, 20))
    assert space.T_0 == (1, 50) and space.distributions(60, "cyclic")["half_cycle"].high == 25
    late = space.schedule({"base_lr": 0.1, "eta_ratio": 0.0, "half_cycle": 25, "warmup": 20}, 60, "cyclic")[0]
    assert late.schedule.up == 20 and late.troughs(budget=60) == [60]


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"warmup": (0, 60)}, "warmup=.* leaves no epoch of the budget of 60; lower it"),
        ({"warmup": 75}, "warmup=75 leaves no epoch of the budget of 60; lower it"),
        ({"warmup": -1}, "warmup=-1 must be whole epochs from 0, as 0:5 or 5"),
        ({"warmup": (0, 2.5)}, "must be whole epochs from 0"),
        ({"warmup": (5, 0)}, "warmup=.* is inverted"),
        (
            {"warmup": (0, 5), "T_0": (56, 60)},
            "T_0=.* begins above the budget of 60 epochs less a warm-up of 5",
        ),
        ({"warmup": (0, 5), "T_0": (20, 20), "T_mult": 1, "closed": True}, "closes no budget of 55 epochs"),
        ({"hparams": {"warmup": (0.0, 1.0)}}, "hparams has 'warmup', which names a part of the schedule"),
    ],
)
def test_bad_ranges(ranges, words):
    with pytest.raises(ArgumentError, match=words):
        space_of(**ranges)


def test_a_schedule_is_known_by_what_comes_after_its_warm_up():
    twice = Warmup(WARM, 3)
    assert unwarmed(twice) == (WARM.schedule, 8) and unwarmed(WARM.schedule) == (WARM.schedule, 0)
    assert unwarmed_fields(twice.to_dict()) == (WARM.schedule.to_dict(), 8)
    for other in (None, {"T_0": 3}, {"kind": "linear"}, {"kind": "warmup", "steps": "5"}):
        assert unwarmed_fields(other) == (other, 0)
    assert flat_fields(WARM) == {"base_lr": 0.1, "T_0": 10, "T_mult": 2, "eta_min": 1e-3, "warmup": 5}
    assert "kind" not in flat_fields(Warmup(relatives.Linear(0.1, 5), 2))


def test_the_staged_search_looks_at_the_ends_and_the_middle():
    searched = {arm: space_of(warmup=(0, 10)).distributions(60, arm) for arm in ALL_ARMS}
    assert {point["warmup"] for point in points(searched["restarts"], 60, 0)} == {0, 5, 10}
    for warmup in (0, 5, 10):
        lengths = [point["T_0"] for point in points(searched["restarts"], 60, 0) if point["warmup"] == warmup]
        assert 59 <= max(lengths) + warmup <= 60
    assert len({point["warmup"] for point in points(searched["wsd"], 60, 0)}) > 3
