"""A scheduler that is stepped: wherever it stands, and however it came there, it is the schedule's."""

import copy
import json
import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdr import CosineAnnealingWarmRestarts, SchedulerState, WarmRestarts

FIELDS = st.fixed_dictionaries(
    {
        "base_lr": st.floats(1e-3, 1.0) | st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=3),
        "T_0": st.integers(1, 50) | st.floats(0.3, 50.0),
        "T_mult": st.integers(1, 4) | st.floats(1.0, 3.0),
        "eta_min": st.floats(0.0, 1e-3),
        "peak_decay": st.sampled_from([1.0, 0.5]),
        "cycles": st.none() | st.integers(1, 4),
    }
)
MOVES = st.lists(st.none() | st.integers(0, 500) | st.floats(0.0, 500.0), max_size=8)


def schedules(fields):
    peaks = fields["base_lr"] if isinstance(fields["base_lr"], list) else [fields["base_lr"]]
    return [WarmRestarts(**{**fields, "base_lr": peak}) for peak in peaks]


@given(FIELDS, MOVES)
def test_all_it_says_is_of_its_step(fields, moves):
    scheduler = CosineAnnealingWarmRestarts(**fields)
    step = 0
    for move in moves:
        scheduler.step() if move is None else scheduler.step(move)
        step = step + 1 if move is None else move
        expected = schedules(fields)
        assert scheduler.last_epoch == step
        assert scheduler.get_lr() == scheduler.get_last_lr() == [schedule(step) for schedule in expected]
        cycle = expected[0].cycle(step)
        assert scheduler.cycle == cycle
        assert (scheduler.T_cur, scheduler.T_i) == (cycle.position, cycle.length)


@given(FIELDS, st.integers(0, 300))
def test_restarts_and_troughs_are_those_of_the_schedule(fields, step):
    scheduler = CosineAnnealingWarmRestarts(**fields, last_epoch=step)
    schedule = schedules(fields)[0]
    assert scheduler.at_restart == (step in schedule.restarts(until=step + 1))
    assert scheduler.at_trough == (step in schedule.troughs(budget=step))


def test_between_whole_steps_only_a_boundary_itself_is_a_restart():
    scheduler = CosineAnnealingWarmRestarts(0.1, T_0=2.5, T_mult=1)
    rates = []
    for step in np.arange(0, 8, 0.25).tolist():
        scheduler.step(step)
        if scheduler.at_restart:
            rates.append(step)
    assert rates == [2.5, 3.0, 5.0, 7.5], "3 is the first whole step of its cycle"


@given(FIELDS, st.integers(0, 500) | st.floats(0.0, 500.0))
def test_it_goes_on_at_any_step(fields, step):
    there = CosineAnnealingWarmRestarts(**fields, last_epoch=step)
    came = CosineAnnealingWarmRestarts(**fields)
    came.step(step)
    loaded = CosineAnnealingWarmRestarts(2.0)
    with pytest.warns(UserWarning, match=r"base_lrs=.* in place of \[2\.0\]"):
        loaded.load_state_dict(json.loads(json.dumps(came.state_dict())))
    for other in (came, loaded, copy.deepcopy(came), pickle.loads(pickle.dumps(came))):
        assert other.state_dict() == there.state_dict()
        assert (other.T_cur, other.T_i, other.get_lr()) == (there.T_cur, there.T_i, there.get_lr())


def test_a_resume_is_in_the_right_cycle():
    scheduler = CosineAnnealingWarmRestarts(0.1, T_0=10, T_mult=2, last_epoch=101)
    assert (scheduler.T_cur, scheduler.T_i) == (31, 80)


def test_it_is_restored_as_braintools_users_do():
    before = CosineAnnealingWarmRestarts(base_lr=0.1, T_0=50, T_mult=2)
    for _ in range(75):
        before.step()
    state = {"scheduler": before.state_dict(), "T_cur": before.T_cur, "T_i": before.T_i}
    after = CosineAnnealingWarmRestarts(base_lr=0.1, T_0=50, T_mult=2)
    after.load_state_dict(state["scheduler"])
    after.T_cur, after.T_i = state["T_cur"], state["T_i"]
    assert (after.T_cur, after.T_i, after.get_lr()) == (25, 100, before.get_lr())


def test_a_state_with_fields_of_its_own_brings_them():
    scheduler = CosineAnnealingWarmRestarts(0.1, 5)
    with pytest.warns(UserWarning, match=r"base_lrs=\[0\.2, 0\.3\] in place of \[0\.1\]"):
        scheduler.load_state_dict({"last_epoch": 7, "base_lrs": [0.2, 0.3]})
    assert (scheduler.base_lrs, scheduler.T_0, scheduler.T_cur) == ([0.2, 0.3], 5, 2)


def test_arrays_without_dimensions_are_numbers():
    scheduler = CosineAnnealingWarmRestarts(np.array([0.1, 0.2]), np.array(10), jnp.array(2), np.array(0.01))
    assert (scheduler.T_0, scheduler.T_mult, scheduler.eta_min) == (10, 2, 0.01)
    for bad in (np.array(-5.0), np.array(np.nan), np.array([10, 20]), np.array([10])):
        with pytest.raises(ValueError, match="T_0 must be a number"):
            CosineAnnealingWarmRestarts(0.1, bad)


@pytest.mark.parametrize(
    "kind", [np.asarray, jnp.asarray, lambda value: np.asarray(value)[()]], ids=["numpy", "jax", "scalar"]
)
def test_a_state_in_numbers_of_another_library_is_loaded(kind):
    before = CosineAnnealingWarmRestarts([0.5, 0.25], 2.5, 2, 0.125, cycles=3, last_epoch=7)
    state = jax.tree.map(kind, before.state_dict())
    for loaded in (state, {**state, "base_lrs": np.array([0.5, 0.25])}):
        after = CosineAnnealingWarmRestarts([0.5, 0.25], 2.5, 2, 0.125, cycles=3)
        after.load_state_dict(loaded)
        assert json.dumps(after.state_dict()) == json.dumps(before.state_dict())
    after.step(kind(3))
    assert after.last_epoch == 3 and type(after.last_epoch) is int
    after.T_cur = kind(after.T_cur)


def test_a_state_that_is_mapped_to_scalars_of_numpy_is_of_plain_numbers():
    state = CosineAnnealingWarmRestarts([0.5, 0.25], 2, 2, 0.125, last_epoch=7).state()
    scalars = jax.tree.map(lambda value: np.asarray(value)[()], state)
    assert scalars == state and type(scalars.last_epoch) is int
    assert [type(rate) for rate in (*scalars.get_lr(), scalars.T_cur)] == [float, float, int]


def test_one_warning_says_what_a_state_changes_and_a_step_keeps_it():
    saved = CosineAnnealingWarmRestarts(0.1, 10, cycles=2, last_epoch=37).state_dict()
    scheduler = CosineAnnealingWarmRestarts(0.1, 20)
    with pytest.warns(UserWarning) as warned:
        scheduler.load_state_dict(saved)
    (warning,) = warned
    assert warning.filename == __file__
    assert "T_0=10 in place of 20, cycles=2 in place of None; " in str(warning.message)
    assert scheduler.state_dict() == saved
    kept = CosineAnnealingWarmRestarts(0.1, 20)
    kept.step(saved["last_epoch"])
    assert kept.get_lr() == [WarmRestarts(0.1, 20)(37)]


def test_following_takes_a_schedule_as_it_is():
    schedule = WarmRestarts(0.3, 7, 2, 0.01, peak_decay=0.5, cycles=3)
    scheduler = CosineAnnealingWarmRestarts.following(schedule, last_epoch=9)
    assert scheduler.schedules == (schedule,) and scheduler.get_lr() == [schedule(9)]
    assert eval(repr(scheduler)).state_dict() == scheduler.state_dict()


@pytest.mark.parametrize(
    ("act", "names"),
    [
        (lambda s: s.step(-1), ("epoch", "-1")),
        (lambda s: s.step(math.nan), ("epoch", "nan")),
        (lambda s: s.step("3"), ("epoch", "'3'")),
        (lambda s: s.load_state_dict({"T_0": 3}), ("last_epoch", "T_0")),
        (lambda s: s.load_state_dict({"last_epoch": 2, "T_0": -3}), ("T_0", "-3")),
        (lambda s: s.load_state_dict({"last_epoch": None}), ("last_epoch", "None")),
        (lambda s: s.load_state_dict(None), ("state_dict", "None")),
        (lambda s: s.following({"T_0": 3}), ("schedule", "T_0")),
        (lambda s: setattr(s, "T_cur", 5), ("T_cur", "5", "step(epoch)")),
        (lambda s: setattr(s, "T_i", 20), ("T_i", "20", "step(epoch)")),
    ],
)
def test_bad_input_is_named_and_changes_nothing(act, names):
    scheduler = CosineAnnealingWarmRestarts(0.1, 10, 2, last_epoch=4)
    before = scheduler.state_dict()
    with pytest.raises(ValueError) as caught:
        act(scheduler)
    assert all(name in str(caught.value) for name in names) and "\n" not in str(caught.value)
    assert scheduler.state_dict() == before


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"base_lr": []}, "base_lr"),
        ({"base_lr": [0.1, -1]}, "base_lr"),
        ({"base_lr": "0.1"}, "base_lr"),
        ({"T_0": 0}, "T_0"),
        ({"T_mult": 0.5}, "T_mult"),
        ({"eta_min": 1.0}, "eta_min"),
        ({"last_epoch": -1}, "last_epoch"),
    ],
)
def test_the_constructor_names_what_is_bad(arguments, name):
    with pytest.raises(ValueError, match=name):
        CosineAnnealingWarmRestarts(**arguments)


# The same as a value, in JAX.

TRACED = [
    WarmRestarts(0.1, 4, 2, 1e-3),
    WarmRestarts(0.1, 3, 1, 0.0),
    pytest.param(WarmRestarts(0.1, 2, 3, 1e-3, cycles=2), marks=pytest.mark.slow),
    WarmRestarts(0.1, 2.5, 1.5, 1e-3),
    pytest.param(WarmRestarts(0.1, 0.4, 1, 1e-3, peak_decay=0.9), marks=pytest.mark.slow),
]


@jax.jit
def scanned(state):
    """The state after 60 steps, and what it says at each; compiled once for all schedules of whole cycles."""

    def body(state, _):
        seen = (state.get_lr()[0], state.T_cur, state.T_i, state.at_restart, state.at_trough)
        return state.step(), seen

    return jax.lax.scan(body, state, length=60)


@pytest.mark.parametrize("schedule", TRACED, ids=repr)
def test_scanned_it_goes_where_the_object_goes(schedule):
    scheduler = CosineAnnealingWarmRestarts.following(schedule)
    last, columns = scanned(scheduler.state())
    assert isinstance(last, SchedulerState) and int(last.last_epoch) == 60
    for rate, T_cur, T_i, at_restart, at_trough in zip(*map(np.asarray, columns), strict=True):
        assert rate == pytest.approx(scheduler.get_lr()[0], rel=1e-5, abs=1e-8)
        assert T_cur == pytest.approx(scheduler.T_cur, rel=1e-5, abs=1e-4)
        assert T_i == pytest.approx(scheduler.T_i, rel=1e-5)
        assert (bool(at_restart), bool(at_trough)) == (scheduler.at_restart, scheduler.at_trough)
        scheduler.step()


def test_jitted_steps_compile_once():
    traces = []

    @jax.jit
    def advance(state):
        traces.append(1)
        return state.step(), state.get_lr()

    state = CosineAnnealingWarmRestarts([0.1, 0.2], T_0=3, T_mult=2).state()
    rates = []
    for _ in range(12):
        state, found = advance(state)
        rates.append([float(rate) for rate in found])
    expected = [[WarmRestarts(peak, 3, 2)(step) for peak in (0.1, 0.2)] for step in range(12)]
    assert np.allclose(rates, expected, atol=1e-7)
    assert len(traces) <= 2, "Python numbers at first, arrays afterwards"


def test_it_jumps_inside_jit():
    state = CosineAnnealingWarmRestarts(0.1, T_0=1, T_mult=3).state()
    jumped = jax.jit(lambda state, epoch: state.step(epoch))(state, jnp.asarray(121))
    assert int(jumped.T_cur) == 0 and int(jumped.T_i) == 243 and bool(jumped.at_restart)
    part = state.step(jnp.float32(4.5))
    assert (float(part.T_cur), int(part.T_i), bool(part.at_restart)) == (0.5, 9, False)


def test_whole_fields_are_exact_to_the_last_step_of_32_bits():
    schedule = WarmRestarts(0.1, 7, 10**9)
    for step in (0, 6, 7, 8, 2**31 - 1):
        cycle = schedule.cycle(step)
        state = SchedulerState((schedule,), jnp.int32(step))
        assert int(state.T_cur) == cycle.position
        assert int(state.T_i) == min(cycle.length, 2**31 - 1)


def test_after_the_last_cycle_it_stays_at_its_end():
    for schedule in (WarmRestarts(0.1, 7, 3, cycles=16), WarmRestarts(0.1, 2, 1, cycles=3)):
        end = schedule.cycle(2**31 - 1)
        for fields in (schedule, jax.tree.map(jnp.asarray, schedule)):
            state = SchedulerState((fields,), jnp.int32(2**31 - 1))
            assert int(state.T_cur) == int(state.T_i) == end.length == end.position
