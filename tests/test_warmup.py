"""Warmup: the linear rise, and the wrapped schedule shifted by exactly its steps."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sgdr.cycles import Cycle
from sgdr.schedule import WarmRestarts
from sgdr.warmup import Warmup

INNER = WarmRestarts(0.1, 10, 2, 1e-3)
WARM = Warmup(INNER, 5)


def test_rises_from_zero_to_the_first_rate_and_then_follows():
    assert [WARM(step) for step in range(5)] == pytest.approx([0.0, 0.02, 0.04, 0.06, 0.08])
    assert [WARM(step) for step in range(5, 200)] == [INNER(step) for step in range(195)]
    assert WARM(2.5) == pytest.approx(0.05) and type(WARM(2.5)) is type(WARM(np.int32(7))) is float


@pytest.mark.parametrize(
    "warm",
    [
        WARM,
        pytest.param(Warmup(INNER, 0), marks=pytest.mark.slow),
        pytest.param(Warmup(WARM, 3), marks=pytest.mark.slow),
        Warmup(WarmRestarts(0.1, 2.5, 1.5), 4),
    ],
)
def test_python_numpy_and_jax_agree(warm):
    steps = np.arange(300, dtype=np.int32)
    truth = [warm(step) for step in steps.tolist()]
    assert warm(steps).dtype == np.float64 and warm(steps).tolist() == pytest.approx(truth, rel=1e-12)
    with jax.numpy_dtype_promotion("strict"):
        for rates in (
            jax.jit(warm)(jnp.asarray(steps)),
            jax.jit(lambda s, x: s(x))(warm, jnp.asarray(steps)),
            jax.jit(jax.vmap(warm))(jnp.asarray(steps, jnp.float32)),
            jax.lax.scan(lambda step, _: (step + 1, warm(step)), jnp.int32(0), None, length=300)[1],
        ):
            assert rates.dtype == jnp.float32
            assert np.abs(np.asarray(rates) - truth).max() < 2e-7


def test_cycles_are_shifted_and_keep_their_length():
    assert WARM.restarts(100) == [15, 35, 75]
    assert WARM.restarts(75) == [15, 35]
    assert WARM.troughs(155) == [15, 35, 75, 155]
    assert WARM.restarts(3) == WARM.troughs(3) == []
    assert WARM.cycle(42) == Cycle(index=2, start=35, length=40, position=7)
    assert WARM.cycle(5) == Cycle(index=0, start=5, length=10, position=0)
    assert WARM.cycle(3) == Cycle(index=0, start=5, length=10, position=-2)
    assert Warmup(WARM, 3).restarts(80) == [18, 38, 78]
    assert Warmup(WARM, 3).cycle(1).position == -7
    assert WARM.scaled(10) == Warmup(WarmRestarts(0.1, 100, 2, 1e-3), 50)


def test_wraps_any_callable():
    warm = Warmup(optax.constant_schedule(0.3), 4)
    assert [float(warm(step)) for step in (0, 2, 4, 9)] == pytest.approx([0, 0.15, 0.3, 0.3])
    assert jax.tree.leaves(warm) == [4]
    rates = jax.jit(lambda s, x: s(x))(warm, jnp.arange(8))
    assert np.allclose(rates, warm(np.arange(8)))
    for told in (lambda: warm.cycle(3), lambda: warm.restarts(9), lambda: warm.troughs(9), warm.to_dict):
        with pytest.raises(ValueError, match=r"schedule must have [a-z_]+\(\), got <function"):
            told()


def test_is_a_pytree_whose_fields_may_be_traced():
    leaves, structure = jax.tree.flatten(WARM)
    assert leaves == [0.1, 10, 2, 1e-3, 1.0, 5]
    assert jax.tree.unflatten(structure, leaves) == WARM
    batch = jax.tree.map(lambda *values: jnp.array(values), WARM, Warmup(WarmRestarts(0.2, 7, 1), 9))
    rates = jax.jit(jax.vmap(lambda schedule: schedule(jnp.arange(60))))(batch)
    assert np.allclose(rates[0], WARM(np.arange(60)), atol=1e-7)
    assert np.allclose(rates[1], Warmup(WarmRestarts(0.2, 7, 1), 9)(np.arange(60)), atol=1e-7)
    slope = jax.jit(jax.grad(lambda lr, step: Warmup(WarmRestarts(lr, 10), 5)(step)))
    assert slope(0.1, jnp.int32(2)) == pytest.approx(0.4) and slope(0.1, jnp.int32(5)) == 1.0


def test_value_semantics_and_optax():
    for other in (eval(repr(WARM)), pickle.loads(pickle.dumps(WARM)), copy.deepcopy(WARM)):
        assert other == WARM and hash(other) == hash(WARM)
    optimizer = optax.sgd(WARM)
    state = optimizer.init(jnp.float32(0.0))
    total = 0.0
    for _ in range(20):
        step, state = jax.jit(optimizer.update)(jnp.float32(1.0), state)
        total -= float(step)
    assert total == pytest.approx(sum(WARM(step) for step in range(20)), rel=1e-5)


@pytest.mark.parametrize("steps", [-1, 2.5, "3", None, True, float("nan")])
def test_bad_steps_of_warm_up(steps):
    with pytest.raises(ValueError, match=r"^steps must be an int >= 0, got .*; "):
        Warmup(INNER, steps)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match=r"schedule must be callable, got 0\.1"):
        Warmup(0.1, 5)
    for step in (-1, float("nan"), [1], np.array([-1])):
        with pytest.raises(ValueError, match="step must be"):
            WARM(step)
