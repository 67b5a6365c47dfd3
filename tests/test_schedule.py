"""WarmRestarts: its rates in Python, NumPy and JAX, what it refuses, and the value and pytree that it is."""

import copy
import math
import pickle
import subprocess
import sys
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr.cycles import Cycle
from sgdr.schedule import WarmRestarts

LAST = 2**31 - 1
TYPICAL = WarmRestarts(base_lr=0.1, T_0=10, T_mult=2, eta_min=1e-4)
SLOW = pytest.mark.slow
PAIRS = [
    (10, 2),
    pytest.param(1, 2, marks=SLOW),
    (1, 3),
    pytest.param(10, 1, marks=SLOW),
    (1, 1),
    pytest.param(7, 10, marks=SLOW),
    pytest.param(100, 1, marks=SLOW),
    (3, 46341),
    pytest.param(LAST, 2, marks=SLOW),
    (LAST - 1, 1),
    (5, LAST),
]


@pytest.fixture(autouse=True)
def strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        yield


def exact_rate(schedule, step):
    """Equation 5 of the paper, with the cycle in rational numbers."""
    T_0, T_mult, start, index = Fraction(schedule.T_0), Fraction(schedule.T_mult), Fraction(0), 0
    while start + T_0 * T_mult**index <= step:
        start, index = start + T_0 * T_mult**index, index + 1
    fraction = float((Fraction(step) - start) / (T_0 * T_mult**index))
    peak = max(schedule.eta_min, schedule.base_lr * schedule.peak_decay**index)
    return schedule.eta_min + (peak - schedule.eta_min) / 2 * (1 + math.cos(math.pi * fraction))


evaluate = jax.jit(lambda schedule, steps: schedule(steps))
evaluate_each = jax.jit(lambda schedule, steps: jax.vmap(schedule)(steps))


def boundaries(T_0, T_mult, until=LAST):
    found, start, length = [], 0, T_0
    while start + length <= until and len(found) < 40:
        start, length = start + length, length * T_mult
        found.append(start)
    return found


def edges(T_0, T_mult):
    steps = {0, LAST, LAST - 1, 12345, 2**24 + 1}
    for b in boundaries(T_0, T_mult):
        steps |= {b - 1, b, b + 1}
    if T_mult == 1:
        steps |= {(LAST // T_0) * T_0 - d for d in (-1, 0, 1)} | {2**30 // T_0 * T_0, 2**30 // T_0 * T_0 - 1}
    return np.resize(np.array(sorted(step for step in steps if 0 <= step <= LAST), np.int32), 128)


def test_the_cycle_and_the_lists_of_the_example():
    assert TYPICAL.cycle(37) == Cycle(index=2, start=30, length=40, position=7)
    assert TYPICAL.restarts(until=100) == [10, 30, 70]
    assert TYPICAL.restarts(until=70) == [10, 30]
    assert TYPICAL.troughs(budget=150) == [10, 30, 70, 150]
    assert TYPICAL.troughs(budget=149) == [10, 30, 70]
    assert TYPICAL.scaled(100) == WarmRestarts(0.1, 1000, 2, 1e-4)
    assert WarmRestarts(0.1, 3, 1.5).restarts(41) == [3, 8, 15, 25, 40]
    assert WarmRestarts(0.1, 0.25).troughs(3) == [1, 2, 3]


def test_closing_fits_its_budget():
    closed = WarmRestarts.closing(budget=150, cycles=4, T_mult=2, base_lr=0.1, eta_min=0.0)
    assert closed == WarmRestarts(0.1, 10, 2)
    assert closed.troughs(150)[-1] == 150
    assert WarmRestarts.closing(100, 3, T_mult=1.5, base_lr=0.1).T_0 == 21
    with pytest.raises(ValueError, match="budget must be at least 15 for cycles=4 with T_mult=2, got 14"):
        WarmRestarts.closing(14, 4, 2, base_lr=0.1)


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(st.integers(1, 1000), st.floats(0.1, 1000)),
    st.one_of(st.integers(1, 10), st.floats(1, 10)),
    st.one_of(st.integers(0, 5000), st.floats(0, 5000)),
    st.floats(0, 0.1),
    st.floats(0.5, 1),
)
def test_rates_are_those_of_the_paper(T_0, T_mult, step, eta_min, peak_decay):
    if step / T_0 > 500:
        return
    schedule = WarmRestarts(0.1, T_0, T_mult, eta_min, peak_decay)
    rate = schedule(step)
    assert type(rate) is float
    assert rate == pytest.approx(exact_rate(schedule, step), rel=1e-9, abs=1e-14)
    assert schedule(np.array([step]))[0] == pytest.approx(rate, rel=1e-12, abs=1e-14)
    assert eta_min <= rate <= 0.1


@pytest.mark.parametrize(("T_0", "T_mult"), [(10, 2), (7, 1), (1, 3), (100, 10)])
@pytest.mark.parametrize(("eta_min", "decay"), [(0.0, 1.0), (1e-4, 1.0), (0.03, 0.7), (0.1, 1.0)])
def test_peaks_are_exact_and_cycles_fall(T_0, T_mult, eta_min, decay):
    schedule = WarmRestarts(0.1, T_0, T_mult, eta_min, decay)
    restarts = schedule.restarts(5000)
    peaks = [max(eta_min, 0.1 * decay ** (i + 1)) for i in range(len(restarts))]
    assert [schedule(step) for step in restarts] == peaks
    assert schedule(np.array(restarts)).tolist() == peaks
    in_jax = np.asarray(jax.jit(schedule)(jnp.arange(5000)))
    assert np.allclose(in_jax[restarts], peaks, rtol=1e-5, atol=0)
    if decay == 1.0:
        assert (in_jax[restarts] == np.float32(0.1)).all()
    for rates in (schedule(np.arange(5000)), in_jax):
        inside = np.setdiff1d(np.arange(1, 5000), restarts)
        assert (np.diff(rates)[inside - 1] <= 0).all()
        assert rates.min() >= rates.dtype.type(eta_min) and rates.max() <= rates.dtype.type(0.1)


def test_a_schedule_whose_lowest_rate_is_its_peak_is_constant():
    flat = WarmRestarts(0.3, 7, 2, eta_min=0.3)
    assert {flat(step) for step in range(100)} == {0.3}
    assert set(flat(np.arange(100)).tolist()) == {0.3}


def test_after_the_last_cycle_the_rate_stays_at_its_lowest():
    schedule = WarmRestarts(0.1, 10, 2, 1e-3, cycles=2)
    assert [schedule(29) > 1e-3, schedule(30), schedule(10**6)] == [True, 1e-3, 1e-3]
    steps = np.array([0, 9, 10, 29, 30, 31, 500])
    expected = [schedule(step) for step in steps.tolist()]
    assert schedule(steps).tolist() == expected
    in_jax = jax.jit(schedule)(jnp.asarray(steps.astype(np.int32)))
    assert np.allclose(in_jax, expected, rtol=1e-6, atol=0)
    assert schedule.restarts(100) == [10]
    assert schedule.troughs(100) == [10, 30]
    assert schedule.cycle(29).position == 19
    assert schedule.cycle(30) == schedule.cycle(99) == Cycle(index=1, start=10, length=20, position=20)


@pytest.mark.parametrize(("T_0", "T_mult"), PAIRS)
def test_jax_is_numpy_at_every_boundary(T_0, T_mult):
    schedule, steps = WarmRestarts(0.1, T_0, T_mult), edges(T_0, T_mult)
    truth = schedule(steps)
    traced = WarmRestarts(0.1, jnp.int32(T_0), jnp.int32(T_mult))
    of_fields = evaluate(schedule, jnp.asarray(steps))
    for rates in (
        jax.jit(schedule)(jnp.asarray(steps)),
        evaluate(traced, jnp.asarray(steps)),
        of_fields,
        evaluate_each(schedule, jnp.asarray(steps)),
    ):
        assert rates.dtype == jnp.float32
        assert np.abs(np.asarray(rates) - truth).max() < 2e-7
    below = steps < 2**24  # relative precision too, down to the last step of a cycle
    assert np.allclose(of_fields[below], truth[below], rtol=2e-6, atol=0)


def test_batches_of_schedules_are_exact_at_boundaries():
    grid = [(T_0, T_mult) for T_mult in range(2, 11) for T_0 in range(1, 101)]
    steps = np.array([[b + d for b in boundaries(*pair)[:7] for d in (-1, 0, 1)] for pair in grid], np.int32)
    truth = np.array([WarmRestarts(0.1, *pair)(row) for pair, row in zip(grid, steps, strict=True)])
    T_0, T_mult = (jnp.array(column, jnp.int32) for column in zip(*grid, strict=True))
    rates = jax.jit(jax.vmap(lambda a, b, row: WarmRestarts(0.1, a, b)(row)))(T_0, T_mult, jnp.asarray(steps))
    assert np.abs(rates - truth).max() < 2e-7
    by_hand = jax.jit(jax.vmap(WarmRestarts(0.1, T_0, T_mult), in_axes=1, out_axes=1))(jnp.asarray(steps))
    assert np.abs(by_hand - truth).max() < 2e-7


def test_a_batch_mixes_equal_and_growing_cycles():
    T_0, T_mult = np.array([10, 10, 7], np.int32), np.array([1, 2, 3], np.int32)
    batch = WarmRestarts(0.1, jnp.asarray(T_0), jnp.asarray(T_mult))
    per_slot = jax.jit(jax.vmap(lambda a, b, step: WarmRestarts(0.1, a, b)(step), in_axes=(0, 0, None)))
    for step in (0, 9, 10, 69, 70, 91):
        truth = [WarmRestarts(0.1, int(a), int(b))(step) for a, b in zip(T_0, T_mult, strict=True)]
        assert np.allclose(evaluate(batch, step), truth, rtol=1e-6)
        assert np.allclose(per_slot(T_0, T_mult, step), truth, rtol=1e-6)
    assert evaluate(batch, 91).shape == (3,)


@pytest.mark.parametrize(
    ("T_0", "T_mult"),
    [
        (3, 1.5),
        pytest.param(10, 1.1, marks=SLOW),
        (2.5, 1),
        pytest.param(10, 1.25, marks=SLOW),
        pytest.param(10, 1.001, marks=SLOW),
        (5, 1 + 2.0**-23),
        (0.1, 2.0),
    ],
)
def test_real_fields_in_jax(T_0, T_mult):
    T_0, T_mult = float(np.float32(T_0)), float(np.float32(T_mult))
    schedule = WarmRestarts(0.1, T_0, T_mult)
    traced = WarmRestarts(0.1, jnp.float32(T_0), jnp.float32(T_mult))
    near = np.array([step for b in schedule.restarts(10**6)[:300] for step in (b - 1, b, b + 1)])
    for kind, steps in ((np.int32, near), (np.float32, near[near < 2**16] + 0.25)):
        steps = np.resize(steps, 900).astype(kind)  # of one shape, for which a batch is compiled once
        far = np.array([not _is_near_boundary(schedule, step) for step in steps.tolist()])
        truth = schedule(steps)
        fixed, of_arrays = jax.jit(schedule)(jnp.asarray(steps)), evaluate(traced, jnp.asarray(steps))
        for rates in (fixed, of_arrays):
            assert np.abs(np.asarray(rates) - truth)[far].max() < 3e-7
        if steps.dtype == np.int32 and T_mult > 1.01:  # fixed fields: exact even there
            assert np.abs(np.asarray(fixed) - truth).max() < 3e-7


def _is_near_boundary(schedule, step):
    cycle = schedule.cycle(step)
    return min(cycle.position, cycle.length - cycle.position) < 1e-6 * step


def test_fractional_steps_in_jax():
    steps = np.arange(0, 400, 0.125, np.float32)
    for schedule in (TYPICAL, WarmRestarts(0.1, 7), WarmRestarts(0.1, 3, 1.5), WarmRestarts(0.1, 2.5)):
        rates = jax.jit(schedule)(jnp.asarray(steps))
        assert np.abs(rates - schedule(steps)).max() < 2e-7
        assert rates[26] == pytest.approx(schedule(3.25), rel=1e-6)


def test_jax_steps_out_of_range_are_clamped():
    top = TYPICAL(jnp.int32(LAST))
    assert TYPICAL(jnp.int32(-5)) == TYPICAL(jnp.float32(-0.5)) == jnp.float32(0.1)
    assert TYPICAL(jnp.uint32(2**32 - 1)) == top
    assert jnp.isfinite(TYPICAL(jnp.float32(jnp.inf)))
    assert jnp.isnan(TYPICAL(jnp.float32(jnp.nan)))


def test_scan_and_a_python_step_inside_jit():
    _, rates = jax.lax.scan(lambda step, _: (step + 1, TYPICAL(step)), jnp.int32(0), None, length=100)
    assert np.allclose(rates, TYPICAL(np.arange(100)), rtol=1e-6)
    assert np.allclose(jax.jit(lambda s: s(37))(TYPICAL), TYPICAL(37))
    assert type(TYPICAL(37)) is float


def test_one_compilation_serves_every_value():
    traces = []

    @jax.jit
    def evaluate(schedule, step):
        traces.append(step)
        return schedule(step)

    for T_0, T_mult in ((10, 1), (10, 2), (3, 5)):
        schedule = WarmRestarts(0.1, T_0, T_mult, 1e-3)
        assert float(evaluate(schedule, jnp.int32(77))) == pytest.approx(schedule(77), rel=1e-6)
    assert len(traces) == 1


def test_gradients_are_exact():
    def rate(base_lr, eta_min, step, T_0, T_mult):
        return WarmRestarts(base_lr, T_0, T_mult, eta_min)(step)

    traced = jax.jit(jax.grad(rate, argnums=(0, 1)))
    fixed = jax.jit(jax.grad(lambda a, b, step: rate(a, b, step, 10, 2), argnums=(0, 1)))
    for step in (0, 5, 9, 10, 29, 30, 37, 10**6):
        cycle = TYPICAL.cycle(step)
        weight = (1 + math.cos(math.pi * cycle.position / cycle.length)) / 2
        for eta_min in (0.0, 1e-3, 0.1):
            for slopes in (
                fixed(0.1, eta_min, step),
                traced(0.1, eta_min, step, 10, 2),
                traced(0.1, eta_min, step, 10.0, 2.0),
            ):
                assert np.allclose(slopes, (weight, 1 - weight), rtol=1e-5, atol=1e-6)
    slope = jax.jit(jax.grad(TYPICAL))(jnp.float32(20.0))
    assert slope == pytest.approx(-(0.1 - 1e-4) / 2 * math.pi / 20, rel=1e-5)
    real = jax.jit(jax.grad(WarmRestarts(0.1, 2.5)))(jnp.float32(1.25))
    assert real == pytest.approx(-0.05 * math.pi / 2.5, rel=1e-5)


def test_the_type_of_the_rate():
    steps = jnp.arange(5)
    assert TYPICAL(steps).dtype == jnp.float32
    for kind in (jnp.bfloat16, jnp.float16, jnp.float32):
        assert jax.eval_shape(WarmRestarts(jnp.asarray(0.1, kind), 10), steps).dtype == kind
    assert TYPICAL(np.arange(6, dtype=np.int16).reshape(2, 3)).shape == (2, 3)
    assert TYPICAL(np.array(3)).dtype == np.float64 and TYPICAL(np.array(3)).shape == ()
    assert TYPICAL(np.array([])).shape == (0,)
    for step in (np.int32(3), np.uint8(3), np.float32(3), np.float64(3)):
        assert type(TYPICAL(step)) is float and TYPICAL(step) == TYPICAL(3)


@pytest.mark.slow
def test_sixty_four_bits():
    with jax.enable_x64(True):
        for T_0, T_mult in ((10, 2), (7, 1), (3, 10), (2.5, 1), (3, 1.5)):
            schedule = WarmRestarts(0.1, T_0, T_mult)
            for steps in (
                np.array([0, 9, 10, 70, 2**31, 2**40 + 1, 10**12]),
                np.array([0, 9, 10, 70, 2**20, 2**24, LAST], np.int32),
            ):
                for rates in (jax.jit(schedule)(jnp.asarray(steps)), evaluate(schedule, jnp.asarray(steps))):
                    assert rates.dtype == jnp.float64
                    assert np.abs(rates - schedule(steps)).max() < 1e-8


def test_decay_and_cycles_may_be_traced():
    truth = WarmRestarts(0.1, 5, 2, 0.01, 0.6, 3)
    steps = np.arange(60, dtype=np.int32)
    rates = jax.jit(lambda decay, cycles, x: WarmRestarts(0.1, 5, 2, 0.01, decay, cycles)(x))(0.6, 3, steps)
    assert np.abs(rates - truth(steps)).max() < 1e-7


def test_pytree_round_trip():
    leaves, structure = jax.tree.flatten(TYPICAL)
    assert leaves == [0.1, 10, 2, 1e-4, 1.0]
    assert jax.tree.unflatten(structure, leaves) == TYPICAL
    assert jax.tree.map(lambda leaf: leaf, WarmRestarts(0.1, 10, cycles=3)) == WarmRestarts(0.1, 10, cycles=3)
    assert jax.tree.map(lambda leaf: 2 * leaf, TYPICAL).T_0 == 20
    sentinel = object()
    assert jax.tree.map(lambda leaf: sentinel, TYPICAL).T_0 is sentinel
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(TYPICAL)]
    assert paths == [".base_lr", ".T_0", ".T_mult", ".eta_min", ".peak_decay"]


def test_value_semantics():
    same = WarmRestarts(0.1, np.int64(10), T_mult=2.0, eta_min=np.float64(1e-4))
    assert same == TYPICAL and hash(same) == hash(TYPICAL)
    assert WarmRestarts(0.1, 10, 3, 1e-4) != TYPICAL
    TYPICAL(3)  # fills the cache
    for other in (
        eval(repr(TYPICAL)),
        WarmRestarts.from_dict(TYPICAL.to_dict()),
        pickle.loads(pickle.dumps(TYPICAL)),
        copy.copy(TYPICAL),
        copy.deepcopy(TYPICAL),
    ):
        assert other == TYPICAL and hash(other) == hash(TYPICAL) and other(37) == TYPICAL(37)
    assert b"cycles_of" not in pickle.dumps(TYPICAL) and b"GrowingCycles" not in pickle.dumps(TYPICAL)
    assert TYPICAL.to_dict() == {"base_lr": 0.1, "T_0": 10, "T_mult": 2, "eta_min": 1e-4}
    limited = WarmRestarts(0.1, 10, 2, 1e-4, 0.5, 3)
    assert WarmRestarts.from_dict(limited.to_dict()) == limited
    with pytest.raises(AttributeError):
        TYPICAL.T_0 = 3


BAD = {
    "base_lr": [0, -0.1, math.nan, math.inf, "0.1", True, None, 1j, [0.1], 10**400],
    "T_0": [0, -1, 0.0, math.nan, math.inf, "10", True, None, 1j, (1,), 10**400, np.bool_(True)],
    "T_mult": [0, 0.99, -2, math.nan, math.inf, "2", False, None, 1j, {}],
    "eta_min": [-1e-9, math.nan, math.inf, "0", False, None, 1j, 0.2],
    "peak_decay": [0, -0.5, 1.0000001, math.nan, math.inf, "1", True, None, 1j],
    "cycles": [0, -1, 2.0, math.nan, "3", True, 1j],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_bad_fields_are_named(name, value):
    with pytest.raises(ValueError) as error:
        WarmRestarts(**{"base_lr": 0.1, "T_0": 10, name: value})
    message = str(error.value)
    assert message.startswith(f"{name} must ") and "\n" not in message and "; " in message
    assert repr(value) in message or (isinstance(value, int) and value > 10**300)


@pytest.mark.parametrize(
    "step",
    [
        -1,
        -0.5,
        math.nan,
        math.inf,
        "3",
        None,
        True,
        1j,
        [1, 2],
        np.array([1, -2]),
        np.array([math.nan]),
        np.array([True]),
        np.array(["a"]),
        np.array([2**63], np.uint64),
        np.float64(math.inf),
        np.int32(-1),
    ],
)
def test_bad_steps_are_refused(step):
    with pytest.raises(ValueError, match=r"^step must be .*, got .*; "):
        TYPICAL(step)
    if not isinstance(step, np.ndarray):
        with pytest.raises(ValueError, match="step must be"):
            TYPICAL.cycle(step)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="until must be a finite number >= 0, got -1"):
        TYPICAL.restarts(-1)
    with pytest.raises(ValueError, match="budget must be a finite number >= 0, got nan"):
        TYPICAL.troughs(math.nan)
    with pytest.raises(ValueError, match="steps_per_epoch must be"):
        TYPICAL.scaled(0)
    with pytest.raises(ValueError, match="lack T_0"):
        WarmRestarts.from_dict({"base_lr": 0.1})
    with pytest.raises(ValueError, match="unknown T_1"):
        WarmRestarts.from_dict({"base_lr": 0.1, "T_0": 3, "T_1": 4})
    with pytest.raises(ValueError, match="must be numbers to list cycles"):
        WarmRestarts(0.1, jnp.array([1, 2])).restarts(10)
    with pytest.raises(ValueError, match="step must be an int or a float"):
        TYPICAL(jnp.array([True]))


def test_optax_takes_it_as_it_stands():
    optimizer = optax.sgd(TYPICAL)
    params, state = jnp.float32(0.0), optimizer.init(jnp.float32(0.0))
    update = jax.jit(optimizer.update)
    for _ in range(35):
        step, state = update(jnp.float32(1.0), state, params)
        params = params + step
    assert float(params) == pytest.approx(-sum(TYPICAL(step) for step in range(35)), rel=1e-5)


def test_jax_is_imported_late_and_found_then():
    program = """
import sys
import numpy as np
import sgdr.schedule, sgdr.warmup
schedule = sgdr.warmup.Warmup(sgdr.schedule.WarmRestarts(0.1, 10, 2), 5)
schedule(3), schedule(37), schedule(np.arange(9)), schedule.restarts(100), repr(schedule)
assert "jax" not in sys.modules
import jax
assert jax.tree.leaves(schedule) == [0.1, 10, 2, 0.0, 1.0, 5], jax.tree.leaves(schedule)
assert abs(jax.jit(lambda s, t: s(t))(schedule, 20) - schedule(20)) < 1e-7
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=120)


def test_a_step_just_before_the_end_of_its_cycle_is_in_it_also_where_numbers_round():
    schedule = WarmRestarts(1.0, 0.4, 4)  # as a float a little more than 0.4: the second cycle ends after 2
    cycle = schedule.cycle(2)
    assert cycle.index == 1 and cycle.position < cycle.length == 1.6
    assert schedule.troughs(budget=2) == [1] and schedule.troughs(budget=3) == [1, 3]
