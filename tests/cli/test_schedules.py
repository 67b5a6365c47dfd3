"""Options that name a schedule of any shape: read, and written."""

import pytest

import sgdr
from sgdr import WarmRestarts, Warmup
from sgdr.cli import schedules
from sgdr.decays import Linear, Power, StableDecay
from sgdr.export.python import expression
from sgdr.relatives import Cyclic, Joined, OneCycle, StepDecay, constant, cosine_annealing

ALL = [
    WarmRestarts(0.1, 10, 2, 0.001),
    WarmRestarts(0.1, 2.5, 1.5, peak_decay=0.5, cycles=3),
    cosine_annealing(0.1, 60),
    constant(0.1),
    Linear(0.1, 60),
    Power(0.1, 60, 3.5, 0.01),
    StableDecay(0.1, 60, 0.3, fall="sqrt"),
    OneCycle(0.1, 60, pct_final=0.75, anneal="linear"),
    StepDecay(0.1, (30, 45.5)),
    Cyclic(0.1, 4, mode="exp_range", gamma=0.99),
]
ALL += [Warmup(schedule, 5) for schedule in ALL]


def typed(words):
    """What Typer makes of flags and their values."""
    flags = {schedules._flag(option.name): option for option in schedules.OPTIONS}
    options = [flags[flag] for flag in words[::2]]
    kinds = [option.annotation.__args__[0].__args__[0] for option in options]
    return {option.name: kind(word) for option, kind, word in zip(options, kinds, words[1::2], strict=True)}


@pytest.mark.parametrize("schedule", ALL, ids=str)
def test_options_name_the_schedule_again(schedule):
    assert schedules.schedule(typed(schedules.options_of(schedule).split())) == schedule


@pytest.mark.parametrize("schedule", ALL, ids=str)
def test_the_expression_makes_the_schedule_again(schedule):
    assert eval(expression(schedule), {"sgdr": sgdr}) == schedule


def test_a_schedule_of_parts_has_no_options_and_is_an_expression():
    joined = Joined((Linear(0.1, 5), constant(0.01)), (5,))
    assert schedules.options_of(joined) is None
    assert eval(expression(joined), {"sgdr": sgdr}) == joined
    assert expression(Warmup(Linear(0.1, 5), 2)) == (
        "sgdr.Warmup(schedule=sgdr.decays.Linear(base_lr=0.1, length=5), steps=2)"
    )
