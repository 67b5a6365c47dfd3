"""The scheduler for braintools: its optimizers follow it, traced and not, and its own state fits."""

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr import WarmRestarts

brainstate = pytest.importorskip("brainstate")
braintools = pytest.importorskip("braintools")
import jax.numpy as jnp  # noqa: E402

from sgdr.adapters.braintools import CosineAnnealingWarmRestarts  # noqa: E402

Own = braintools.optim.CosineAnnealingWarmRestarts


def training(scheduler, optimizer=braintools.optim.SGD, **hparams):
    """The optimizer and its one weight."""
    descent = optimizer(lr=scheduler, **hparams)
    weight = brainstate.ParamState(jnp.zeros(()))
    descent.register_trainable_weights({"w": weight})
    return descent, weight


def rates(schedule, steps):
    return pytest.approx([schedule(step) for step in steps], rel=0, abs=4e-7 * schedule.base_lr)


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


@given(FIELDS, st.lists(st.none() | st.integers(0, 500) | st.floats(0.0, 500.0), max_size=8))
def test_all_it_says_is_of_its_step(fields, moves):
    scheduler, step = CosineAnnealingWarmRestarts(**fields), 0
    peaks = fields["base_lr"] if isinstance(fields["base_lr"], list) else [fields["base_lr"]]
    schedules = [WarmRestarts(**{**fields, "base_lr": peak}) for peak in peaks]
    for move in moves:
        scheduler.step(move)
        step = step + 1 if move is None else move
        cycle = schedules[0].cycle(step)
        assert scheduler.last_epoch.value == step
        assert scheduler.get_lr() == scheduler.get_last_lr() == [schedule(step) for schedule in schedules]
        assert (scheduler.T_cur.value, scheduler.T_i.value) == (cycle.position, cycle.length)
        whole = int(step)
        scheduler.step(whole)
        assert scheduler.at_restart == (whole in schedules[0].restarts(until=whole + 1))
        assert scheduler.at_trough == (whole in schedules[0].troughs(budget=whole))
        scheduler.step(step)


@pytest.mark.parametrize("T_mult", [1, 2, 3, 1.5])
def test_it_stands_where_it_is_told_to_begin_and_the_first_update_is_there(T_mult):
    schedule = WarmRestarts(0.1, 10, T_mult, 1e-3)
    for step in (0, 7, 10, 30, 100, 121.5):
        scheduler = CosineAnnealingWarmRestarts(0.1, 10, T_mult, 1e-3, step)
        optimizer, weight = training(scheduler)
        assert scheduler.get_lr() == [optimizer.current_lr] == [schedule(step)]
        optimizer.step({"w": jnp.ones(())})
        assert -float(weight.value) == pytest.approx(schedule(step), rel=4e-7)


SCHEDULES = [
    WarmRestarts(0.1, 3, 2, 1e-3),
    WarmRestarts(0.1, 2.5, 1.5, 1e-3, peak_decay=0.7, cycles=4),
]


@pytest.mark.parametrize(
    "schedule", [SCHEDULES[0], pytest.param(SCHEDULES[1], marks=pytest.mark.slow)], ids=str
)
def test_steps_inside_of_jit_and_of_loops(schedule):
    traces = 0

    def one():
        """What is read at a step, and then a step of the training."""
        nonlocal traces
        traces += 1
        position = (scheduler.T_cur.value, scheduler.T_i.value)
        optimizer.step({"w": jnp.ones(())})
        read = (weight.value, *position, scheduler.at_restart, scheduler.at_trough)
        weight.value = jnp.zeros(())
        scheduler.step()
        return read

    for loop in ("jit", "for_loop", "scan"):
        scheduler = CosineAnnealingWarmRestarts(**schedule.to_dict())
        optimizer, weight = training(scheduler, momentum=0.0)
        traces = 0
        if loop == "jit":
            jitted = brainstate.transform.jit(one)
            moved, T_cur, T_i, restart, trough = np.array([jitted() for _ in range(24)], float).T
            assert traces == 1
        elif loop == "for_loop":
            moved, T_cur, T_i, restart, trough = brainstate.transform.for_loop(
                lambda _: one(), jnp.arange(24)
            )
        else:
            _, found = brainstate.transform.scan(lambda carry, _: (carry, one()), 0, jnp.arange(24))
            moved, T_cur, T_i, restart, trough = found
        cycles = [schedule.cycle(step) for step in range(24)]
        assert (-np.asarray(moved)).tolist() == rates(schedule, range(24))
        assert np.asarray(T_cur).tolist() == pytest.approx([cycle.position for cycle in cycles], abs=1e-4)
        assert np.asarray(T_i).tolist() == pytest.approx([cycle.length for cycle in cycles], rel=1e-5)
        assert np.flatnonzero(restart).tolist() == schedule.restarts(24)
        assert np.flatnonzero(trough).tolist() == schedule.troughs(23)
        assert scheduler.last_epoch.value == 24 and scheduler.state_dict()["last_epoch"] == 24
        scheduler.step()  # and on outside
        assert scheduler.get_lr() == [schedule(25)]


def test_an_epoch_may_be_traced():
    schedule, scheduler = SCHEDULES[0], CosineAnnealingWarmRestarts(0.1, 3, 2, 1e-3)

    @brainstate.transform.jit
    def at(epoch):
        scheduler.step(epoch)
        return scheduler.get_lr()[0]

    assert [float(at(epoch)) for epoch in (21, 8, 9)] == rates(schedule, (21, 8, 9))
    assert [float(at(epoch)) for epoch in (8.5, 2.25)] == rates(schedule, (8.5, 2.25))


def test_groups_follow_peaks_of_their_own():
    scheduler = CosineAnnealingWarmRestarts([0.1, 0.02], 3, 2, 1e-3)
    optimizer, _ = training(scheduler)
    optimizer.add_param_group({"v": brainstate.ParamState(jnp.zeros(()))})
    optimizer.add_param_group({"u": brainstate.ParamState(jnp.zeros(()))})
    scheduler.attach_optimizer(optimizer)
    for step in range(8):
        lrs = [group["lr"].value for group in optimizer.param_groups]
        assert lrs == scheduler.get_lr() == [WarmRestarts(p, 3, 2, 1e-3)(step) for p in (0.1, 0.02, 0.02)]
        scheduler.step()


def test_a_group_with_a_rate_of_its_own_is_refused_where_it_was_to_follow():
    scheduler = CosineAnnealingWarmRestarts([0.1, 0.02], 3)
    optimizer, _ = training(scheduler)
    optimizer.add_param_group({"v": brainstate.ParamState(jnp.zeros(()))}, lr=0.5)
    with pytest.raises(ValueError, match=r"^lr of param group 1 must be left to the scheduler, got 0\.5; "):
        scheduler.step()
    alone = CosineAnnealingWarmRestarts(0.1, 3)
    optimizer, _ = training(alone)
    optimizer.add_param_group({"v": brainstate.ParamState(jnp.zeros(()))}, lr=0.5)
    alone.step()
    assert optimizer.param_groups[1]["lr"] == 0.5


def test_rates_changed_by_hand_hold_until_the_next_step():
    scheduler = CosineAnnealingWarmRestarts(0.1, 4)
    optimizer, weight = training(scheduler)
    optimizer.lr_apply(lambda rate: rate / 2)
    optimizer.step({"w": jnp.ones(())})
    assert -float(weight.value) == pytest.approx(0.05) and optimizer.current_lr == 0.05
    scheduler.step()
    assert optimizer.current_lr == WarmRestarts(0.1, 4)(1)


def test_it_takes_its_turn_in_a_sequence_and_in_a_chain():
    warm = braintools.optim.LinearLR(base_lr=0.1, start_factor=0.5, end_factor=1.0, total_iters=2)
    scheduler = braintools.optim.SequentialLR(
        [warm, CosineAnnealingWarmRestarts(0.1, 3, 2, 1e-3)], milestones=[2]
    )
    optimizer, _ = training(scheduler)
    found = []
    for _ in range(2 + 4):
        found.append(float(optimizer.current_lr))
        scheduler.step()
    assert found[2:] == rates(SCHEDULES[0], range(4))
    half = braintools.optim.ConstantLR(base_lr=0.1, factor=0.5, total_iters=100)
    chain = braintools.optim.ChainedScheduler([CosineAnnealingWarmRestarts(0.1, 3, 2, 1e-3), half])
    for step in range(5):
        assert [2 * float(chain.get_lr()[0])] == rates(SCHEDULES[0], [step])
        chain.step()


def test_its_own_scheduler_and_this_one_take_each_other_s_states():
    for steps in range(1, 22):
        own, ours = Own(0.1, 3, 2, 1e-3), CosineAnnealingWarmRestarts(0.1, 3, 2, 1e-3)
        for _ in range(steps):
            own.step()
        ours.load_state_dict(own.state_dict())
        assert ours.get_lr() == [SCHEDULES[0](steps)] == ours.get_last_lr()
        again = Own(0.1, 3, 2, 1e-3)
        again.load_state_dict(json.loads(json.dumps(ours.state_dict())))
        for step in range(steps, steps + 4):
            assert [float(again.get_lr()[0])] == rates(SCHEDULES[0], [step])
            assert int(again.T_cur.value) == SCHEDULES[0].cycle(step).position
            again.step()


def test_what_its_own_scheduler_had_wrong_is_put_right():
    resumed = Own(0.1, 10, 2, last_epoch=100)
    assert int(resumed.T_cur.value) == 0  # 30
    ours = CosineAnnealingWarmRestarts(0.1, 10, 2)
    ours.load_state_dict(resumed.state_dict())
    assert (ours.T_cur.value, ours.T_i.value) == (30, 80)


def test_a_state_is_of_plain_numbers_and_is_loaded_whole_or_not_at_all():
    scheduler = CosineAnnealingWarmRestarts([0.1, 0.2], 2.5, 1.5)
    training(scheduler)
    brainstate.transform.jit(scheduler.step)()
    state = scheduler.state_dict()
    assert state == pickle.loads(pickle.dumps(json.loads(json.dumps(state))))
    assert set(state) == {"last_epoch", "base_lrs", "current_lrs", "T_cur", "T_i"} == set(Own().state_dict())
    state["base_lrs"].append(1.0)
    assert scheduler.base_lrs == [0.1, 0.2]
    for bad, name in (
        ({"last_epoch": 3}, "state_dict must have base_lrs, got "),
        ({"base_lrs": [0.1]}, "state_dict must have last_epoch, got "),
        ({"last_epoch": -3, "base_lrs": [0.3]}, "last_epoch must be"),
        ({"last_epoch": 3, "base_lrs": ["0.3"]}, "base_lr must be"),
        ({"last_epoch": 3, "base_lrs": []}, "base_lr must be"),
    ):
        with pytest.raises(ValueError, match=f"^{name}[^\n]*; [^\n]*$"):
            scheduler.load_state_dict(bad)
        assert scheduler.last_epoch.value == 1 and scheduler.base_lrs == [0.1, 0.2]


@pytest.mark.parametrize(
    "kind", [np.asarray, jnp.asarray, lambda value: np.asarray(value)[()]], ids=["numpy", "jax", "scalar"]
)
def test_a_state_in_numbers_of_another_library_is_loaded(kind):
    before = CosineAnnealingWarmRestarts([0.5, 0.25], 2, 2, 0.125, 7)
    before.last_epoch.value = kind(7)
    before.base_lrs[1] = kind(0.25)
    state = before.state_dict()
    assert json.loads(json.dumps(state)) == state
    after = CosineAnnealingWarmRestarts([0.5, 0.25], 2, 2, 0.125)
    after.load_state_dict(
        {
            name: list(map(kind, entry)) if isinstance(entry, list) else kind(entry)
            for name, entry in state.items()
        }
    )
    assert json.dumps(after.state_dict()) == json.dumps(state)


def test_a_warning_says_what_a_state_changes_and_what_it_cannot():
    saved = CosineAnnealingWarmRestarts(0.1, 10, 2, last_epoch=37).state_dict()
    scheduler = CosineAnnealingWarmRestarts(0.5, 10, 2)
    with pytest.warns(UserWarning, match=r"base_lrs=\[0\.1\] in place of \[0\.5\]; .* step\(37\)"):
        scheduler.load_state_dict(saved)
    other = CosineAnnealingWarmRestarts(0.1, 15, 2)
    with pytest.warns(UserWarning, match=r"T_i=40, which no cycle of WarmRestarts\(base_lr=0\.1, T_0=15"):
        other.load_state_dict(saved)
    assert other.get_lr() == [WarmRestarts(0.1, 15, 2)(37)]


@pytest.mark.parametrize("epoch", [-1, float("nan"), "3", True, np.array(-2)])
def test_a_bad_epoch_is_refused_and_it_stays(epoch):
    scheduler = CosineAnnealingWarmRestarts(0.1, 3)
    with pytest.raises(ValueError, match=r"^epoch must be a finite number >= 0, got "):
        scheduler.step(epoch)
    assert scheduler.last_epoch.value == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"base_lr": []}, "base_lr must be a number or a list"),
        ({"base_lr": [0.1, 0.01], "eta_min": 0.05}, "eta_min must not exceed base_lr=0.01"),
        ({"last_epoch": -1}, "last_epoch must be"),
        ({"T_0": 0}, "T_0 must be"),
    ],
)
def test_bad_arguments(fields, message):
    with pytest.raises(ValueError, match=f"^{message}[^\n]*; [^\n]*$"):
        CosineAnnealingWarmRestarts(**fields)


def test_T_cur_and_T_i_may_be_assigned_what_they_are():
    scheduler = CosineAnnealingWarmRestarts(0.1, 50, 2, last_epoch=75)
    assert (scheduler.T_cur.value, scheduler.T_i.value) == (25, 100)
    again = CosineAnnealingWarmRestarts(0.1, 50, 2)
    with pytest.raises(ValueError, match=r"^T_cur is 0 at step 0, got 25; go elsewhere by step\(epoch\)$"):
        again.T_cur = scheduler.T_cur
    again.load_state_dict(scheduler.state_dict())
    for T_cur, T_i in (
        (scheduler.T_cur, scheduler.T_i),
        (25, 100.0),
        (jnp.int32(25), np.float32(100)),
        copy.deepcopy((scheduler.T_cur, scheduler.T_i)),
        pickle.loads(pickle.dumps((scheduler.T_cur, scheduler.T_i))),
    ):
        again.T_cur, again.T_i = T_cur, T_i
        again.T_cur.value, again.T_i.value = T_cur, T_i
    with pytest.raises(ValueError, match=r"^T_i is 100 at step 75, got 50; go elsewhere by step\(epoch\)$"):
        again.T_i.value = 50
    with pytest.raises(ValueError, match=r"^T_cur must be a finite number"):
        again.T_cur = "25"
    assert (repr(scheduler.T_cur), scheduler.T_0, scheduler.T_mult, scheduler.eta_min) == (
        "T_cur=25",
        50,
        2,
        0,
    )


def test_adamw_clips_and_decays_as_with_its_own_scheduler():
    rates = []
    for cls in (CosineAnnealingWarmRestarts, Own):
        scheduler = cls(base_lr=0.1, T_0=30, T_mult=2, eta_min=0.001)
        optimizer, weight = training(scheduler, braintools.optim.AdamW, weight_decay=1e-4, grad_clip_norm=1.0)
        for step in range(1, 12):
            optimizer.step({"w": jnp.asarray(float(step))})
            scheduler.step()
        rates.append(float(weight.value))
    assert rates[0] == pytest.approx(rates[1], rel=1e-5) and rates[0] < -0.5


def test_snapshots_and_restarts_as_braintools_users_find_them():
    scheduler = CosineAnnealingWarmRestarts(base_lr=0.1, T_0=25, T_mult=1, eta_min=0)
    optimizer, weight = training(scheduler, momentum=0.9)
    snapshots = []
    for epoch in range(100):
        optimizer.step({"w": weight.value - 1.0})
        scheduler.step()
        if scheduler.T_cur.value == scheduler.T_i.value - 1:
            snapshots.append((epoch, float(weight.value)))
    assert [epoch for epoch, _ in snapshots] == [23, 48, 73, 98]

    scheduler = CosineAnnealingWarmRestarts(base_lr=0.1, T_0=10, T_mult=2, eta_min=0.001)
    restarts = []
    for epoch in range(100):
        before = scheduler.T_cur.value
        scheduler.step()
        if scheduler.T_cur.value < before:
            restarts.append(epoch)
            assert f"{scheduler.get_lr()[0]:.6f}" == "0.100000" and scheduler.at_restart
    assert restarts == [9, 29, 69]


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 400))
def test_every_rate_is_that_of_its_own_scheduler_stepped_from_the_beginning(T_0, T_mult, steps):
    own = Own(1.0, T_0, T_mult)
    T_cur, T_i = 0, T_0
    for _ in range(steps):
        T_cur += 1
        if T_cur == T_i:
            T_cur, T_i = 0, T_i * T_mult
    own.T_cur.value, own.T_i.value = T_cur, T_i
    ours = CosineAnnealingWarmRestarts(1.0, T_0, T_mult, last_epoch=steps)
    assert (ours.T_cur.value, ours.T_i.value) == (T_cur, T_i)
    assert ours.get_lr()[0] == pytest.approx(float(own.get_lr()[0]), abs=1e-6)
