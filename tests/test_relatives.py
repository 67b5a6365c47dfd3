"""The relatives of warm restarts: against optax, torch and braintools, and called as schedules are."""

import copy
import json
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr import WarmRestarts, Warmup
from sgdr.decays import Linear, Power, StableDecay
from sgdr.relatives import Chained, Cyclic, Joined, OneCycle, StepDecay, cosine_annealing, from_dict

ALL = [
    OneCycle(0.1, 50),
    OneCycle(0.3, 47.5, 0.25, 10, 100, 0.7, "linear"),
    Cyclic(0.1, 7, eta_min=0.01),
    Cyclic(0.2, 3, 5, 0.0, "triangular2"),
    Cyclic(0.2, 2.5, 4.25, 0.001, "exp_range", 0.97),
    StepDecay(0.1, (30, 60.5, 80), 0.2),
    StepDecay(0.1, ()),
    Linear(0.1, 40, 0.001),
    Power(0.1, 35.5, 2.5),
    StableDecay(0.1, 50, 0.3, 0.01),
    StableDecay(0.1, 50, 0.25, fall="sqrt"),
    Joined([WarmRestarts(0.1, 5, 2), OneCycle(0.2, 20), StepDecay(0.01, [3])], [17, 40]),
    Chained([Cyclic(0.1, 10), StepDecay(1.0, (20, 40), 0.5)]),
]
IDS = [f"{type(schedule).__name__}-{number}" for number, schedule in enumerate(ALL)]
every = pytest.mark.parametrize("schedule", ALL, ids=IDS)
ALIKE = (1, 3, 6)
"""Schedules of the class of another one here, which is compiled in its place."""
few = pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(schedule, id=name, marks=[pytest.mark.slow] * (number in ALIKE))
        for number, (schedule, name) in enumerate(zip(ALL, IDS, strict=True))
    ],
)
RATES = st.floats(1e-6, 1e3)
LENGTHS = st.one_of(st.integers(1, 10**6), st.floats(0.1, 1e6))


@few
def test_python_numpy_and_jax_agree(schedule: Any) -> None:
    steps = np.arange(120, dtype=np.int32)
    truth = [schedule(step) for step in steps.tolist()]
    assert all(type(rate) is float for rate in truth)
    assert type(schedule(np.int32(7))) is type(schedule(7.5)) is float
    rates = schedule(steps.reshape(2, 60))
    assert rates.shape == (2, 60) and rates.dtype == np.float64
    assert rates.ravel().tolist() == pytest.approx(truth, rel=1e-12, abs=1e-18)
    with jax.numpy_dtype_promotion("strict"):
        for rates in (
            jax.jit(schedule)(jnp.asarray(steps)),
            jax.jit(lambda s, x: s(x))(schedule, jnp.asarray(steps)),
            jax.lax.scan(lambda step, _: (step + 1, schedule(step)), jnp.float32(0), None, length=120)[1],
        ):
            assert rates.dtype == jnp.float32
            np.testing.assert_allclose(rates, truth, rtol=2e-5, atol=1e-8)


@every
def test_scaled_from_epochs_to_steps(schedule: Any) -> None:
    steps = np.arange(0, 120 * 8)
    np.testing.assert_allclose(schedule.scaled(8)(steps), schedule(steps / 8), rtol=1e-9)
    for bad in (0, -1, math.nan, "8"):
        with pytest.raises(ValueError, match="steps_per_epoch must be"):
            schedule.scaled(bad)


@every
def test_is_a_value_and_a_pytree(schedule: Any) -> None:
    for other in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
        assert other == schedule and hash(other) == hash(schedule)
    leaves, structure = jax.tree.flatten(schedule)
    assert all(isinstance(leaf, int | float) for leaf in leaves)
    assert jax.tree.unflatten(structure, leaves) == schedule
    assert json.loads(json.dumps(schedule.to_dict())) == schedule.to_dict()


@few
def test_fields_may_be_traced_and_a_batch(schedule: Any) -> None:
    batch = jax.tree.map(lambda leaf: jnp.array([leaf, leaf]), schedule)
    rates = jax.jit(jax.vmap(lambda one: one(jnp.arange(100))))(batch)
    np.testing.assert_allclose(rates[1], schedule(np.arange(100)), rtol=1e-4, atol=1e-7)
    scaled = jax.jit(lambda one, n: one.scaled(n)(np.arange(60)))(schedule, jnp.int32(4))
    np.testing.assert_allclose(scaled, schedule(np.arange(60) / 4), rtol=1e-4, atol=1e-7)


def test_fields_that_are_arrays_are_worked_out_by_jax_whatever_the_step() -> None:
    one = StepDecay(jnp.float32(0.1), (3, jnp.int32(5)), np.float32(0.5))
    for step, rate in ((2, 0.1), (3.0, 0.05), (np.array([5, 6]), 0.025)):
        assert isinstance(one(step), jax.Array) and np.allclose(one(step), rate)


def test_drives_an_optimizer_of_optax() -> None:
    schedule = Joined([OneCycle(0.1, 6), StepDecay(0.02, ())], [6])
    optimizer = optax.sgd(schedule)
    state, total = optimizer.init(jnp.float32(0)), 0.0
    update = jax.jit(optimizer.update)
    for _ in range(10):
        step, state = update(jnp.float32(1), state)
        total -= float(step)
    assert total == pytest.approx(sum(schedule(step) for step in range(10)), rel=1e-5)


def test_numbers_need_no_jax() -> None:
    code = (
        "import sys\nimport numpy as np\nfrom sgdr.relatives import *\n"
        "for s in (OneCycle(.1, 9), Cyclic(.1, 9), StepDecay(.1, (3,)), Joined([StepDecay(.1, ())], ())):\n"
        "    s(3), s(np.arange(4)), s.scaled(2), s.to_dict()\n"
        "assert not {'jax', 'optax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# What others compute.


def test_optax_has_the_same_values() -> None:
    length = 1000

    def close(ours: Any, theirs: Callable[[Any], Any]) -> None:
        steps = np.arange(length + 20)
        np.testing.assert_allclose(ours(steps), jax.jit(jax.vmap(theirs))(steps), rtol=1e-5, atol=2e-8)

    close(cosine_annealing(0.3, length, 0.003), optax.cosine_decay_schedule(0.3, length, 0.01))
    close(Linear(0.3, length, 0.003), optax.linear_schedule(0.3, 0.003, length))
    close(Power(0.3, length, 3.0, 0.003), optax.polynomial_schedule(0.3, 0.003, 3.0, length))
    plateau = length - length // 4
    parts_of_it = [optax.constant_schedule(0.3), optax.linear_schedule(0.3, 0.003, length // 4)]
    close(StableDecay(0.3, length, length // 4 / length, 0.003), optax.join_schedules(parts_of_it, [plateau]))
    close(OneCycle(0.3, length), optax.cosine_onecycle_schedule(length, 0.3))
    close(OneCycle(0.3, length, 0.2, 5, 50), optax.cosine_onecycle_schedule(length, 0.3, 0.2, 5, 50))
    linear = optax.linear_onecycle_schedule(length, 0.3, 0.3, 0.8)
    close(OneCycle(0.3, length, pct_final=0.8, anneal="linear"), linear)
    quarter, half = length // 4, length // 2
    close(
        StepDecay(0.3, (quarter, half), 0.2),
        optax.piecewise_constant_schedule(0.3, {quarter: 0.2, half: 0.2}),
    )
    parts: list[Any] = [WarmRestarts(0.1, 7, 2), OneCycle(0.2, 20), cosine_annealing(0.3, 9)]
    close(Joined(parts, (quarter, half)), optax.join_schedules(parts, [quarter, half]))


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def of_torch(torch: Any, name: str, steps: int, lr: float = 0.1, **options: Any) -> list[float]:
    """The rates of a scheduler of torch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def test_torch_has_the_same_cosine_and_steps(torch: Any) -> None:
    cosine = of_torch(torch, "CosineAnnealingLR", 41, T_max=40, eta_min=0.001)
    assert cosine == pytest.approx(cosine_annealing(0.1, 40, 0.001)(np.arange(41)), rel=1e-9)
    steps = of_torch(torch, "MultiStepLR", 50, milestones=[10, 25], gamma=0.2)
    assert steps == pytest.approx(StepDecay(0.1, (10, 25), 0.2)(np.arange(50)), rel=1e-12)


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("pct", [0.3, 0.15])
def test_torch_has_the_same_one_cycle_between_its_ends(torch: Any, anneal: str, pct: float) -> None:
    length = 60
    # torch's phases end one step before pct_start * total_steps and total_steps.
    options = {"max_lr": 0.5, "total_steps": length + 1, "anneal_strategy": anneal, "cycle_momentum": False}
    theirs = of_torch(torch, "OneCycleLR", length + 1, pct_start=(pct * length + 1) / (length + 1), **options)
    ours = OneCycle(0.5, length, pct, anneal="linear" if anneal == "linear" else "cosine")
    assert theirs == pytest.approx(ours(np.arange(length + 1)), rel=1e-9)
    theirs = of_torch(
        torch,
        "OneCycleLR",
        length + 1,
        pct_start=(pct * length + 1) / (length + 1),
        three_phase=True,
        **options,
    )
    ours = OneCycle(0.5, length, pct, pct_final=2 * pct, anneal=ours.anneal)
    assert theirs == pytest.approx(ours(np.arange(length + 1)), rel=1e-9)


@pytest.mark.parametrize(
    ("mode", "down"), [("triangular", None), ("triangular2", None), ("exp_range", None), ("triangular2", 11)]
)
def test_torch_and_braintools_have_the_same_triangles(torch: Any, mode: str, down: int | None) -> None:
    ours = Cyclic(0.5, 7, down, 0.01, mode, 0.99)(np.arange(100))
    sizes: dict[str, Any] = {"step_size_up": 7, "step_size_down": down, "mode": mode, "gamma": 0.99}
    theirs = of_torch(torch, "CyclicLR", 100, base_lr=0.01, max_lr=0.5, cycle_momentum=False, **sizes)
    # torch takes a cycle to be a share of itself, which loses some digits.
    assert theirs == pytest.approx(ours, rel=1e-9)
    braintools = pytest.importorskip("braintools")
    scheduler = braintools.optim.CyclicLR(base_lr=0.01, max_lr=0.5, **sizes)
    if down is None:  # else braintools rises and falls at one speed, whatever it is told
        assert of_braintools(scheduler, 100) == pytest.approx(ours, rel=2e-4, abs=2e-6)


def of_braintools(scheduler: Any, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(float(scheduler.get_lr()[0]))
        scheduler.step()
    return rates


def test_braintools_has_the_same_cosine_one_cycle_and_chain() -> None:
    optim = pytest.importorskip("braintools").optim
    theirs = of_braintools(optim.CosineAnnealingLR(0.1, T_max=40, eta_min=0.001), 60)
    assert theirs == pytest.approx(cosine_annealing(0.1, 40, 0.001)(np.arange(60)), rel=1e-4, abs=1e-8)
    # Its last rate is max_lr / final_div_factor, and its rise is always linear.
    theirs = of_braintools(optim.OneCycleLR(0.5, total_steps=60, anneal_strategy="linear"), 70)
    ours = OneCycle(0.5, 60, anneal="linear", final_div_factor=1e4 / 25)
    assert theirs == pytest.approx(ours(np.arange(70)), rel=1e-4, abs=1e-7)
    chain = optim.ChainedScheduler([optim.CosineAnnealingLR(0.1, T_max=40), optim.MultiStepLR(0.1, [10, 20])])
    ours_too = Chained([cosine_annealing(0.1, 40), StepDecay(1.0, (10, 20))])
    assert of_braintools(chain, 50) == pytest.approx(ours_too(np.arange(50)), rel=1e-4, abs=1e-8)


# What they are.


@given(RATES, LENGTHS, st.floats(0.01, 0.98), st.sampled_from(["cosine", "linear"]))
@settings(max_examples=100, deadline=None)
def test_one_cycle_rises_to_its_peak_and_falls(lr: float, length: float, pct: float, anneal: str) -> None:
    schedule = OneCycle(lr, length, pct, anneal=anneal)
    last = lr / 25 / 1e4
    assert schedule(0) == pytest.approx(lr / 25) and schedule(pct * length) == pytest.approx(lr)
    assert schedule(length) == pytest.approx(last) == schedule(3 * length)
    rises = schedule(np.linspace(0, pct * length, 30))
    falls = schedule(np.linspace(pct * length, length, 30))
    slack = 1e-12 * lr
    assert (np.diff(rises) >= -slack).all() and (np.diff(falls) <= slack).all()
    assert falls.min() >= last * (1 - 1e-9) and max(rises.max(), falls.max()) <= lr + slack


@given(RATES, st.integers(1, 50), st.integers(1, 50), st.floats(0, 1), st.integers(0, 10**9))
@settings(max_examples=100, deadline=None)
def test_triangles_repeat_and_end_at_the_lowest_rate(
    lr: float, up: int, down: int, share: float, t: int
) -> None:
    low = share * lr
    schedule = Cyclic(lr, up, down, low)
    assert low * (1 - 1e-12) <= schedule(t) <= lr * (1 + 1e-12)
    assert schedule(t) == pytest.approx(schedule(t + 3 * (up + down)), rel=1e-12)
    assert schedule(up) == pytest.approx(lr)
    assert schedule.troughs(5 * (up + down)) == [k * (up + down) for k in range(1, 6)]
    assert [schedule(end) for end in schedule.troughs(1000)[-1:]] == pytest.approx(
        [low] * (up + down <= 1000)
    )
    lower = Cyclic(lr, up, down, mode="triangular2")
    assert lower(up + 3 * (up + down)) == pytest.approx(lr / 8)


@given(RATES, st.sets(st.integers(1, 1000), max_size=6), st.floats(0.01, 1), st.integers(0, 1200))
@settings(max_examples=100, deadline=None)
def test_steps_fall_at_their_milestones(lr: float, milestones: set[int], gamma: float, step: int) -> None:
    schedule = StepDecay(lr, sorted(milestones), gamma)
    assert schedule(step) == pytest.approx(lr * gamma ** sum(step >= m for m in milestones))


def test_joined_schedules_begin_at_their_own_step_0() -> None:
    first, second = WarmRestarts(0.1, 4, 2), Cyclic(0.2, 3)
    joined = Joined([first, second], [20])
    assert [joined(step) for step in range(20)] == pytest.approx([first(step) for step in range(20)])
    assert [joined(20 + step) for step in range(30)] == pytest.approx([second(step) for step in range(30)])
    assert joined.troughs(33) == [4, 12, 26, 32]
    assert joined.restarts(33) == [4, 12]
    assert joined.troughs(11) == [4] and joined.restarts(4) == []
    plain = Joined([lambda step: 0.1 + 0 * step, first], [5])
    assert plain.troughs(20) == [9, 17] and plain(3) == pytest.approx(0.1)
    for call in (lambda: plain.scaled(3), plain.to_dict):
        with pytest.raises(ValueError, match=r"schedules must have \w+\(\) for this, got <function"):
            call()
    rates = jax.jit(lambda one, steps: one(steps))(plain, jnp.arange(20))
    np.testing.assert_allclose(rates, plain(np.arange(20)), rtol=1e-5)


def test_chained_schedules_multiply() -> None:
    chained = Chained([WarmRestarts(0.1, 10), StepDecay(1.0, (15,), 0.5), lambda step: 2.0])
    assert chained(5) == pytest.approx(0.1) and chained(20) == pytest.approx(0.1)
    assert chained.troughs(30) == [10, 20, 30] and chained.restarts(30) == [10, 20]


def test_the_end_of_one_cycle_is_its_trough() -> None:
    assert OneCycle(0.1, 9.5).troughs(30) == [10] and OneCycle(0.1, 10).troughs(9) == []
    assert OneCycle(0.1, 9.5).scaled(4).troughs(100) == [38]


def test_large_steps_keep_their_place() -> None:
    schedule = Cyclic(0.1, 3, 4)
    far = 7 * 2**28  # where a float32 is no longer whole
    assert [schedule(far + step) for step in range(7)] == [schedule(step) for step in range(7)]
    steps = jnp.arange(7, dtype=jnp.int32) + far
    np.testing.assert_allclose(schedule(steps), schedule(np.arange(7)), rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="step must be"):
        schedule(2**70)


@pytest.mark.parametrize(("up", "down"), [(0.15146148, 7702.2323), (1.0155913, 7073.6276), (1, 9013)])
def test_a_short_rise_before_a_long_fall_is_as_exact_as_any(up: float, down: float) -> None:
    schedule = Cyclic(0.1, up, down, 0.01)
    steps = np.arange(60, dtype=np.int32)
    np.testing.assert_allclose(schedule(jnp.asarray(steps)), schedule(steps), rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.lists(st.integers(0, 2**31 - 1), min_size=5, max_size=5))
@pytest.mark.slow
def test_triangles_of_any_length_keep_their_place_in_jax(up: float, down: float, far: list[int]) -> None:
    schedule = Cyclic(0.1, up, down, 0.01)
    steps = np.array([*range(60), *far], np.int32)
    exact = schedule(steps.astype(np.int64))
    # Places of steps are pairs of float32: 2^-48 of a step of 2^31 is 1e-5 of the shortest rise.
    np.testing.assert_allclose(schedule(jnp.asarray(steps)), exact, atol=1e-7 + 1e-6 / min(up, down, 1))
    assert schedule(jnp.asarray(steps)).min() >= np.float32(0.01)


@every
@pytest.mark.parametrize(
    "step", [-1, math.nan, math.inf, "3", None, [1], True, np.array([-1]), np.array(["a"])]
)
def test_bad_steps(schedule: Any, step: Any) -> None:
    with pytest.raises(ValueError, match=r"^step must be") as raised:
        schedule(step)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: cosine_annealing(0.1, 0), "length must be a number > 0"),
        (lambda: cosine_annealing(-0.1, 10), "base_lr must be"),
        (lambda: OneCycle(0, 10), "base_lr must be"),
        (lambda: OneCycle(0.1, "10"), "length must be"),
        (lambda: OneCycle(0.1, 10, 1.0), r"pct_start must be a share > 0 and < 1, got 1\.0; "),
        (lambda: OneCycle(0.1, 10, 0), "pct_start must be"),
        (lambda: OneCycle(0.1, 10, div_factor=0.5), "div_factor must be a number >= 1"),
        (lambda: OneCycle(0.1, 10, final_div_factor=None), "final_div_factor must be"),
        (lambda: OneCycle(0.1, 10, 0.3, pct_final=0.2), r"pct_final must exceed pct_start=0\.3, got 0\.2; "),
        (lambda: OneCycle(0.1, 10, anneal="cos"), "anneal must be one of cosine, linear, got 'cos'; "),
        (lambda: Cyclic(0.1, 0), "up must be"),
        (lambda: Cyclic(0.1, 3, -1), "down must be"),
        (lambda: Cyclic(0.1, 3, eta_min=0.2), r"eta_min must not exceed base_lr=0\.1, got 0\.2; "),
        (lambda: Cyclic(0.1, 3, gamma=1.1), "gamma must be"),
        (lambda: Cyclic(0.1, 3, mode="square"), "mode must be one of triangular, triangular2, exp_range"),
        (lambda: StepDecay(0.1, 30), "milestones must be steps in rising order, got 30; "),
        (lambda: StepDecay(0.1, "30"), "milestones must be steps in rising order"),
        (lambda: StepDecay(0.1, (30, 30)), r"milestones must be steps in rising order, got \(30, 30\); "),
        (lambda: StepDecay(0.1, (0, 30)), "milestones must be a number > 0"),
        (lambda: StepDecay(0.1, (30,), 0), "gamma must be"),
        (lambda: Joined([], ()), r"schedules must be callables from step to rate, got \[\]; "),
        (lambda: Joined([0.1], ()), r"schedules must be callables from step to rate, got \[0\.1\]; "),
        (lambda: Joined(ALL[0], ()), "schedules must be callables"),
        (lambda: Joined(ALL[:2], ()), r"milestones must be one fewer than the 2 schedules, got \(\); "),
        (lambda: Joined(ALL[:2], (-3,)), "milestones must be a number > 0"),
        (lambda: Chained("ab"), "schedules must be callables"),
    ],
)
def test_bad_fields(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}") as raised:
        make()
    assert "\n" not in str(raised.value) and "; " in str(raised.value)


def test_a_relative_is_warmed_up_and_scaled_with_it():
    steps = Warmup(StepDecay(0.1, (10,)), 2).scaled(5)
    assert [steps(step) for step in (0, 5, 10, 59, 60)] == pytest.approx([0.0, 0.05, 0.1, 0.1, 0.01])
    warm = Warmup(Cyclic(0.1, 3, 4), 5)
    assert (warm.restarts(40), warm.troughs(30)) == ([], [12, 19, 26])
    both = Joined([warm, OneCycle(0.2, 20)], [40])
    assert from_dict(json.loads(json.dumps(both.to_dict()))) == both


@pytest.mark.parametrize(
    "given", [None, 3, {"kind": "joined", "schedules": 3, "milestones": [1]}, {"kind": 7}]
)
def test_what_is_no_schedule_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        from_dict(given)
