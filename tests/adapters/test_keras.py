"""The schedule for Keras: its optimizers follow it and models keep it, on each backend that is installed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr import WarmRestarts, Warmup

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

from sgdr.adapters.keras import WarmRestartsSchedule  # noqa: E402

# Keras gives it on torch.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
JAX = keras.backend.backend() == "jax"
LAST = 2**31 - 1
FLOAT32 = 4e-7
"""A share of the peak: how far a rate may be off."""
OTHERS = [
    backend
    for backend in ("jax", "torch")
    if backend != keras.backend.backend() and importlib.util.find_spec(backend)
]
FAR = {
    "doubling": WarmRestarts(0.1, 1, 2, 1e-4),
    "tenfold": WarmRestarts(0.1, 7, 10, 1e-4),
    "equal": WarmRestarts(0.1, 10_000_019, 1, 1e-4),
    "equal, short": WarmRestarts(0.1, 17, 1, 1e-4, peak_decay=0.999_999),
    "whole as float": WarmRestarts(0.1, 3.0, 1.0, 1e-4),
    "real factor": WarmRestarts(0.1, 3, 1.1, 1e-4),
    "hardly growing": WarmRestarts(0.1, 90.5, 1.004, 1e-4),
    "real length": WarmRestarts(0.1, 987654.3, 1, 1e-4),
    "decimal": WarmRestarts(0.1, 39.1, 1, 1e-4),
    "near whole": WarmRestarts(0.1, 3.1, 1, 1e-4),
    "shorter than a step": WarmRestarts(0.1, 0.3, 1.4, 1e-4),
    "decaying, limited": WarmRestarts(0.1, 1, 3, 1e-4, peak_decay=0.9, cycles=15),
    "limited, equal": WarmRestarts(0.1, 7, 1, 1e-4, cycles=3),
    "limited, real": WarmRestarts(0.1, 2.7, 1, 1e-4, cycles=5),
    "longer than 32 bits": WarmRestarts(0.1, 10**10, 1, 1e-4),
    "much longer": WarmRestarts(0.1, 2, 1e200, 1e-4),
    "warm": Warmup(WarmRestarts(0.1, 3, 2, 1e-4), 5),
    "warm twice": Warmup(Warmup(WarmRestarts(0.1, 8.23, 1, 1e-4), 5), 3),
    "warm at once": Warmup(WarmRestarts(0.1, 3, 2, 1e-4), 0),
    "warm for ever": Warmup(WarmRestarts(0.1, 3, 2, 1e-4), 10**12),
}

FEW = ("doubling", "warm twice")
"""To look at on every backend; the others where they are not compiled, which takes a second for each."""
SLOW = [pytest.mark.slow] if JAX else []


def tensor(steps, kind="int32"):
    return keras.ops.convert_to_tensor(np.asarray(steps), kind)


def rates(following, steps):
    found = keras.ops.convert_to_numpy(following(tensor(steps)))
    assert found.dtype == np.float32 and found.shape == np.shape(steps)
    return found


def around_boundaries(schedule):
    """Whole steps before, at and after starts of cycles, all over the steps of 32 bits."""
    warmups = 0
    while isinstance(schedule, Warmup):
        warmups, schedule = warmups + schedule.steps, schedule.schedule
    places = np.unique(np.concatenate([np.arange(300), np.geomspace(300, LAST, 500)]).astype(int))
    starts = [warmups + int(schedule.cycle(place).start) for place in places.tolist()]
    near = {start + shift for start in (*starts, *places.tolist()) for shift in (-1, 0, 1, 2)}
    steps = sorted({step for step in near if 0 <= step <= LAST} | {2**24 + 1, LAST})
    return np.resize(steps, 6000)  # of one shape, which is compiled once


@pytest.mark.parametrize("name", [name if name in FEW else pytest.param(name, marks=SLOW) for name in FAR])
def test_rates_are_right_at_every_boundary_up_to_the_last_step_of_32_bits(name):
    schedule = FAR[name]
    steps = around_boundaries(schedule)
    assert len(np.unique(steps)) > 1000
    difference = np.abs(rates(WarmRestartsSchedule(schedule), steps) - schedule(steps))
    assert difference.max() <= FLOAT32 * 0.1, steps[difference.argmax()]


SCHEDULES = st.builds(
    WarmRestarts,
    base_lr=st.floats(1e-6, 10),
    T_0=st.integers(1, 1000) | st.floats(1.0, 1000) | st.decimals(1, 100, places=1).map(float),
    T_mult=st.integers(1, 5) | st.floats(1.01, 5) | st.just(1),
    eta_min=st.floats(0, 1e-6),
    peak_decay=st.just(1.0) | st.floats(0.3, 1.0),
    cycles=st.none() | st.integers(1, 20),
)


@settings(max_examples=1 if JAX else 30, deadline=None)
@given(SCHEDULES, st.lists(st.integers(0, LAST) | st.integers(0, 5000), min_size=20, max_size=20), st.data())
def test_any_schedule(schedule, steps, data):
    boundaries = schedule.restarts(3000)[:40]
    steps = np.array([*steps, *boundaries, *(first - 1 for first in boundaries), *range(40)])
    if warmup := data.draw(st.integers(0, 9)):
        schedule = Warmup(schedule, warmup)
    again = WarmRestartsSchedule.from_config(
        json.loads(json.dumps(WarmRestartsSchedule(schedule).get_config()))
    )
    assert again.schedule == schedule
    peak = getattr(schedule, "schedule", schedule).base_lr
    padded = np.resize(steps, 200)  # of one shape, which is compiled once
    assert np.abs(rates(again, padded) - schedule(padded)).max() <= FLOAT32 * peak


def test_steps_of_any_kind_and_shape():
    schedule = FAR["doubling"]
    following = WarmRestartsSchedule(schedule)
    steps = np.arange(6).reshape(2, 3)
    assert rates(following, steps) == pytest.approx(schedule(steps), rel=0, abs=4e-8)
    for kind in ("uint8", "uint32"):
        assert float(following(tensor(100, kind))) == pytest.approx(schedule(100), abs=4e-8)
    assert float(following(keras.Variable(100, dtype="int32", trainable=False))) == float(
        following(tensor(100))
    )
    assert float(following(tensor(-3))) == float(following(tensor(0)))
    for step in (7, 2.5, np.int64(2**40), 2**40 + 0.5):
        assert float(following(step)) == np.float32(schedule(step))
    assert keras.ops.convert_to_numpy(following(np.array([0.5, 7.25]))) == pytest.approx(
        schedule(np.array([0.5, 7.25])), rel=1e-7
    )


def test_steps_beyond_32_bits_have_the_rate_of_the_last():
    if JAX:
        pytest.skip("it has no ints of 64 bits")
    following = WarmRestartsSchedule(FAR["equal"])
    assert float(following(tensor(2**40, "int64"))) == float(following(tensor(LAST)))


def fit(model, steps):
    """One step for every example, with a gradient of 1; how far the weight is then from its beginning."""
    ones = np.ones((steps, 1), np.float32)
    model.fit(ones, -1000.0 * ones, batch_size=1, shuffle=False, verbose=0)
    return -float(keras.ops.convert_to_numpy(model.weights[0].value)[0, 0])


def test_a_model_trains_is_saved_is_loaded_and_goes_on(tmp_path):
    schedule = Warmup(WarmRestarts(0.1, 2.5, 1.5, 1e-3, peak_decay=0.8, cycles=4), 3)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(WarmRestartsSchedule(schedule)), loss="mean_absolute_error")
    assert fit(model, 8) == pytest.approx(sum(schedule(step) for step in range(8)), rel=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.optimizer._learning_rate.schedule == schedule
    assert float(again.optimizer.learning_rate) == pytest.approx(schedule(8), rel=1e-6)
    assert fit(again, 12) == pytest.approx(sum(schedule(step) for step in range(20)), rel=1e-5)


def test_an_optimizer_keeps_the_schedule():
    for name in ("doubling", "equal", "limited, real", "warm twice"):
        descent = keras.optimizers.AdamW(WarmRestartsSchedule(FAR[name]), weight_decay=1e-4, clipnorm=1.0)
        again = keras.optimizers.deserialize(json.loads(json.dumps(keras.optimizers.serialize(descent))))
        assert (
            again._learning_rate.schedule == FAR[name] and again._learning_rate is not descent._learning_rate
        )


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (0.1, "schedule must be a WarmRestarts or a Warmup of one, got float"),
        (Warmup(lambda step: 0.1, 5), "schedule must be a WarmRestarts or a Warmup of one, got function"),
        (
            WarmRestarts(np.array([0.1, 0.2]), 10),
            "schedule must have numbers as fields, got an array as base_lr",
        ),
        (
            Warmup(WarmRestarts(0.1, 10), np.array([5, 6])),
            "schedule must have numbers as fields, got an array as steps",
        ),
        (WarmRestarts(1e-40, 10), r"base_lr must be from 1e-30 to 1e\+30 in float32, got 1e-40"),
        (WarmRestarts(0.1, 0.3), r"T_0 and T_mult must give at most 4096 cycles .* got T_0=0\.3, T_mult=1"),
        (WarmRestarts(0.1, 1, 1 + 1e-9), "T_0 and T_mult must give at most 4096 cycles"),
    ],
)
def test_what_it_cannot_follow_is_refused(schedule, message):
    with pytest.raises(ValueError, match=f"^{message}[^\n]*; [^\n]*$"):
        WarmRestartsSchedule(schedule)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="Keras finds its backend")
def test_without_the_backend_that_it_is_set_to_it_says_where_that_is_set():
    done = subprocess.run(
        [sys.executable, "-c", "import sgdr.adapters.keras"],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stderr.splitlines()[-1]
    assert (
        said.startswith("ImportError: Keras is set to a backend that cannot be imported")
        and "KERAS_BACKEND" in said
    )


def test_bad_steps_and_configurations():
    following = WarmRestartsSchedule(FAR["doubling"])
    for bad in (-1, float("nan"), None, "3", [1, 2], True):
        with pytest.raises(ValueError, match=r"^step must be[^\n]*; [^\n]*$"):
            following(bad)
    with pytest.raises(ValueError, match=r"^step must be a tensor of ints, got float32; "):
        following(tensor(2.5, "float32"))
    with pytest.raises(ValueError, match="T_0"):
        WarmRestartsSchedule.from_config({"base_lr": 0.1, "warmups": []})


@pytest.mark.slow
@pytest.mark.skipif("SGDR_KERAS_AGAIN" in os.environ, reason="this is that process")
@pytest.mark.parametrize("backend", OTHERS)
def test_all_of_this_on_another_backend(backend):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", __file__],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_BACKEND": backend, "SGDR_KERAS_AGAIN": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", [np.asarray, lambda value: np.asarray(value)[()]], ids=["0-d", "scalars"])
def test_a_config_in_numbers_of_numpy_is_that_of_plain_ones(kind):
    schedule = Warmup(WarmRestarts(np.float64(0.5), np.int64(3), np.float32(2), cycles=4), np.int64(5))
    config = WarmRestartsSchedule(schedule).get_config()
    assert json.loads(json.dumps(config)) == config
    mapped = {name: kind(value) for name, value in config.items() if name != "warmups"}
    loaded = WarmRestartsSchedule.from_config({**mapped, "warmups": [kind(5)]})
    assert loaded.schedule == schedule and loaded.get_config() == config
