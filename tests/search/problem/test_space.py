"""The search space: what it refuses, and that every schedule in it lies within its ranges and the budget."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sgdr.search.problem.arms import arm_of
from sgdr.search.problem.space import Space
from sgdr.shapes import EARLIER as ARMS

FEW = settings(deadline=None, max_examples=100)
BUDGETS = st.integers(1, 400)


@st.composite
def resolved(draw, tiny, closed):
    """A resolved space, its budget, and parameters as a sampler may give them."""
    budget = draw(BUDGETS)
    low, high = sorted(draw(st.tuples(*2 * [st.integers(1, budget)])))
    space = Space(
        base_lr=tuple(sorted(draw(st.tuples(*2 * [st.floats(1e-6, 1e3)])))),
        T_0=(low, high),
        T_mult=draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)),
        eta_ratio=tuple(sorted(draw(st.tuples(*2 * [st.floats(0, 1)])))),
        closed=closed,
    )
    try:
        space = space.resolved(tiny.workload, budget)
    except ValueError as error:
        assert "closes no budget" in str(error)
        assume(False)
    params = {
        name: draw(st.sampled_from(distribution.choices))
        if isinstance(distribution, CategoricalDistribution)
        else draw(
            (st.integers if isinstance(distribution, IntDistribution) else st.floats)(
                distribution.low, distribution.high
            )
        )
        for name, distribution in space.distributions(budget).items()
    }
    return space, budget, params


@FEW
@given(st.data())
def test_open_schedules_are_what_was_sampled_and_train_the_whole_budget(tiny, data):
    space, budget, params = data.draw(resolved(tiny, closed=False))
    schedule, epochs = space.schedule(params, budget)
    assert epochs == budget and set(params) == {"base_lr", "T_0", "T_mult", "eta_ratio"}
    assert (schedule.base_lr, schedule.T_0, schedule.T_mult) == (
        params["base_lr"],
        params["T_0"],
        params["T_mult"],
    )
    assert schedule.eta_min == params["base_lr"] * params["eta_ratio"] <= schedule.base_lr
    assert space.T_0[0] <= schedule.T_0 <= space.T_0[1] <= budget


@FEW
@given(st.data())
def test_closed_schedules_end_at_their_last_trough_within_the_budget(tiny, data):
    space, budget, params = data.draw(resolved(tiny, closed=True))
    assert set(params) == {"base_lr", "cycles", "T_mult", "eta_ratio"}
    schedule, epochs = space.schedule(params, budget)
    troughs = schedule.troughs(budget=epochs)
    assert troughs[-1] == epochs <= budget
    assert space.T_0[0] <= schedule.T_0 <= space.T_0[1]
    total = sum(schedule.T_mult**i for i in range(len(troughs)))
    assert budget // total == schedule.T_0 and epochs == schedule.T_0 * total
    fits = [
        cycles
        for cycles in range(1, budget + 1)
        if space.T_0[0] <= budget // sum(schedule.T_mult**i for i in range(cycles)) <= space.T_0[1]
    ]
    assert len(troughs) == min(fits, key=lambda cycles: abs(cycles - params["cycles"]))


@FEW
@given(st.data(), st.booleans())
def test_controls_are_one_cycle_or_none_and_train_the_whole_budget(tiny, data, closed):
    space, budget, params = data.draw(resolved(tiny, closed))
    base_lr, ratio = params["base_lr"], params["eta_ratio"]
    cosine, epochs = space.schedule({"base_lr": base_lr, "eta_ratio": ratio}, budget)
    assert epochs == budget and cosine.troughs(budget) == [budget]
    assert (cosine.base_lr, cosine.eta_min) == (base_lr, base_lr * ratio)
    constant, epochs = space.schedule({"base_lr": base_lr}, budget)
    assert epochs == budget and {constant(epoch) for epoch in range(budget)} == {base_lr}
    assert arm_of(constant, budget) == "constant"
    assert arm_of(cosine, budget) == ("constant" if base_lr * ratio == base_lr else "cosine")


@pytest.mark.parametrize("closed", [False, True])
def test_controls_search_what_they_have_and_the_hparams(tiny, closed):
    class Damped(tiny.Tiny):
        hparams = {"damping": (0.0, 0.5), "power": [1, 2]}  # noqa: RUF012

    space = Space(base_lr=(0.01, 0.5), closed=closed, hparams={"power": 2}).resolved(Damped(), 60)
    restarts, cosine, constant = (space.distributions(60, arm) for arm in ARMS)
    hparams = {"damping": FloatDistribution(0.0, 0.5), "power": IntDistribution(2, 2)}
    assert constant == {"base_lr": FloatDistribution(0.01, 0.5, log=True), **hparams}
    assert cosine == {**constant, "eta_ratio": FloatDistribution(0.0, 0.1)}
    assert restarts.items() > cosine.items()
    assert restarts.keys() - cosine.keys() == {"cycles" if closed else "T_0", "T_mult"}
    assert space.distributions(60) == restarts


@pytest.mark.parametrize("T_mult", [1, 2])
def test_a_closed_space_of_a_huge_budget_is_made_at_once(tiny, T_mult):
    budget = 2**30  # listing the cycles would take hours
    space = Space(closed=True, T_mult=T_mult).resolved(tiny.workload, budget)
    most = space.distributions(budget)["cycles"].high
    params = {"base_lr": 0.1, "cycles": most, "T_mult": T_mult, "eta_ratio": 0.0}
    schedule, epochs = space.schedule(params, budget)
    assert (schedule.T_0, most) == ((1, 2**30) if T_mult == 1 else (1, 30))
    assert epochs == (2**30 if T_mult == 1 else 2**30 - 1)


def test_defaults_come_from_the_workload_and_the_budget(tiny):
    class Ranged(tiny.Tiny):
        base_lr = (0.01, 0.5)
        hparams = {"momentum": (0.5, 0.9), "decay": (1e-5, 1e-2, "log"), "width": [1, 2], "depth": (1, 4)}  # noqa: RUF012

    space = Space(hparams={"depth": 3}).resolved(Ranged(), 60)
    assert space.base_lr == (0.01, 0.5) and space.T_0 == (1, 60)
    assert Space().resolved(tiny.workload, 60).base_lr == (1e-3, 1.0)
    assert space.distributions(60) == {
        "base_lr": FloatDistribution(0.01, 0.5, log=True),
        "T_0": IntDistribution(1, 60, log=True),
        "T_mult": CategoricalDistribution((1, 2, 3)),
        "eta_ratio": FloatDistribution(0.0, 0.1),
        "momentum": FloatDistribution(0.5, 0.9),
        "decay": FloatDistribution(1e-5, 1e-2, log=True),
        "width": CategoricalDistribution([1, 2]),
        "depth": IntDistribution(3, 3),
    }
    values = {"momentum": 0.6, "decay": 1e-3, "width": 2, "depth": 3}
    assert space.hparam_values({"base_lr": 0.1, "T_0": 3, **values}) == values


def test_single_numbers_fix_values_and_a_long_T_0_is_cut_to_the_budget(tiny):
    space = Space(base_lr=0.1, T_0=(2, 10**400), T_mult=2, eta_ratio=0.05).resolved(tiny.workload, 9)
    assert (space.base_lr, space.T_0, space.T_mult, space.eta_ratio) == (
        (0.1, 0.1),
        (2, 9),
        (2,),
        (0.05, 0.05),
    )


def test_to_dict_is_json_and_tells_spaces_apart(tiny):
    import json

    class Decayed(tiny.Tiny):
        hparams = {"decay": (0.1, 0.2)}  # noqa: RUF012

    one = Space().resolved(Decayed(), 6).to_dict()
    assert json.loads(json.dumps(one)) == one
    others = [
        Space(closed=True),
        Space(T_0=3),
        Space(T_mult=1),
        Space(base_lr=1),
        Space(hparams={"decay": 0.1}),
    ]
    assert all(other.resolved(Decayed(), 6).to_dict() != one for other in others)


BAD = (
    math.nan,
    math.inf,
    -math.inf,
    "0.1",
    None,
    True,
    (1,),
    (1, 2, 3),
    (2, 1),
    ("a", "b"),
    (math.nan, 1),
    [[1], 2],
)


@pytest.mark.parametrize("name", ["base_lr", "T_0", "eta_ratio"])
@pytest.mark.parametrize("given", BAD)
def test_ranges_that_cannot_be_are_refused_by_name(name, given):
    if given is None and name != "eta_ratio":
        return  # None is the default
    with pytest.raises(ValueError, match=rf"^{name}="):
        Space(**{name: given})


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("base_lr", (0, 1)),
        ("base_lr", -1),
        ("base_lr", 1e-40),
        ("base_lr", (1, 1e39)),
        ("T_0", (0, 3)),
        ("T_0", (1.5, 3)),
        ("eta_ratio", (-0.1, 0)),
        ("eta_ratio", (0, 1.1)),
        ("T_mult", ()),
        ("T_mult", 0),
        ("T_mult", 2.0),
        ("T_mult", None),
        ("T_mult", "12"),
        ("T_mult", True),
        ("T_mult", [[1]]),
        ("T_mult", (1, 2**31)),
    ],
)
def test_values_out_of_bounds_are_refused_by_name(name, given):
    with pytest.raises(ValueError, match=rf"^{name}="):
        Space(**{name: given})


@pytest.mark.parametrize("name", ["base_lr", "T_0", "cycles", "T_mult", "eta_ratio"])
def test_hparams_may_not_be_called_as_parts_of_the_schedule(name):
    with pytest.raises(ValueError, match=f"hparams has '{name}'"):
        Space(hparams={name: (0, 1)})


@pytest.mark.parametrize("given", [[], (1, 0), (0, 1, "log"), (1, 2, "lin"), "a", None, (0, math.inf)])
def test_hparams_that_cannot_be_are_refused_by_name(given):
    with pytest.raises(ValueError, match=r"^decay="):
        Space(hparams={"decay": given})


def test_hparams_must_be_the_workloads_own(tiny):
    with pytest.raises(ValueError, match="hparams decay: workload 'tiny' takes none"):
        Space(hparams={"decay": 0.1}).resolved(tiny.workload, 6)


def test_a_T_0_that_leaves_no_schedule_is_refused(tiny):
    with pytest.raises(ValueError, match=r"T_0=\(7, 9\) begins above the budget of 6"):
        Space(T_0=(7, 9)).resolved(tiny.workload, 6)
    with pytest.raises(ValueError, match="closes no budget of 7"):
        Space(T_0=4, closed=True).resolved(tiny.workload, 7)
