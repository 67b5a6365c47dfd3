"""Minibatch training on arrays: which examples a step sees, what is reported, what is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.supervised import Supervised
from sgdr.search.problem.workload import Workload

CLASSES = 3
RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(60, 4)).astype(np.float32)
LABELS = RANDOM.integers(CLASSES, size=60).astype(np.int32)


def slow(*values: Any) -> Any:
    """A case of `make test-all` alone."""
    return pytest.param(*values, marks=pytest.mark.slow)


def linear(**changed: Any) -> Supervised:
    """A softmax regression on random data."""
    settings: dict[str, Any] = {
        "params": lambda key: jax.random.normal(key, (4, CLASSES)),
        "apply": lambda weight, x: x @ weight,
        "train": (INPUTS[:37], LABELS[:37]),
        "valid": (INPUTS[37:], LABELS[37:]),
        "optimizer": functools.partial(optax.sgd, momentum=0.9),
        "batch_size": 8,
        "budget": 5,
    }
    return Supervised("linear", **{**settings, **changed})


def counting(examples: int, batch_size: int) -> Supervised:
    """Its parameters count how often each example was trained on."""
    indices = np.arange(examples, dtype=np.int32)
    return linear(
        params=lambda key: jnp.zeros(examples),
        apply=lambda counts, index: counts[index],
        loss=lambda count, _: -count * batch_size,
        metrics={},
        metric="loss",
        train=(indices, indices),
        valid=(indices, indices),
        optimizer=optax.sgd,
        batch_size=batch_size,
    )


def train(
    workload: Supervised, steps: int, lr: float = 1.0, start: int | jax.Array = 0, seed: int = 0
) -> Any:
    key = jax.random.key(seed)

    def step(state: Any, i: jax.Array) -> tuple[Any, None]:
        return workload.update(state, jnp.float32(lr), i, key, {}), None

    return jax.lax.scan(step, workload.init(key), start + jnp.arange(steps, dtype=jnp.int32))[0]


def test_it_is_a_workload_whose_functions_fit() -> None:
    workload = linear(base_lr=(1e-3, 1.0))
    assert isinstance(workload, Workload)
    assert (workload.steps_per_epoch, workload.metric, workload.select_metric) == (4, "error", "select_error")
    assert workload.base_lr == (1e-3, 1.0)
    check_functions(workload, {})


def test_without_a_range_of_rates_there_is_no_such_attribute() -> None:
    assert not hasattr(linear(), "base_lr")


@pytest.mark.parametrize(("examples", "batch_size"), [slow(12, 4), slow(13, 4), (15, 4), (7, 7)])
def test_every_epoch_visits_each_example_at_most_once(examples: int, batch_size: int) -> None:
    workload = counting(examples, batch_size)
    per_epoch = workload.steps_per_epoch
    starts = jnp.arange(6, dtype=jnp.int32) * per_epoch
    left_out = []
    for counts in np.asarray(jax.vmap(lambda start: train(workload, per_epoch, start=start).params)(starts)):
        assert set(counts) <= {0.0, 1.0}
        assert counts.sum() == per_epoch * batch_size
        left_out.append(tuple(np.flatnonzero(counts == 0)))
    if examples % batch_size:
        assert len(set(left_out)) > 1  # another remainder waits in another epoch


def test_trials_of_other_keys_see_other_batches() -> None:
    workload = counting(64, 8)
    first, same, other = (np.asarray(train(workload, 1, seed=seed).params) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_a_step_is_the_gradient_step_on_its_batch() -> None:
    workload = linear(optimizer=optax.sgd, train=(INPUTS[:8], LABELS[:8]))  # one batch: all of them
    before = workload.init(jax.random.key(3)).params
    after = train(workload, 1, lr=0.5, seed=3).params
    probabilities = np.asarray(jax.nn.softmax(INPUTS[:8] @ before))
    gradient = INPUTS[:8].T @ (probabilities - np.eye(CLASSES)[LABELS[:8]]) / 8
    np.testing.assert_allclose(after, before - 0.5 * gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("evaluation_batch", [1, slow(3), slow(4), 11, slow(12), 1024])
def test_each_half_is_measured_by_itself(evaluation_batch: int) -> None:
    """23 validation examples: halves of 12 and 11, in whole batches and remainders of all kinds."""
    workload = linear(evaluation_batch=evaluation_batch)
    state = workload.init(jax.random.key(0))
    measured = jax.jit(workload.evaluate)(state)
    assert set(measured) == {"error", "loss", "select_error", "select_loss"}
    for prefix, start in (("select_", 0), ("", 1)):
        x, y = INPUTS[37:][start::2].astype(np.float64), LABELS[37:][start::2]
        logits = x @ np.asarray(state.params, np.float64)
        losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]
        assert measured[f"{prefix}error"] == pytest.approx(np.mean(logits.argmax(axis=1) != y))
        assert measured[f"{prefix}loss"] == pytest.approx(losses.mean(), rel=1e-5)


SQUARES: dict[str, Any] = {"loss": lambda y, label: (y[:, 0] - label) ** 2}


@pytest.mark.parametrize(
    ("changed", "evaluation_batch"),
    [
        ({}, 11),
        (SQUARES, 1024),
        *(slow({}, batch) for batch in (1, 3, 4, 12, 23, 1024)),
        *(slow(SQUARES, batch) for batch in (1, 3, 4, 11, 12, 23)),
    ],
)
def test_score_of_the_predictions_is_the_evaluation(evaluation_batch: int, changed: dict[str, Any]) -> None:
    workload = linear(evaluation_batch=evaluation_batch, **changed)
    check_functions(workload, {})
    state = workload.init(jax.random.key(2))
    scored = jax.jit(lambda state: workload.score(workload.predict(state)))(state)
    evaluated = jax.jit(workload.evaluate)(state)
    assert scored.keys() == evaluated.keys()
    for name, value in evaluated.items():
        assert scored[name] == pytest.approx(float(value), rel=1e-5)


def test_predictions_are_probabilities_of_all_examples_in_their_order() -> None:
    workload = linear(evaluation_batch=5)
    state = workload.init(jax.random.key(0))
    logits = INPUTS[37:] @ np.asarray(state.params)
    np.testing.assert_allclose(workload.predict(state), jax.nn.softmax(logits), rtol=1e-5)
    plain = linear(evaluation_batch=5, loss=lambda y, label: (y[:, 0] - label) ** 2)
    np.testing.assert_allclose(plain.predict(state), logits, rtol=1e-5)


@pytest.mark.parametrize("dtype", [slow(jnp.bfloat16), jnp.float16, slow(jnp.float32)])
def test_sure_and_wrong_predictions_have_finite_scores(dtype: Any) -> None:
    workload = linear(apply=lambda weight, x: (1e3 * x @ weight).astype(dtype))
    scored = workload.score(workload.predict(workload.init(jax.random.key(0))))
    assert scored["error"] > 0
    assert 1 < scored["loss"] < 100


def test_further_metrics_are_reported_under_their_names() -> None:
    workload = linear(
        metrics={"accuracy": lambda logits, y: jnp.argmax(logits, -1) == y},
        metric="accuracy",
        direction="maximize",
    )
    check_functions(workload, {})
    assert workload.select_metric == "select_accuracy"
    measured = workload.evaluate(workload.init(jax.random.key(0)))
    assert set(measured) == {"accuracy", "loss", "select_accuracy", "select_loss"}
    assert 0 <= measured["accuracy"] <= 1


def test_bytes_are_seen_as_fractions() -> None:
    pixels = np.array([[0, 51, 102, 255]] * 40, np.uint8)
    same = {"train": (pixels, LABELS[:40]), "valid": (pixels, LABELS[:40])}
    as_floats = {role: (x / np.float32(255), y) for role, (x, y) in same.items()}
    bytes_, floats = (train(linear(**data), 5).params for data in (same, as_floats))
    np.testing.assert_allclose(bytes_, floats, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, slow(np.int8), slow(np.int32), np.int64])
def test_labels_may_be_any_integers(dtype: type) -> None:
    data: dict[str, Any] = {
        "train": (INPUTS[:37], LABELS[:37].astype(dtype)),
        "valid": (INPUTS[37:], LABELS[37:].astype(dtype)),
    }
    np.testing.assert_allclose(train(linear(**data), 3).params, train(linear(), 3).params)


def test_searched_values_reach_the_optimizer_of_every_slot() -> None:
    workload = linear(optimizer=optax.adamw, hparams={"weight_decay": (0.0, 1.0)})
    check_functions(workload, {"weight_decay": 0.1})
    keys = jax.random.split(jax.random.key(0), 2)
    states = jax.vmap(workload.init)(jnp.stack([keys[0], keys[0]]))

    @jax.jit
    def step(states: Any, decay: jax.Array) -> Any:
        update = jax.vmap(workload.update, in_axes=(0, None, None, None, 0))
        return update(states, jnp.float32(0.1), jnp.int32(0), keys[1], {"weight_decay": decay})

    before = states.params[0]
    plain, decayed = step(states, jnp.array([0.0, 0.5], jnp.float32)).params
    np.testing.assert_allclose(decayed - plain, -0.1 * 0.5 * before, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer", [slow(optax.sgd), functools.partial(optax.sgd, momentum=0.9), slow(optax.rmsprop)]
)
def test_strict_promotion_and_no_leaked_tracers(optimizer: Callable[..., Any]) -> None:
    """Not with Adam: optax itself raises a float to an integer power there."""
    with jax.numpy_dtype_promotion("strict"), jax.checking_leaks():
        workload = linear(optimizer=optimizer, evaluation_batch=5)
        state = train(workload, 3)
        jax.jit(workload.evaluate)(state)
        jax.jit(lambda state: workload.score(workload.predict(state)))(state)


def test_training_lowers_the_loss() -> None:
    teacher = RANDOM.normal(size=(4, CLASSES))
    labels = (INPUTS @ teacher).argmax(axis=1).astype(np.int32)
    workload = linear(train=(INPUTS[:37], labels[:37]), valid=(INPUTS[37:], labels[37:]))
    before = workload.evaluate(workload.init(jax.random.key(0)))
    after = workload.evaluate(train(workload, 100, lr=0.1))
    assert after["loss"] < 0.5 * before["loss"]
    assert after["error"] < before["error"]


def test_a_step_neither_sorts_nor_scatters() -> None:
    """Each costs more on a CPU than the arithmetic of a small model."""
    workload = linear()
    keys = jax.random.split(jax.random.key(0), 4)
    states = jax.vmap(workload.init)(keys)
    update = jax.vmap(workload.update, in_axes=(0, None, None, 0, None))
    program = jax.jit(update).lower(states, jnp.float32(0.1), jnp.int32(0), keys, {}).as_text()
    assert "stablehlo.gather" in program
    assert "stablehlo.sort" not in program
    assert "stablehlo.scatter" not in program


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train": (INPUTS[:37], LABELS[:36])}, "train has 37 inputs and 36 targets"),
        ({"valid": (INPUTS[:3], LABELS[:4])}, "valid has 3 inputs and 4 targets"),
        ({"train": (INPUTS[:7], LABELS[:7])}, "train has 7 examples; at least 8"),
        ({"valid": (INPUTS[:1], LABELS[:1])}, "valid has 1 examples; at least 2"),
        ({"train": (INPUTS, np.int32(1))}, "train.*array"),
        ({"metric": "accuracy"}, "metric='accuracy' is not reported"),
        ({"direction": "down"}, "direction='down'"),
        ({"budget": 0}, "budget=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"evaluation_batch": 0}, "evaluation_batch=0"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        linear(**changed)
