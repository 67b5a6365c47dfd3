"""What a framework's own scheduler cannot do of a schedule, and the nearest that it can, in words."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdr import WarmRestarts, Warmup, export
from sgdr.decays import Linear
from sgdr.export import parity
from sgdr.export.parity import own

WHOLE = WarmRestarts(0.1, 10, 2, 1e-4)
REAL = WarmRestarts(0.1, 10, 1.9, 1e-4)
DECAYING = WarmRestarts(0.1, 10, 2, 1e-4, peak_decay=0.8)
LIMITED = WarmRestarts(0.1, 10, 2, 1e-4, cycles=2)
EQUAL = WarmRestarts(0.1, 10, 1)
CONSTANT = WarmRestarts(0.1, 10, 2, 0.1)


def words(schedule, target, steps_per_epoch=None, budget=100):
    return parity.report(schedule, target, steps_per_epoch=steps_per_epoch, budget=budget)


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
    assert " % of the peak off in steps 0 to 99, with restarts at " in said
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
            report = parity.report(schedule, target, budget=budget)
            assert report.comments().isascii() and json.dumps(report.to_dict(), allow_nan=False)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((WHOLE, "tensorflow"), {}, "target must be one of torch, optax"),
        (({"T_0": 1}, "torch"), {}, "schedule must be a WarmRestarts, Linear, .*, got dict"),
        ((WarmRestarts(np.ones(2), 10), "torch"), {}, "schedule must have numbers as fields"),
        ((WHOLE, "torch"), {"budget": 0}, "budget must be an int >= 1, got 0"),
        ((WHOLE, "torch"), {"steps_per_epoch": 1.5}, "steps_per_epoch must be an int >= 1, got 1.5"),
    ],
)
def test_bad_arguments_are_named_in_one_line(arguments, options, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        parity.report(*arguments, **options)
    assert "\n" not in str(error.value)


def test_where_there_is_no_code_there_is_nothing_to_say():
    report = parity.report(WarmRestarts(1e40, 10), "keras")
    assert report.to_dict() == {"cannot": [], "nearest": None} and report.comments() == ""


@pytest.mark.parametrize("target", export.TARGETS)
def test_of_other_shapes_and_of_a_warm_up_nothing_is_said(target):
    for schedule in (Linear(0.1, 9), Warmup(WHOLE, 2)):
        report = parity.report(schedule, target, steps_per_epoch=2)
        assert report == parity.Report((), None) and report.comments() == ""


def test_what_told_to_measure_is_deprecated():
    report = words(WHOLE, "torch")
    with pytest.warns(DeprecationWarning, match="no framework is run"):
        assert parity.report(WHOLE, "torch", budget=100, measure=False) == report
    with pytest.warns(DeprecationWarning, match="no framework is run"):
        assert parity.report(WHOLE, "torch", budget=100, timeout=9) == report
    with pytest.warns(DeprecationWarning, match=r"use sgdr\.export\.parity\.report_of"):
        assert parity.drafted(parity.Job(WHOLE, "torch", None, 100)) == report


@pytest.mark.parametrize("target", ["optax", "keras", "transformers"])
def test_a_rate_that_is_held_through_an_epoch_is_what_is_compared(target):
    job = parity.Job(WarmRestarts(0.1, 2.5, 2, 1e-3), target, 10, 9, "epoch")
    steps = np.arange(90)
    assert job.plan.rates(steps) == pytest.approx(job.schedule(steps // 10), rel=1e-9)
    report = parity.report_of(job)
    assert "It changes the rate at every step: it cannot hold one through an epoch." in report.cannot
    assert "of the peak off" in report.nearest


def test_comments_are_lines_that_a_formatter_leaves(tmp_path):
    pytest.importorskip("ruff")
    for target in export.TARGETS:
        for name, schedule in {"real": REAL, "limited": LIMITED, "equal": EQUAL}.items():
            report = words(schedule, target)
            comments = report.comments()
            assert comments.isascii() and all(line.startswith("# ") for line in comments.splitlines())
            assert max(map(len, comments.splitlines())) <= 88
            for sentence in (report.nearest, *report.cannot):
                assert sentence in " ".join(comments.replace("\n#", "").split())
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
        "    export.parity.report(WarmRestarts(0.1, 1.5, 1.5), target, budget=9)\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert not set(done.stdout.split()) & {*export.TARGETS, "jax", "pandas", "optuna", "brainstate"}
