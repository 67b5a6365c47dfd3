"""Points spread over a space: inside it, evenly, and always the same ones."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sgdr.search.strategy.quasi_random import spread

FEW = settings(deadline=None, max_examples=200)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-300, allow_nan=False, allow_infinity=False)


@st.composite
def floats(draw):
    log = draw(st.booleans())
    low, high = sorted(draw(st.tuples(*2 * [POSITIVE if log else FINITE])))
    return FloatDistribution(low, high, log=log)


@st.composite
def stepped_floats(draw):
    low, step = draw(st.floats(-100, 100)), draw(st.sampled_from([1e-3, 0.1, 0.25, 0.3, 1.0, 7.5]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Optuna lowers an end that is not on a step
        return FloatDistribution(low, low + step * draw(st.floats(0, 50)), step=step)


@st.composite
def whole_numbers(draw):
    log = draw(st.booleans())
    low, high = sorted(draw(st.tuples(*2 * [st.integers(1 if log else -(10**6), 10**6)])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return IntDistribution(low, high, log=log, step=1 if log else draw(st.integers(1, 20)))


DISTRIBUTIONS = st.one_of(
    floats(),
    stepped_floats(),
    whole_numbers(),
    st.lists(st.one_of(st.integers(), FINITE, st.text(), st.none()), min_size=1, unique=True).map(
        CategoricalDistribution
    ),
)


def points(distribution: BaseDistribution, count: int, seed: int = 0) -> list:
    return [spread({"x": distribution}, index, seed)["x"] for index in range(count)]


@FEW
@given(
    st.lists(DISTRIBUTIONS, max_size=6),
    st.one_of(st.integers(0, 100), st.integers(0, 10**9)),
    st.integers(0, 2**32 - 1),
)
@pytest.mark.slow
def test_every_point_is_inside_its_distributions(distributions, index, seed):
    named = {f"x{place}": distribution for place, distribution in enumerate(distributions)}
    point = spread(named, index, seed)
    assert point.keys() == named.keys()
    for name, distribution in named.items():
        value = point[name]
        if isinstance(distribution, CategoricalDistribution):
            assert value in distribution.choices
        else:
            assert type(value) is type(distribution.low)
            assert distribution.low <= value <= distribution.high
        assert distribution._contains(distribution.to_internal_repr(value))


@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(0.3, 0.3),
        FloatDistribution(0.3, 0.3, log=True),
        FloatDistribution(0.3, 0.3, step=0.1),
        IntDistribution(3, 3),
        IntDistribution(3, 3, log=True),
        IntDistribution(3, 3, step=2),
        CategoricalDistribution(("a",)),
    ],
)
def test_a_single_value_is_always_it(distribution):
    (value,) = getattr(distribution, "choices", None) or (distribution.low,)
    assert points(distribution, 20) == 20 * [value]


@pytest.mark.parametrize(
    ("distribution", "values"),
    [
        (IntDistribution(0, 4), [0, 1, 2, 3, 4]),
        (IntDistribution(-3, 9, step=3), [-3, 0, 3, 6, 9]),
        (FloatDistribution(0.0, 1.0, step=0.25), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (FloatDistribution(-0.1, 0.3, step=0.1), [-0.1, 0.0, 0.1, 0.2, 0.3]),
        (CategoricalDistribution(("a", 2, None, 0.5, True)), ["a", 2, None, 0.5, True]),
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_of_several_values_comes_as_often_as_the_others_the_ends_too(distribution, values, seed):
    drawn = points(distribution, 100, seed)
    counts = [sum(x == pytest.approx(value) for x in drawn) for value in values if value is not True]
    assert all(18 <= count <= 22 for count in counts)  # random ones would be some 16 to 24
    assert 78 <= sum(counts) <= 100


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_logarithmic_scales_are_spread_in_the_logarithm(seed):
    rates = points(FloatDistribution(1e-4, 1.0, log=True), 40, seed)
    decades = np.floor(np.log10(rates)).astype(int)
    assert all(9 <= count <= 11 for count in np.bincount(decades + 4, minlength=4))
    lengths = points(IntDistribution(1, 100, log=True), 60, seed)
    # From 0.5 to 100.5: log(3.5 / 0.5) / log(201) of them are 1, 2 or 3.
    assert sum(length <= 3 for length in lengths) == pytest.approx(60 * math.log(7) / math.log(201), abs=2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [2, 3, 8, 16, 50])
def test_gaps_are_small_in_one_dimension(count, seed):
    """Those of the golden sequence are, while the largest of random points is about log(count) / count."""
    places = np.sort(points(FloatDistribution(0.0, 1.0), count, seed))
    gaps = np.diff(np.append(places, places[0] + 1))  # around, since the beginning is shifted
    golden = (1 + math.sqrt(5)) / 2
    assert gaps.max() <= golden / count * 1.2
    assert gaps.min() >= 1 / (golden**2 * count)


def discrepancy(places: np.ndarray) -> float:
    """How far the share of the points in any box from the origin is from its size, on a grid of boxes."""
    corners = np.stack(np.meshgrid(*places.shape[1] * [np.linspace(0.1, 1, 10)]), -1).reshape(
        -1, places.shape[1]
    )
    inside = (places[None] < corners[:, None]).all(2).mean(1)
    return float(np.abs(inside - corners.prod(1)).max())


@pytest.mark.parametrize("dimensions", [1, 2, 4])
@pytest.mark.parametrize("count", [8, 16, 64])
def test_points_are_more_even_than_random_ones(dimensions, count):
    space = {f"x{place}": FloatDistribution(0.0, 1.0) for place in range(dimensions)}
    random = np.random.default_rng(0)
    ours = [
        discrepancy(np.array([list(spread(space, index, seed).values()) for index in range(count)]))
        for seed in range(20)
    ]
    theirs = [discrepancy(random.random((count, dimensions))) for _ in range(20)]
    assert np.mean(ours) < 0.8 * np.mean(theirs)


@FEW
@given(DISTRIBUTIONS, st.integers(0, 1000), st.integers(0, 2**32 - 1))
def test_a_seed_and_an_index_name_a_point(distribution, index, seed):
    space = {"x": distribution, "y": FloatDistribution(0.0, 1.0)}
    assert spread(space, index, seed) == spread(space, index, seed)


@FEW
@given(st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2, unique=True), st.integers(0, 1000))
def test_another_seed_shifts_all_points_alike(seeds, index):
    space = {"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)}
    shifts = []
    for at in (0, index):
        first, second = (spread(space, at, seed) for seed in seeds)
        assert first["x"] != second["x"] and first["y"] != second["y"]
        shifts.append([(second[name] - first[name]) % 1 for name in space])
    around = (np.subtract(*shifts) + 0.5) % 1 - 0.5
    assert np.abs(around).max() < 1e-9


def test_what_is_no_distribution_of_optunas_is_refused():
    with pytest.raises(TypeError, match="'uniform' is no distribution of Optuna's"):
        spread({"x": "uniform"}, 0, 0)


def test_the_finest_dimension_is_as_even_as_if_it_were_alone():
    space = {
        "base_lr": FloatDistribution(1e-3, 1.0, log=True),
        "eta_ratio": FloatDistribution(0.0, 0.1),
        "decay": FloatDistribution(0.0, 1.0),
    }
    for seed in range(20):
        rates = sorted(spread(space, index, seed, finest="base_lr")["base_lr"] for index in range(8))
        gaps = np.diff(np.log([*rates, rates[0] * 1e3])) / np.log(1e3)
        assert gaps.max() < 1.5 / 8 + 1e-9  # three-distance theorem: 0.146 and 0.09 of the whole
        others = [spread(space, index, seed, finest="base_lr")["decay"] for index in range(64)]
        assert np.histogram(others, 8, (0, 1))[0].min() >= 5
