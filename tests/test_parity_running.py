"""What frameworks do with a schedule, run: exported code is right, and what is said of their own is so."""

import functools
import importlib.util
import math
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.parity.running.difference import CODE, compared
from experiments.parity.running.measure import MOST_RESTARTS, measure, steps_around
from sgdr import WarmRestarts, export
from sgdr.export import parity
from sgdr.export.parity import looked
from sgdr.export.plan import LAST_STEP

ROOT = Path(__file__).parents[1]
WHOLE = WarmRestarts(0.1, 10, 2, 1e-4)
EQUAL = WarmRestarts(0.1, 10, 1)
MEASURE = """
import pickle, sys
from experiments.parity.running.measure import measure
answer = sys.stdout.buffer
sys.stdout = sys.stderr
pickle.dump([measure(job) for job in pickle.load(sys.stdin.buffer)], answer)
"""
SCHEDULES = st.builds(
    WarmRestarts,
    base_lr=st.floats(1e-6, 10),
    T_0=st.one_of(st.integers(1, 10**7), st.floats(0.5, 1e6)),
    T_mult=st.one_of(st.integers(1, 5), st.floats(1.0, 5)),
    cycles=st.one_of(st.none(), st.integers(1, 20)),
)


@settings(max_examples=60, deadline=None)
@given(SCHEDULES, st.one_of(st.none(), st.integers(1, 10**10)))
def test_steps_that_are_looked_at(schedule, budget):
    job = parity.Job(schedule, "torch", None, budget)
    steps = steps_around(job.looked, job.plan.cycles)
    every = job.looked.every
    assert every == min(job.looked.steps, looked.MOST_STEPS) and len(steps) <= looked.MOST_STEPS + 3003
    assert (steps[:every] == np.arange(every)).all() and (np.diff(steps) > 0).all()
    assert steps[-1] < job.looked.steps <= LAST_STEP
    if budget is not None:
        assert job.looked.steps == min(budget, LAST_STEP)
    further = [step for step in first(job.plan.cycles.first_steps(), MOST_RESTARTS // 2) if step >= every]
    near = set(steps[every:].tolist())
    assert all({step, step + 1} <= near for step in further if step + 1 < job.looked.steps)


def first(steps, count):
    return [step for step, _ in zip(steps, range(count), strict=False)]


def test_differences_count_what_is_wrong():
    steps = np.arange(40)
    exact = WHOLE(steps)
    rates = exact.copy()
    rates[7] += 5e-8  # half a millionth of the peak
    rates[[11, 30]] += [1e-6, -0.05]
    plan = parity.Job(WHOLE, "torch", None, 40).plan
    comparison = compared("it", plan, steps, lambda steps: rates)
    assert (comparison.step, comparison.wrong, comparison.first_wrong) == (30, 2, (11, 30))
    assert comparison.largest == pytest.approx(0.05) and comparison.share == pytest.approx(0.5)
    rates[20] = math.nan
    comparison = compared("it", plan, steps, lambda steps: rates)
    assert (comparison.largest, comparison.step, comparison.wrong, comparison.first_wrong) == (
        None,
        20,
        3,
        (11, 20, 30),
    )
    comparison = compared("it", plan, steps, lambda steps: 1 / 0)
    assert comparison.failed == "ZeroDivisionError: division by zero"


FAR = WarmRestarts(0.1, 7, 2, 1e-3)
MEASURED = [
    (WHOLE, 5, 30),
    (WarmRestarts(0.1, 1, 3), 1, 1000),
    (WarmRestarts(0.3, 8.23, 1.7, 1e-3, 0.8, 4), 3, 50),
    (WarmRestarts(0.1, 2.5, 1, 1e-3), None, None),
    (FAR, 1, 3 * 10**9),
    (WarmRestarts(0.1, 7.5, 1.5, 1e-3), 1, 3 * 10**6),
    (WarmRestarts(0.1, 2.5, 2, 1e-3, 0.9, 2), 10, 9, "epoch"),
]
RIGHT = {"torch": 1e-12, "transformers": 1e-12, "optax": 4e-7, "keras": 4e-7, "braintools": 4e-7}


@pytest.fixture(scope="module")
def result():
    """What is measured of each of these, by target; of fewer steps in a row than usually."""

    def of(target, *numbers):
        """The differences of those of these numbers, or of all."""
        if importlib.util.find_spec(target) is None:
            pytest.skip(f"{target} is not installed")
        asked = numbers or range(len(MEASURED))
        # Keras reads its backend when it is imported, and other tests may have done that.
        return [of_keras()[number] if target == "keras" else one(target, number) for number in asked]

    @functools.cache
    def one(target, number):
        schedule, *lengths = MEASURED[number]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(looked, "MOST_STEPS", 2000)
            return by_name(measure(parity.Job(schedule, target, *lengths)))

    @functools.cache
    def of_keras():
        jobs = pickle.dumps([parity.Job(schedule, "keras", *lengths) for schedule, *lengths in MEASURED])
        done = subprocess.run(
            [sys.executable, "-c", MEASURE],
            cwd=ROOT,
            env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "0"},
            input=jobs,
            capture_output=True,
            timeout=250,
            check=True,
        )
        return [by_name(differences) for differences in pickle.loads(done.stdout)]

    def by_name(differences):
        return {difference.of: difference for difference in differences}

    return of


@pytest.mark.parametrize("target", export.TARGETS)
@pytest.mark.slow
def test_exported_code_is_right_at_all_steps_that_are_looked_at(result, target):
    for differences in result(target):
        assert differences[CODE].share <= RIGHT[target] and differences[CODE].wrong == 0


@pytest.mark.parametrize("target", ["torch", "braintools"])
@pytest.mark.slow
def test_what_counts_steps_is_right_where_it_can_express_the_schedule(result, target):
    plain, tripling, real, far = result(target, 0, 1, 2, 4)
    for differences in (plain, tripling, far):
        assert differences["step()"].wrong == 0
    assert real["step()"].share > 0.1
    assert "step(epoch)" in plain


@pytest.mark.slow
def test_torch_gives_the_trough_for_the_peak_where_it_is_told_the_step(result):
    wrong = result("torch", 1)[0]["step(epoch)"]
    assert (wrong.step, wrong.share, wrong.first_wrong) == (121, 1.0, (121,))


@pytest.mark.parametrize(
    ("target", "way"),
    [("braintools", "step(epoch)"), ("keras", "CosineDecayRestarts")],
)
@pytest.mark.slow
def test_float32_gives_the_trough_for_the_peak(result, target, way):
    wrong = result(target, 4)[0][way]
    assert wrong.share == pytest.approx(0.99) and 57337 in wrong.first_wrong


@pytest.mark.slow
def test_optax_joins_cycles_of_any_length(result):
    for differences in result("optax", *range(5)):
        assert differences["sgdr_schedule"].share < 4e-7


@pytest.mark.slow
def test_transformers_rounds_positions():
    pytest.importorskip("transformers")
    job = parity.Job(WarmRestarts(0.1, 1, 1), "transformers", 1, 22)
    code, hard_restarts = measure(job)
    assert code.largest == 0 and hard_restarts.share == 1.0 and hard_restarts.first_wrong == (15,)


def test_what_is_said_of_torch_is_so():
    torch = pytest.importorskip("torch")
    peer = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts

    def resumed(T_0, T_mult, step):
        group = {"params": [torch.nn.Parameter(torch.zeros(1))], "initial_lr": 0.1}
        scheduler = peer(torch.optim.SGD([group], lr=0.1), T_0, T_mult, last_epoch=step - 1)
        return scheduler.get_last_lr()[0]

    for T_0, T_mult in ((10, 2), (3, 3)):
        schedule = WarmRestarts(0.1, T_0, T_mult)
        right = [resumed(T_0, T_mult, step) == pytest.approx(schedule(step)) for step in range(1, 3 * T_0)]
        assert right.index(False) + 1 == 2 * T_0
    assert resumed(10, 1, 95) == pytest.approx(EQUAL(95))
    for T_0, T_mult in ((10.5, 2), (10, 1.9)):
        with pytest.raises(ValueError, match="nteger"):
            resumed(T_0, T_mult, 1)


def test_what_is_said_of_braintools_is_so():
    braintools = pytest.importorskip("braintools")
    import jax.numpy as jnp

    peer = braintools.optim.CosineAnnealingWarmRestarts
    for T_mult in (1, 2):
        assert peer(0.1, 10, T_mult, last_epoch=5).get_lr()[0] == pytest.approx(0.1)
    job = parity.Job(WarmRestarts(0.1, 7, 10), "braintools", 1, 2 * 10**9)
    assert "wrong from step 777777777 on" in " ".join(parity.report_of(job).cannot)
    overflown = peer(0.1, 7, 10)
    overflown.T_cur.value, overflown.T_i.value = np.int32(699999999), jnp.int32(700000000)
    overflown.step()
    assert overflown.T_i.value < 0
    overflown.step()
    assert overflown.T_cur.value == 0  # again, and so at every second step at least


@pytest.mark.slow
def test_what_is_said_of_keras_is_so():
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")
    code = (
        "import keras; made = keras.optimizers.schedules.CosineDecayRestarts; "
        "far, falling = made(0.1, 2**24, t_mul=1.0), made(1.0, 10, t_mul=1.0, m_mul=0.5, alpha=0.2); "
        "print(float(far(2**24 + 1) - far(2**24)), float(falling(10)))"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, env=environment
    )
    same, decayed = map(float, done.stdout.split())
    assert same == 0.0 and decayed == pytest.approx(0.2 + 0.8 * 0.5)


def test_what_is_said_of_optax_is_so():
    import jax
    import optax

    def rate(length):
        cycle = {"init_value": 0.1, "peak_value": 0.1, "warmup_steps": 0, "end_value": 0.0}
        return optax.sgdr_schedule([{**cycle, "decay_steps": length}] * 2)(3)

    assert float(rate(2)) == pytest.approx(WarmRestarts(0.1, 2)(3))
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(rate)(2)
    cycles = [{"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0, "end_value": 0.5, "decay_steps": 2}]
    assert float(optax.sgdr_schedule(cycles)(9)) == 0.5


@pytest.mark.slow
def test_what_is_said_of_transformers_is_so():
    pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    from transformers import get_cosine_with_hard_restarts_schedule_with_warmup as made

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = made(optimizer, 0, 10, num_cycles=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rates = [scheduler.get_last_lr()[0] for _ in range(11) if scheduler.step() is None]
    assert rates == sorted(rates, reverse=True) and rates[-1] == 0.0
