"""Optimizers of optax that follow a schedule and show its rate: alone, in groups, clipped, accumulated."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sgdr import WarmRestarts, Warmup
from sgdr.adapters.optax import optimizer, rate

GROWING = WarmRestarts(0.1, 3, 2, 1e-3)
PARAMS = {"body": {"w": jnp.arange(3.0), "b": jnp.ones(2)}, "head": jnp.full(2, -1.0)}
LABELS = {"body": "body", "head": "head"}


def grads_at(step):
    """Gradients of norms below and above 1."""
    return jax.tree.map(lambda p: jnp.cos(p + step) * (0.1 + step % 3), PARAMS)


def trained(descent, steps=15, params=PARAMS):
    """The parameters and the rates that were read, after the compiled training."""

    def step(carry, number):
        params, state = carry
        updates, state = descent.update(grads_at(number.astype(jnp.float32)), state, params)
        return (optax.apply_updates(params, updates), state), rate(state)

    (params, _), rates = jax.lax.scan(step, (params, descent.init(params)), jnp.arange(steps))
    return params, rates


def assert_same(trained_weights, expected):
    for one, other in zip(jax.tree.leaves(trained_weights), jax.tree.leaves(expected), strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "hparams"),
    [
        (optax.sgd, {"momentum": 0.9, "nesterov": True}),
        (
            optax.adamw,
            {"weight_decay": 1e-4, "mask": lambda params: jax.tree.map(lambda p: p.ndim > 0, params)},
        ),
        (functools.partial(optax.rmsprop, decay=0.8), {"momentum": 0.5}),
    ],
    ids=["sgd", "adamw", "partial"],
)
def test_it_trains_as_without_and_the_rate_can_be_read(make, hparams):
    schedule = Warmup(GROWING, 4)
    params, rates = trained(optimizer(schedule, make, **hparams))
    assert_same(params, trained_without(make(schedule, **hparams)))
    assert np.abs(np.asarray(rates) - schedule(np.arange(15))).max() <= 4e-8


def trained_without(descent, steps=15, params=PARAMS):
    state = descent.init(params)
    update = jax.jit(descent.update)
    for number in range(steps):
        updates, state = update(grads_at(float(number)), state, params)
        params = optax.apply_updates(params, updates)
    return params


def test_gradients_are_clipped_over_all_groups_and_weights_decay():
    expected = trained_without(
        optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(GROWING, weight_decay=1e-2))
    )
    alone = optimizer(GROWING, clip_norm=1.0, weight_decay=1e-2)
    assert_same(trained(alone)[0], expected)
    groups = optimizer({"body": GROWING, "head": GROWING}, labels=LABELS, clip_norm=1.0, weight_decay=1e-2)
    assert_same(trained(groups)[0], expected)


def test_groups_follow_schedules_of_their_own():
    schedules = {"body": GROWING, "head": Warmup(WarmRestarts(0.02, 5), 3)}
    weights, rates = trained(optimizer(schedules, optax.sgd, labels=lambda params: LABELS, momentum=0.9))
    assert set(rates) == set(schedules)
    for name, schedule in schedules.items():
        assert np.abs(np.asarray(rates[name]) - schedule(np.arange(15))).max() <= 4e-8
        assert_same(weights[name], trained_without(optax.sgd(schedule, momentum=0.9))[name])


def test_the_first_rate_is_there_before_the_first_update():
    descent = optimizer({"body": GROWING, "head": WarmRestarts(0.3, 5)}, labels=LABELS)
    assert rate(descent.init(PARAMS)) == pytest.approx({"body": 0.1, "head": 0.3})
    assert rate(optimizer(GROWING).init(PARAMS)) == pytest.approx(0.1)
    own = optax.inject_hyperparams(optax.adam)(learning_rate=GROWING)
    assert rate(own.init(PARAMS)) == pytest.approx(0.1)


def test_the_rates_of_several_optimizers_are_all_there():
    alone, other = (optimizer(WarmRestarts(peak, 5)).init(PARAMS) for peak in (0.1, 0.3))
    groups, others = (
        optimizer({"body": WarmRestarts(peak, 5), "head": WarmRestarts(0.5, 5)}, labels=LABELS).init(PARAMS)
        for peak in (0.1, 0.3)
    )
    assert rate([alone, other]) == pytest.approx({"[0]": 0.1, "[1]": 0.3})
    assert rate({"generator": alone, "critic": other}) == pytest.approx({"generator": 0.1, "critic": 0.3})
    labelled = rate({"generator": groups, "critic": others})
    by_path = {(path.split("'")[1], path.split("'")[3]): float(value) for path, value in labelled.items()}
    assert by_path == pytest.approx(
        {
            ("generator", "body"): 0.1,
            ("generator", "head"): 0.5,
            ("critic", "body"): 0.3,
            ("critic", "head"): 0.5,
        }
    )
    assert sorted(map(float, rate((alone, groups)).values())) == pytest.approx([0.1, 0.1, 0.5])
    assert rate([alone, optax.sgd(0.1).init(PARAMS)]) == pytest.approx(0.1)


def test_a_rate_is_read_behind_other_hyperparameters_that_are_injected():
    descent = optax.inject_hyperparams(lambda decay: optax.chain(optax.trace(decay), optimizer(GROWING)))
    assert rate(descent(decay=0.9).init(PARAMS)) == pytest.approx(0.1)


@pytest.mark.parametrize("kind", [jnp.float32, jnp.bfloat16])
def test_with_accumulated_gradients_one_update_is_one_step(kind):
    params = jnp.zeros(2, kind)
    descent = optax.MultiSteps(optimizer(GROWING, optax.sgd, clip_norm=10.0), every_k_schedule=4)
    state, update = descent.init(params), jax.jit(descent.update)
    for number in range(24):
        updates, state = update(jnp.ones(2, kind), state, params)
        params = optax.apply_updates(params, updates)
        done = (number + 1) // 4
        assert float(rate(state)) == pytest.approx(GROWING(max(done - 1, 0)), rel=1e-6)
        assert params.dtype == kind
        expected = -GROWING(done - 1) if (number + 1) % 4 == 0 else 0.0
        assert np.asarray(updates, float).tolist() == pytest.approx([expected] * 2, rel=1e-2)


def test_a_batch_of_schedules_trains_at_once():
    schedules = [GROWING, WarmRestarts(0.3, 5, 1, 1e-2), WarmRestarts(0.05, 2.5, 1.5)]
    batch = jax.tree.map(lambda *values: jnp.array(values, jnp.float32), *schedules)
    rates = jax.jit(jax.vmap(lambda schedule: trained(optimizer(schedule))[1]))(batch)
    for applied, schedule in zip(rates, schedules, strict=True):
        assert np.abs(np.asarray(applied) - schedule(np.arange(15))).max() <= 4e-7 * schedule.base_lr


def test_the_update_needs_no_parameters_where_the_optimizer_needs_none():
    descent = optimizer(GROWING, optax.sgd)
    updates, _ = descent.update(jnp.ones(2), descent.init(jnp.zeros(2)))
    assert updates.tolist() == pytest.approx([-0.1, -0.1])


@pytest.mark.parametrize(
    ("schedule", "arguments", "message"),
    [
        (0.1, {}, r"schedule must be callable, got 0\.1"),
        ({"body": GROWING, "head": 0.1}, {"labels": LABELS}, r"schedule must be callable, got 0\.1"),
        ({"body": GROWING}, {}, r"labels must say which of the schedules \['body'\]"),
        ({}, {"labels": LABELS}, r"labels must say which of the schedules \[\]"),
        (GROWING, {"labels": LABELS}, "schedule must be a mapping from label to schedule"),
        (GROWING, {"clip_norm": 0}, "clip_norm must be a number > 0"),
        (GROWING, {"clip_norm": True}, "clip_norm must be a number > 0"),
    ],
)
def test_bad_arguments(schedule, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}[^\n]*; [^\n]*$"):
        optimizer(schedule, **arguments)


def test_a_state_without_a_rate_says_so():
    for state in (optax.sgd(0.1).init(PARAMS), optax.inject_hyperparams(optax.trace)(decay=0.9).init(PARAMS)):
        with pytest.raises(ValueError, match=r"^opt_state must hold a learning_rate, got [^\n]*; [^\n]*$"):
            rate(state)
