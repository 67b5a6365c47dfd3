"""What a schedule does: the same whatever the budget, and told apart where trainings are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdr.decays import Linear, StableDecay
from sgdr.relatives import Cyclic, OneCycle, StepDecay
from sgdr.schedule import WarmRestarts
from sgdr.search.model.traits import SCALES, TRAITS, traits

BUDGET = 60


def trait(schedule, name, budget=BUDGET):
    return traits(schedule, budget)[TRAITS.index(name)] * SCALES[TRAITS.index(name)]


@pytest.mark.parametrize(
    ("schedule", "mean", "restarts", "end"),
    [
        (WarmRestarts(0.1, 60), 0.5, 0, 1),
        (WarmRestarts(0.1, 60, 1, 0.1), 1, 0, 1),
        (Linear(0.1, 60), 0.5, 0, 1),
        (StableDecay(0.1, 60, 0.2), 0.9, 0, 1),
        (WarmRestarts(0.1, 20), 0.5, 2, 1),
        (WarmRestarts(0.1, 20, 2), 0.5, 1, 1),
        (WarmRestarts(0.1, 42), 0.5, 0, 0.7),
    ],
)
def test_of_known_schedules(schedule, mean, restarts, end):
    assert np.exp(trait(schedule, "mean rate")) == pytest.approx(mean, abs=0.03)
    assert np.expm1(trait(schedule, "restarts")) == pytest.approx(restarts)
    assert trait(schedule, "end") == pytest.approx(end, abs=0.03)


def test_a_late_fall_is_shorter():
    cosine, late, constant = WarmRestarts(0.1, 60), StableDecay(0.1, 60, 0.2), WarmRestarts(0.1, 60, 1, 0.1)
    falls = [trait(schedule, "descent") ** 2 for schedule in (cosine, late, constant)]
    assert falls == pytest.approx([1, 0.2, 0], abs=0.05)


@given(
    st.sampled_from(
        [WarmRestarts(1.0, 7, 2), OneCycle(1.0, 60), StepDecay(1.0, (20, 40), 0.1), Cyclic(1.0, 6)]
    ),
    st.floats(1e-6, 1e6),
    st.integers(1, 50),
)
def test_neither_the_peak_nor_the_unit_matters(schedule, factor, steps):
    scaled = replace(schedule, base_lr=factor * schedule.base_lr).scaled(steps)
    assert traits(scaled, BUDGET * steps) == pytest.approx(traits(schedule, BUDGET), abs=1e-6)


@pytest.mark.parametrize("schedule", [WarmRestarts(1e-30, 1), WarmRestarts(1e30, 1, 3, 1e29)])
def test_extreme_ones_have_finite_traits(schedule):
    assert np.isfinite(traits(schedule, 1)).all()
    assert np.isfinite(traits(schedule, 100_000)).all()
