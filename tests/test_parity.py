"""Reports on exported code: words without a framework, and what running the frameworks tells."""

import functools
import importlib.util
import json
import math
import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr import WarmRestarts, export
from sgdr.export import parity
from sgdr.export.parity import cache, installed, looked, own
from sgdr.export.parity.child import measure
from sgdr.export.parity.measured import CODE, Difference, compared
from sgdr.export.parity.measuring import measured
from sgdr.export.parity.report import drafted
from sgdr.export.plan import LAST_STEP

WHOLE = WarmRestarts(0.1, 10, 2, 1e-4)
REAL = WarmRestarts(0.1, 10, 1.9, 1e-4)
DECAYING = WarmRestarts(0.1, 10, 2, 1e-4, peak_decay=0.8)
LIMITED = WarmRestarts(0.1, 10, 2, 1e-4, cycles=2)
EQUAL = WarmRestarts(0.1, 10, 1)
CONSTANT = WarmRestarts(0.1, 10, 2, 0.1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SGDR_CACHE", str(tmp_path))


def words(schedule, target, **given):
    return drafted(parity.Job(schedule, target, given.get("steps_per_epoch"), given.get("budget", 100)))


@pytest.mark.parametrize(
    ("schedule", "target", "said"),
    [
        (REAL, "torch", "whole T_0 and T_mult only"),
        (DECAYING, "torch", "no decay of the peak"),
        (LIMITED, "torch", "restarts without end"),
        (WHOLE, "torch", "step(epoch) finds the cycle by a rounded logarithm"),
        (WHOLE, "torch", "last_epoch=k is in the wrong cycle from step 2 * T_0 on"),
        (
            WHOLE,
            "torch",
            "eta_min is never reached at a step, which has the rate of its beginning, nor by this code: "
            "the lowest of the first cycle is 0.002544",
        ),
        (REAL, "braintools", "begins every cycle at a whole step"),
        (DECAYING, "braintools", "no decay of the peak"),
        (EQUAL, "braintools", "last_epoch=k begins at the peak"),
        (WHOLE, "braintools", "step(epoch) finds the cycle by a logarithm in float32"),
        (WHOLE, "keras", "finds the cycle by a logarithm in float32"),
        (DECAYING, "keras", "m_mul lets the peaks decay towards alpha"),
        (LIMITED, "keras", "there is no number of cycles"),
        (WHOLE, "optax", "ends after the cycles of its list, here 4"),
        (WHOLE, "transformers", "equal cycles only"),
        (WHOLE, "transformers", "no floor"),
        (DECAYING, "transformers", "no decay of the peak"),
        (CONSTANT, "transformers", "no floor"),
    ],
)
def test_what_a_framework_cannot_do_is_said(schedule, target, said):
    assert any(said in sentence for sentence in words(schedule, target).cannot)


@pytest.mark.parametrize(
    ("schedule", "target", "not_said"),
    [
        (WHOLE, "torch", "whole T_0"),
        (WHOLE, "torch", "decay"),
        (WHOLE, "torch", "end"),
        (EQUAL, "torch", "logarithm"),
        (EQUAL, "torch", "last_epoch"),
        (EQUAL, "keras", "logarithm"),
        (EQUAL, "transformers", "equal cycles"),
        (EQUAL, "transformers", "floor"),
        (LIMITED, "optax", "ends after"),
        (WarmRestarts(0.1, 10, 2, 0.0, 0.8), "keras", "m_mul"),
    ],
)
def test_what_it_can_do_is_not_said(schedule, target, not_said):
    assert not any(not_said in sentence for sentence in words(schedule, target).cannot)


@pytest.mark.parametrize("target", ["torch", "optax", "keras", "braintools"])
def test_a_constant_rate_is_beyond_nobody_else(target):
    assert words(CONSTANT, target).cannot == ()


def test_the_nearest_that_a_framework_can_do():
    said = words(WHOLE, "torch").nearest
    assert said == "CosineAnnealingWarmRestarts(T_0=10, T_mult=2, eta_min=0.0001) means the same rates."
    said = words(REAL, "torch").nearest
    assert said.startswith(
        "CosineAnnealingWarmRestarts(T_0=9, T_mult=2, eta_min=0.0001) is the nearest, on av"
    )
    assert said.endswith("with restarts at 9, 27, 63 in place of 10, 29, 66.")
    limited = words(WarmRestarts(0.1, 10, cycles=2), "transformers", budget=40).nearest
    assert limited.endswith("in place of 10."), "the end of the last cycle is no restart"
    assert "num_cycles=10) means the same rates" in words(EQUAL, "transformers").nearest
    assert "num_training_steps=500" in words(WHOLE, "transformers", steps_per_epoch=5).nearest
    assert "t_mul=1.9, m_mul=1.0, alpha=0.001) means the same rates" in words(REAL, "keras").nearest
    assert "on average 0.0" in words(DECAYING, "keras").nearest
    assert "T_mult=1.9" in words(REAL, "braintools").nearest


@pytest.mark.parametrize("target", ["torch", "transformers"])
@pytest.mark.parametrize(("T_0", "T_mult", "steps"), [(10, 1.5, 60), (24.5, 1.5, 140), (3.6, 1.1, 20)])
def test_nothing_with_real_cycles_is_nearer_than_the_nearest(target, T_0, T_mult, steps):
    schedule = WarmRestarts(0.1, T_0, T_mult, 0.001)
    job = parity.Job(schedule, target, None, steps)
    at = np.arange(steps)

    def off(other):
        return np.abs(other(at) - schedule(at)).mean()

    if target == "torch":
        others = [WarmRestarts(0.1, T, m, 0.001) for T in range(4, steps + 1) for m in (1, 2)]
    else:
        others = [WarmRestarts(0.1, steps / n, cycles=n) for n in range(1, steps // 4 + 1)]
    assert off(job.own.rates) <= min(map(off, others)) + 1e-12


def test_braintools_drops_the_fractions_of_cycles():
    job = parity.Job(WarmRestarts(0.1, 3, 1.5), "braintools", None, 42)
    rates = job.own.rates(np.arange(43))
    restarts = [step for step in range(1, 43) if rates[step] > rates[step - 1]]
    if job.own.settings["T_mult"] == 1.5:
        assert restarts == [3, 8, 15, 26, 42]
    assert job.plan.schedule.restarts(until=43) == [3, 8, 15, 25, 40]


SCHEDULES = st.builds(
    WarmRestarts,
    base_lr=st.floats(1e-6, 10),
    T_0=st.one_of(st.integers(1, 10**7), st.floats(0.5, 1e6)),
    T_mult=st.one_of(st.integers(1, 5), st.floats(1.0, 5)),
    eta_min=st.floats(0, 1e-6),
    peak_decay=st.one_of(st.just(1.0), st.floats(0.3, 1.0)),
    cycles=st.one_of(st.none(), st.integers(1, 20)),
)


@settings(max_examples=60, deadline=None)
@given(SCHEDULES, st.one_of(st.none(), st.integers(1, 10**10)))
def test_steps_that_are_looked_at(schedule, budget):
    job = parity.Job(schedule, "torch", None, budget)
    steps = job.looked.at(job.plan.cycles)
    every = job.looked.every
    assert every == min(job.looked.steps, looked.MOST_STEPS) and len(steps) <= looked.MOST_STEPS + 3003
    assert (steps[:every] == np.arange(every)).all() and (np.diff(steps) > 0).all()
    assert steps[-1] < job.looked.steps <= LAST_STEP
    if budget is not None:
        assert job.looked.steps == min(budget, LAST_STEP)
    further = [
        step for step in first(job.plan.cycles.first_steps(), looked.MOST_RESTARTS // 2) if step >= every
    ]
    near = set(steps[every:].tolist())
    assert all({step, step + 1} <= near for step in further if step + 1 < job.looked.steps)


def first(steps, count):
    return [step for step, _ in zip(steps, range(count), strict=False)]


@settings(max_examples=40, deadline=None)
@given(SCHEDULES, st.integers(1, 2000), st.sampled_from(export.TARGETS))
def test_the_nearest_settings_are_no_further_than_rounded_ones(schedule, budget, target):
    job = parity.Job(schedule, target, None, budget)
    chosen = own.mean_difference(job.plan, job.own, job.looked)
    for other in own._SETTINGS[target](job.plan, job.looked):
        assert chosen <= own.mean_difference(job.plan, other, job.looked)
    assert 0 <= chosen <= schedule.base_lr * 1.0000001


@pytest.mark.parametrize("target", export.TARGETS)
def test_extreme_schedules_are_described_without_delay(target):
    began = time.monotonic()
    for schedule in (
        WarmRestarts(1e-20, 1e-20, 1.0),
        WarmRestarts(0.1, 1e20, 1),
        WarmRestarts(0.1, 1, 1 + 2**-52),
        WarmRestarts(0.1, 1e-20, 1e20, cycles=10**9),
        WarmRestarts(0.1, 3, 1e28),
        WarmRestarts(1e30, 10),
    ):
        for budget in (None, 1, 10**9):
            report = parity.report(schedule, target, budget=budget, measure=False)
            assert report.status in ("not measured", "not installed", "no code")
            assert report.comments().isascii() and json.dumps(report.to_dict(), allow_nan=False)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((WHOLE, "tensorflow"), {}, "target must be one of torch, optax"),
        (({"T_0": 1}, "torch"), {}, "schedule must be a WarmRestarts, got dict"),
        ((WarmRestarts(np.ones(2), 10), "torch"), {}, "schedule must have numbers as fields"),
        ((WHOLE, "torch"), {"budget": 0}, "budget must be an int >= 1, got 0"),
        ((WHOLE, "torch"), {"steps_per_epoch": 1.5}, "steps_per_epoch must be an int >= 1, got 1.5"),
    ],
)
def test_bad_arguments_are_named_in_one_line(arguments, options, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        parity.report(*arguments, **options)
    assert "\n" not in str(error.value)


def test_where_there_is_no_code_the_report_says_why():
    report = parity.report(WarmRestarts(1e40, 10), "keras")
    assert report.status == "no code" and "base_lr must be from" in report.remark
    assert "float32" in report.comments() and report.differences == ()


def test_a_framework_that_is_not_installed_is_named_with_what_installs_it(monkeypatch):
    def version(package):
        raise installed.PackageNotFoundError(package)

    monkeypatch.setattr(installed, "version", version)
    for target, extra in (
        ("torch", "'sgdr[torch]'"),
        ("keras", "'sgdr[keras]'"),
        ("transformers", "'transf"),
    ):
        installed.versions.cache_clear()
        drafted.cache_clear()
        report = parity.report(WHOLE, target)
        assert report.status == "not installed" and report.versions is None
        assert "is not installed: pip install " + extra in report.remark and report.cannot
        assert "not installed" in report.comments()
    monkeypatch.undo()
    drafted.cache_clear()


@pytest.mark.parametrize("target", ["optax", "keras", "transformers"])
def test_a_rate_that_is_held_through_an_epoch_is_what_is_compared(target):
    job = parity.Job(WarmRestarts(0.1, 2.5, 2, 1e-3), target, 10, 9, "epoch")
    steps = np.arange(90)
    assert job.plan.rates(steps) == pytest.approx(job.schedule(steps // 10), rel=1e-9)
    report = drafted(job)
    assert "It changes the rate at every step: it cannot hold one through an epoch." in report.cannot
    assert "of the peak off" in report.nearest
    assert parity.Job.from_dict(job.to_dict()) == job


def test_comments_are_lines_that_a_formatter_leaves(tmp_path):
    pytest.importorskip("ruff")
    found = [
        Difference(CODE, 1e-17, 1e-16, 3),
        Difference("step()", 0.1, 1.0, 121, 3, (121, 242, 363)),
        Difference("step(epoch)", 0.1, 1.0, 121, 5000, (121, 242, 363, 364, 365)),
        Difference("step(k)", None, None, 5, 1, (5,)),
        Difference("other", failed="OverflowError: too large"),
    ]
    for target in export.TARGETS:
        for name, schedule in {"real": REAL, "limited": LIMITED, "equal": EQUAL}.items():
            report = words(schedule, target).with_found(found)
            comments = report.comments()
            assert comments.isascii() and all(line.startswith("# ") for line in comments.splitlines())
            assert max(map(len, comments.splitlines())) <= 88
            for said in (
                "wrong at 3 steps: 121, 242, 363.",
                "wrong at 5000 steps.",
                "not a number at step 5",
            ):
                assert said in " ".join(comments.replace("\n#", "").split())
            code = export.code(schedule, target, budget=100)
            (tmp_path / f"{target}_{name}.py").write_text(f"{code}\n{comments}")
    for arguments in (("format", "--check"), ("check", "--select", "E,F,W", "--ignore", "F821")):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_framework_is_imported_for_the_words(tmp_path):
    code = (
        "import sys\nfrom sgdr import WarmRestarts, export\n"
        "for target in export.TARGETS:\n"
        "    export.parity.report(WarmRestarts(0.1, 1.5, 1.5), target, budget=9, measure=False)\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert not set(done.stdout.split()) & {*export.TARGETS, "jax", "pandas", "optuna", "brainstate"}


def test_differences_count_what_is_wrong():
    steps = np.arange(40)
    exact = WHOLE(steps)
    rates = exact.copy()
    rates[7] += 5e-8  # half a millionth of the peak
    rates[[11, 30]] += [1e-6, -0.05]
    plan = parity.Job(WHOLE, "torch", None, 40).plan
    found = compared("it", plan, steps, lambda steps: rates)
    assert (found.step, found.wrong, found.first_wrong) == (30, 2, (11, 30))
    assert found.largest == pytest.approx(0.05) and found.share == pytest.approx(0.5)
    rates[20] = math.nan
    found = compared("it", plan, steps, lambda steps: rates)
    assert (found.largest, found.step, found.wrong, found.first_wrong) == (None, 20, 3, (11, 20, 30))
    found = compared("it", plan, steps, lambda steps: 1 / 0)
    assert found.failed == "ZeroDivisionError: division by zero"


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
def found():
    """What is measured of each of these, by target; of fewer steps in a row than usually."""

    def of(target, *numbers):
        """Of those of these numbers, or of all."""
        if importlib.util.find_spec(target) is None:
            pytest.skip(f"{target} is not installed")
        asked = numbers or range(len(MEASURED))
        # Keras reads its backend when it is imported, and other tests may have done that.
        return [of_keras()[number] if target == "keras" else one(target, number) for number in asked]

    @functools.cache
    def one(target, number):
        (found,) = fewer(target, [MEASURED[number]], lambda jobs: [measure(job) for job in jobs])
        return found

    @functools.cache
    def of_keras():
        return fewer("keras", MEASURED, measured)

    def fewer(target, which, measure_all):
        jobs = [parity.Job(schedule, target, *lengths) for schedule, *lengths in which]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(looked, "MOST_STEPS", 2000)
            return [{each.of: each for each in differences} for differences in measure_all(jobs)]

    return of


SLOW = [pytest.param(target, marks=pytest.mark.slow) for target in ("keras", "transformers")]


@pytest.mark.parametrize("target", ["torch", "optax", "braintools", *SLOW])
@pytest.mark.slow
def test_exported_code_is_right_at_all_steps_that_are_looked_at(found, target):
    for differences in found(target):
        assert differences[CODE].share <= RIGHT[target] and differences[CODE].wrong == 0


@pytest.mark.parametrize("target", ["torch", "braintools"])
def test_what_counts_steps_is_right_where_it_can_express_the_schedule(found, target):
    plain, tripling, real, far = found(target, 0, 1, 2, 4)
    for differences in (plain, tripling, far):
        assert differences["step()"].wrong == 0
    assert real["step()"].share > 0.1
    assert "step(epoch)" in plain


def test_torch_gives_the_trough_for_the_peak_where_it_is_told_the_step(found):
    wrong = found("torch", 1)[0]["step(epoch)"]
    assert (wrong.step, wrong.share, wrong.first_wrong) == (121, 1.0, (121,))


@pytest.mark.parametrize(
    ("target", "way"),
    [
        ("braintools", "step(epoch)"),
        pytest.param("keras", "CosineDecayRestarts", marks=pytest.mark.slow),
    ],
)
def test_float32_gives_the_trough_for_the_peak(found, target, way):
    wrong = found(target, 4)[0][way]
    assert wrong.share == pytest.approx(0.99) and 57337 in wrong.first_wrong


def test_optax_joins_cycles_of_any_length(found):
    for differences in found("optax", *range(5)):
        assert differences["sgdr_schedule"].share < 4e-7


@pytest.mark.slow
def test_transformers_rounds_positions():
    pytest.importorskip("transformers")
    job = parity.Job(WarmRestarts(0.1, 1, 1), "transformers", 1, 22)
    code, hard_restarts = measure(job)
    assert code.largest == 0 and hard_restarts.share == 1.0 and hard_restarts.first_wrong == (15,)


def test_a_framework_runs_in_a_process_of_its_own_and_what_it_tells_is_kept(own_cache, tmp_path):
    report = parity.report(WHOLE, "optax", budget=50)
    assert report.status == "measured" and [each.of for each in report.differences] == [CODE, "sgdr_schedule"]
    assert report.versions.keys() == {"optax", "jax"} and "jax" not in report.cannot
    (kept,) = (tmp_path / "parity").iterdir()
    assert parity.report(WHOLE, "optax", budget=50, timeout=0) == report  # no process has so little time
    job = parity.Job(WHOLE, "optax", None, 50)
    assert cache.kept(parity.Job(WHOLE, "optax", None, 51)) is None
    for spoiled in ("", "{", '[{"a": 1}]', "3"):
        kept.write_text(spoiled)
        assert cache.kept(job) is None


def test_where_nothing_can_be_kept_nothing_is(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SGDR_CACHE", str(tmp_path / "file"))
    job = parity.Job(WHOLE, "optax", None, 50)
    cache.keep(job, [])
    assert cache.kept(job) is None


def test_few_files_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "MOST_FILES", 10)
    for budget in range(1, 30):
        cache.keep(parity.Job(WHOLE, "optax", None, budget), [])
        assert len(list((tmp_path / "parity").iterdir())) <= 10
    assert cache.kept(parity.Job(WHOLE, "optax", None, 29)) == []


def test_a_framework_that_takes_too_long_or_ends_is_a_remark(tmp_path, monkeypatch):
    monkeypatch.setenv("SGDR_CACHE", str(tmp_path / "empty"))
    report = parity.report(WHOLE, "optax", steps_per_epoch=1, timeout=0.01)
    assert (report.status, report.remark) == ("failed", "it took longer than 0.01 s")
    jobs = [parity.Job(WHOLE, "optax", None, budget) for budget in (1, 2)]
    for body, said in (
        ("import os; os._exit(3)", "its process ended with status 3"),
        ("raise SystemExit('no\\nlibrary')", "its process ended with status 1: library"),
    ):
        (tmp_path / "optax.py").write_text(body)
        assert measured(jobs, environment={"PYTHONPATH": str(tmp_path)}) == [said, said]
    (tmp_path / "optax.py").write_text("raise ValueError('no library')")
    (found, _) = measured(jobs, environment={"PYTHONPATH": str(tmp_path), "SGDR_CACHE": str(tmp_path)})
    assert {each.failed for each in found} == {"ValueError: no library"}


def test_what_is_said_of_torch_is_so():
    torch = pytest.importorskip("torch")
    made = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts

    def resumed(T_0, T_mult, step):
        group = {"params": [torch.nn.Parameter(torch.zeros(1))], "initial_lr": 0.1}
        scheduler = made(torch.optim.SGD([group], lr=0.1), T_0, T_mult, last_epoch=step - 1)
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

    made = braintools.optim.CosineAnnealingWarmRestarts
    for T_mult in (1, 2):
        assert made(0.1, 10, T_mult, last_epoch=5).get_lr()[0] == pytest.approx(0.1)
    job = parity.Job(WarmRestarts(0.1, 7, 10), "braintools", 1, 2 * 10**9)
    assert "wrong from step 777777777 on" in " ".join(drafted(job).cannot)
    overflown = made(0.1, 7, 10)
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
