"""The cycle of a step, against the definition in exact rational numbers."""

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr.cycles import cycles_of

shared_cycles = lru_cache(cycles_of)


def boundary(T_0, T_mult, index):
    factor = Fraction(T_mult)
    return Fraction(T_0) * (index if factor == 1 else (factor**index - 1) / (factor - 1))


def assert_contains(T_0, T_mult, step):
    """`locate` and `locate_array` put `step` into the cycle that contains it."""
    cycles = shared_cycles(T_0, T_mult)
    index, start, length, position = cycles.locate(step)
    begin, end = boundary(T_0, T_mult, index), boundary(T_0, T_mult, index + 1)
    assert begin <= Fraction(step) < end, (T_0, T_mult, step, index)
    if isinstance(T_0, int) and isinstance(T_mult, int) and isinstance(step, int):
        assert (start, length, position) == (begin, end - begin, step - begin)
    else:
        assert float(start) == pytest.approx(float(begin), rel=1e-15, abs=1e-300)
        assert float(length) == pytest.approx(float(end - begin), rel=1e-15)
        assert float(position) == pytest.approx(float(Fraction(step) - begin), rel=1e-12, abs=1e-14 * length)
    if step < 2**63:
        arrays, remaining = cycles.locate_array(np.array([step]))
        assert arrays[0] == index
        exact = float((end - Fraction(step)) / (end - begin))
        assert remaining[0] == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("T_mult", range(1, 11))
def test_whole_fields_at_every_boundary(T_mult):
    for T_0 in range(1, 101):
        cycles, start, length = cycles_of(T_0, T_mult), 0, T_0
        steps, truth = [], []
        for index in range(12):
            steps += [start, start + length - 1]
            truth += [(index, start, length, 0), (index, start, length, length - 1)]
            start, length = start + length, length * T_mult
        assert [cycles.locate(step) for step in steps] == truth
        for kind in (np.int64, np.float64):
            arrays, remaining = cycles.locate_array(np.array(steps, kind))
            assert arrays.tolist() == [row[0] for row in truth]
            assert remaining.tolist() == [(row[2] - row[3]) / row[2] for row in truth]


@pytest.mark.parametrize(
    ("T_0", "T_mult", "step", "index", "position", "length"),
    [
        (1, 3, 121, 5, 0, 243),
        (10, 2, 100, 3, 30, 80),
        (10, 2, 101, 3, 31, 80),
        (1, 2, 8191, 13, 0, 8192),
        (1, 2, 8190, 12, 4095, 4096),
        (10, 2, 37, 2, 7, 40),
        (1, 2, 2**31 - 1, 31, 0, 2**31),
        (1, 2, 2**24 - 1, 24, 0, 2**24),
        (3, 1.5, 3, 1, 0, 4.5),
        (3, 1.5, 8, 2, 0.5, 6.75),
        (3, 1.5, 15, 3, 0.75, 10.125),
        (3, 1.5, 25, 4, 0.625, 15.1875),
    ],
)
def test_known_cycles(T_0, T_mult, step, index, position, length):
    cycle = cycles_of(T_0, T_mult).locate(step)
    assert (cycle[0], cycle[3], cycle[2]) == (index, position, length)


@pytest.mark.parametrize("T_0", [1, 7, 10**30, 3**80])
@pytest.mark.parametrize("T_mult", [1, 2, 3, 10, 2**70])
def test_ints_of_any_size(T_0, T_mult):
    for index in (1, 2, 40, 300):
        start = int(boundary(T_0, T_mult, index))
        cycles = cycles_of(T_0, T_mult)
        length = T_0 * T_mult**index
        assert cycles.locate(start) == (index, start, length, 0)
        assert cycles.locate(start - 1)[0] == index - 1
        assert cycles.locate(start + length - 1) == (index, start, length, length - 1)


@pytest.mark.parametrize("T_mult", [1.0, 1.1, 1.001, 1.5, 2.0, 2.7, 1.0000001, 1 + 2.0**-52, 3.0, 1e6])
@pytest.mark.parametrize("T_0", [1, 3, 10, 0.1, 2.5, 1e-3, 1e5])
def test_real_fields_at_every_boundary(T_0, T_mult):
    for index in (1, 2, 3, 5, 8, 30, 61):
        begin = boundary(T_0, T_mult, index)
        if begin > 2**1000:
            continue
        near = float(begin)
        for step in (near, math.nextafter(near, 0), math.nextafter(near, math.inf), near + 1, near * 1.01):
            assert_contains(T_0, T_mult, step)
        for step in (math.floor(begin), math.ceil(begin)):
            assert_contains(T_0, T_mult, step)


@pytest.mark.parametrize(
    ("T_0", "T_mult", "index"), [(1, 1.001, 2000), (10, 1.01, 1500), (0.5, 1.0005, 1100)]
)
def test_beyond_the_table(T_0, T_mult, index):
    begin = boundary(T_0, T_mult, index)
    near = float(begin)
    for step in (near, math.nextafter(near, 0), math.nextafter(near, math.inf), math.ceil(begin), int(begin)):
        assert_contains(T_0, T_mult, step)


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(st.integers(1, 10**6), st.floats(1e-3, 1e6)),
    st.one_of(st.integers(1, 50), st.floats(1.05, 50)),
    st.one_of(st.integers(0, 10**6), st.floats(0, 1e6), st.integers(0, 10**25), st.floats(0, 1e300)),
)
def test_any_step_lies_in_its_cycle(T_0, T_mult, step):
    if not (T_mult == 1 and step / T_0 > 1e15):
        assert_contains(T_0, T_mult, step)


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 10**9), st.floats(0, 1e9))
def test_equal_real_cycles(T_0, whole, real):
    for step in (whole, real, float(whole * Fraction(T_0))):
        assert_contains(T_0, 1, step)


def test_a_boundary_that_rounding_hides():
    # The float 0.1 is more than 1/10, and the float 1.1 more than 11/10.
    assert cycles_of(0.1, 1).locate(1)[0] == 9
    assert cycles_of(10, 1.1).locate(21)[0] == 1
    assert cycles_of(10, 1.1).locate(22)[0] == 2


def test_arrays_equal_scalars_where_floats_are_doubtful():
    cycles = cycles_of(1, 1.0000001)
    steps = np.array([0, 5, 1023, 1024, 10**5, 10**6, 10**9, 2**60])
    index, remaining = cycles.locate_array(steps)
    for step, i, rest in zip(steps.tolist(), index, remaining, strict=True):
        cycle, _, length, position = cycles.locate(step)
        assert cycle == i
        assert rest == pytest.approx((length - position) / length, abs=1e-6)


@pytest.mark.parametrize(("T_0", "T_mult"), [(10, 2), (3, 1.5), (0.25, 1), (2.5, 1), (0.3, 1.2), (10, 1.001)])
def test_first_steps_are_the_ceilings_of_the_boundaries(T_0, T_mult):
    steps = cycles_of(T_0, T_mult).first_steps()
    for index in range(1, 60):
        assert next(steps) == math.ceil(boundary(T_0, T_mult, index))


@pytest.mark.parametrize(("T_0", "T_mult"), [(1, 1.0000001), (3, 1 + 1e-12), (0.5, 1.001)])
def test_an_array_knows_the_place_in_a_cycle_however_many_there_are(T_0, T_mult):
    cycles, steps = shared_cycles(T_0, T_mult), np.array([2e3, 1e6, 2.5e6, 1e9, 1e14])
    index, remaining = cycles.locate_array(steps)
    one_by_one = [cycles.locate(step) for step in steps.tolist()]
    assert index.tolist() == [cycle for cycle, *_ in one_by_one]
    exact = [(length - position) / length for _, _, length, position in one_by_one]
    assert remaining == pytest.approx(exact, abs=1e-9)
