"""Schedules to start from: what texts, mappings and schedules say, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sgdr import ArgumentError, WarmRestarts
from sgdr.decays import Linear, StableDecay
from sgdr.relatives import Cyclic, OneCycle, StepDecay, cosine_annealing
from sgdr.search.problem.options import options_of
from sgdr.search.problem.space import Space
from sgdr.search.problem.starts import Start, all_said, said, start_of, text
from sgdr.shapes import SHAPES
from sgdr.warmup import Warmup

BUDGET = 60
HELD = {
    "decay": FloatDistribution(0.0, 1.0),
    "depth": IntDistribution(1, 4),
    "act": CategoricalDistribution(["relu", "a b"]),
}

NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False)
WORDS = NUMBERS | st.booleans() | st.text(min_size=1, max_size=8)
NAMES = st.from_regex(r"[a-z][a-zA-Z_0-9]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("shape", "kind", "warmup")
)
VALUES = st.dictionaries(NAMES, WORDS | st.lists(NUMBERS, min_size=1, max_size=3), max_size=4)


@given(st.sampled_from(sorted(SHAPES)), VALUES)
def test_a_text_says_what_it_was_made_of(shape, values):
    meant = {"shape": shape, **values}
    assert said(text(meant)) == meant and said(meant) == meant
    assert all_said(f"{text(meant)}; {text(meant)};") == (meant, meant)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cosine base_lr=0.03", WarmRestarts(0.03, BUDGET)),
        ("cosine base_lr=3e-2 eta_min=.003", WarmRestarts(0.03, BUDGET, 1, 0.003)),
        ("constant base_lr=0.03", WarmRestarts(0.03, BUDGET, 1, 0.03)),
        ("restarts base_lr=0.1 T_0=2.5 T_mult=2 eta_min=1e-4", WarmRestarts(0.1, 2.5, 2, 1e-4)),
        (
            "restarts base_lr=0.1 T_0=10 peak_decay=0.5 cycles=3",
            WarmRestarts(0.1, 10, peak_decay=0.5, cycles=3),
        ),
        ("linear base_lr=0.1", Linear(0.1, BUDGET)),
        ("linear base_lr=0.1 length=40 eta_min=0.01", Linear(0.1, 40, 0.01)),
        ("wsd base_lr=0.1 pct_decay=0.3 fall=sqrt", StableDecay(0.1, BUDGET, 0.3, fall="sqrt")),
        ("one-cycle base_lr=0.1 anneal=linear", OneCycle(0.1, BUDGET, anneal="linear")),
        ("step-decay base_lr=0.1", StepDecay(0.1, (18.0, 36.0, 48.0))),
        ("step-decay base_lr=0.1 milestones=30, gamma=0.2", StepDecay(0.1, (30,), 0.2)),
        ("cyclic base_lr=0.1 up=5 down=3", Cyclic(0.1, 5, 3)),
        ("cosine base_lr=0.1 warmup=5", Warmup(WarmRestarts(0.1, 55), 5)),
        ("linear base_lr=0.1 warmup=2.0", Warmup(Linear(0.1, 58), 2)),
    ],
)
def test_a_shape_and_its_values_are_a_schedule(typed, meant):
    (values,) = all_said(typed)
    start = start_of(values, {}, BUDGET)
    assert start.schedule == meant and start.hparams == {}
    assert start_of(said(meant), {}, BUDGET).schedule == meant
    assert start_of(said(meant.to_dict()), {}, BUDGET).schedule == meant
    assert Start.from_dict(start.to_dict()) == start


def test_every_shape_can_be_said():
    needed = {"restarts": " T_0=5", "cyclic": " up=5"}
    for name in SHAPES:
        start_of(said(f"{name} base_lr=0.1{needed.get(name, '')}"), {}, BUDGET)


def test_several_are_told_apart_from_one():
    schedule = cosine_annealing(0.1, BUDGET)
    assert all_said(None) == all_said([]) == ()
    assert all_said(schedule) == all_said([schedule]) and len(all_said([schedule, "linear base_lr=1"])) == 2
    assert Space(start="linear base_lr=1; constant base_lr=1").start[1]["shape"] == "constant"
    about = options_of(Space)["start"]
    assert (
        about.text(["linear  base_lr=1", {"kind": "linear", "base_lr": 0.5}])
        == "linear base_lr=1; linear base_lr=0.5"
    )


def test_values_of_the_workload_come_in_its_types():
    start = start_of(said('cosine base_lr=0.1 decay=0 depth=2.0 act="a\\u0020b"'), HELD, BUDGET)
    assert start.hparams == {"decay": 0.0, "depth": 2, "act": "a b"}
    assert isinstance(start.hparams["decay"], float) and isinstance(start.hparams["depth"], int)
    # What can have but one value need not be given.
    fixed = {"decay": FloatDistribution(0.5, 0.5), "act": CategoricalDistribution(["relu"])}
    assert start_of(said("cosine base_lr=0.1"), fixed, BUDGET).hparams == {"decay": 0.5, "act": "relu"}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("", "must begin with a shape, one of restarts, cosine"),
        ("cosin base_lr=1", "start='cosin base_lr=1' must begin with a shape"),
        ("cosine base_lr", "has 'base_lr', where each value must be given once, as name=value"),
        ("cosine base_lr=1 base_lr=2", "must be given once"),
        ("cosine", "lacks base_lr"),
        ("cosine base_lr=fast", "base_lr must be a number > 0"),
        ("cosine base_lr=nan", "base_lr must be a number > 0"),
        ("cosine base_lr=-0.1", "base_lr must be a number > 0"),
        ("cosine base_lr=1e60", "must lie from 1e-36 to 1e\\+36"),
        ("cosine base_lr=0.1 eta_min=0.2", "eta_min must not exceed"),
        ("cosine base_lr=0.1 T_0=20", "has T_0, which is none of base_lr, eta_min, warmup"),
        ("restarts base_lr=0.1", "lacks T_0"),
        ("restarts base_lr=0.1 T_0=90", "has T_0=90, which does not fit the budget of 60 epochs; shorten it"),
        ("restarts base_lr=0.1 T_0=1e-9", "must be at least 0.01 epochs"),
        ("linear base_lr=0.1 length=61", "does not fit the budget"),
        ("step-decay base_lr=0.1 milestones=30,90", "has milestones=90, which does not fit"),
        ("step-decay base_lr=0.1 milestones=30,20", "must be steps in rising order"),
        ("wsd base_lr=0.1 fall=slow", "fall must be one of linear, sqrt"),
        ({"shape": "zigzag", "base_lr": 1}, "has shape 'zigzag', which must be one of"),
        ({1: 2}, "must be a text, a mapping, or a schedule of a shape"),
        (3, "must be schedules"),
        ([3], "must be a text, a mapping, or a schedule of a shape"),
        ("cosine base_lr=0.1 warmup=60", "has warmup=60, which must be whole epochs from 0 to 59"),
        ("cosine base_lr=0.1 warmup=1.5", "has warmup=1.5, which must be whole epochs"),
        ("restarts base_lr=0.1 T_0=58 warmup=5", "does not fit the budget of 60 epochs less its warm-up"),
        (Warmup(math.sin, 2), "must be a text, a mapping, or a schedule of a shape"),
        (math.sin, "must be a text, a mapping, or a schedule of a shape"),
    ],
)
def test_what_is_no_start_is_refused_in_one_line(bad, words):
    with pytest.raises(ArgumentError, match=words) as refused:
        for values in all_said(bad):
            start_of(values, {}, BUDGET)
    assert refused.value.name == "start" and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given_values", "words"),
    [
        ("", "lacks decay, depth, act"),
        ("decay=1 depth=2.5 act=relu", "has depth=2.5, which must be a whole number"),
        ("decay=much depth=2 act=relu", "has decay='much', which must be a finite number"),
        (
            "decay=1 depth=2 act=relu width=3",
            "has width, which is none of base_lr, eta_min, warmup, decay, depth, act",
        ),
    ],
)
def test_values_that_the_workload_does_not_take_are_refused(given_values, words):
    with pytest.raises(ArgumentError, match=words):
        start_of(said(f"cosine base_lr=0.1 {given_values}"), HELD, BUDGET)
