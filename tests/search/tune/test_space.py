"""The space of Tune is that of a sweep: the same names, bounds, scales and choices."""

import json
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from ray import tune
from ray.tune.search.optuna import OptunaSearch
from ray.tune.search.variant_generator import generate_variants

from sgdr import search
from sgdr.search.problem.space import Space
from sgdr.search.tune import tune_space
from sgdr.search.tune.config import hparams_of, seed_of


class Decaying:
    """As much of a workload as a space is resolved for."""

    name = "decaying"
    budget = 40
    hparams = {  # noqa: RUF012
        "decay": (1e-4, 1e-1, "log"),
        "layers": (1, 4),
        "momentum": (0.0, 0.9),
        "width": [16, 32],
        "kind": ["adam"],
        "odd": IntDistribution(2, 10, step=2),
        "coarse": FloatDistribution(0.0, 1.0, step=0.25),
        "fixed": 3,
        "wide": IntDistribution(1, 64, log=True),
    }


def converted(space: dict[str, Any]) -> dict[str, Any]:
    """What Tune's own converter makes of it for Optuna."""
    return dict(OptunaSearch.convert_search_space(space))


def drawn(space: dict[str, Any], count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Samples by Tune's own sampler."""
    import numpy as np

    random = np.random.RandomState(seed)
    return [next(generate_variants(space, random_state=random))[1] for _ in range(count)]


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
@pytest.mark.parametrize(
    "given_space",
    [
        {},
        {"base_lr": (1e-4, 2.0), "T_0": (2, 30), "T_mult": (1, 2), "eta_ratio": (0.0, 0.5)},
        {"base_lr": 0.1, "T_0": (3, 40), "T_mult": 2, "eta_ratio": 0},
        {"hparams": {"decay": (0.1, 0.2), "layers": 2}},
    ],
    ids=str,
)
def test_it_is_what_a_sweep_samples(given_space: dict[str, Any], closed: bool) -> None:
    space = Space(**given_space, closed=closed)
    workload: Any = Decaying()
    searched = search.tune_space(space, workload=workload)
    expected = space.resolved(workload, 40).distributions(40)
    assert converted(searched) == expected
    assert list(searched) == list(expected)
    assert ("cycles" in searched, "T_0" in searched) == (closed, not closed)


@given(
    low=st.integers(1, 30),
    more=st.integers(0, 70),
    rates=st.tuples(st.floats(1e-6, 1.0), st.floats(1.0, 100.0)),
    factors=st.sets(st.integers(1, 9), min_size=1),
    floor=st.floats(0.0, 1.0),
    budget=st.integers(30, 200),
)
@settings(max_examples=50, deadline=None)
def test_any_space_is_what_a_sweep_samples(
    low: int, more: int, rates: tuple[float, float], factors: set[int], floor: float, budget: int
) -> None:
    space = Space(base_lr=rates, T_0=(low, low + more), T_mult=tuple(factors), eta_ratio=(0.0, floor))
    workload: Any = Decaying()
    expected = space.resolved(workload, budget).distributions(budget)
    assert converted(search.tune_space(space, workload=workload, budget=budget)) == expected


def test_both_ends_are_drawn_by_tune_itself_and_no_more() -> None:
    space = search.tune_space(Space(T_0=(2, 5), hparams={"layers": (1, 2)}), workload=Decaying())  # type: ignore[arg-type]
    samples = drawn(space, 300)
    assert {sample["T_0"] for sample in samples} == {2, 3, 4, 5}
    assert {sample["layers"] for sample in samples} == {1, 2}
    assert {sample["T_mult"] for sample in samples} == {1, 2, 3}
    assert {sample["odd"] for sample in samples} == {2, 4, 6, 8, 10}
    assert {sample["coarse"] for sample in samples} == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert all(0 <= sample["eta_ratio"] <= 0.1 and sample["fixed"] == 3 for sample in samples)
    below = sum(sample["base_lr"] < 0.0316 for sample in samples)
    assert 110 < below < 190  # half of them, on a logarithmic scale from 0.001 to 1


def test_a_floor_of_nothing_alone_can_be_searched() -> None:
    space = search.tune_space(Space(base_lr=0.1, T_0=(1, 2), eta_ratio=0.0))
    assert {sample["eta_ratio"] for sample in drawn(space, 5)} == {0.0}


def test_optuna_is_given_it_as_its_own_space() -> None:
    searcher = OptunaSearch(
        space=search.tune_space(workload="digits", budget=60), metric="error", mode="min", seed=1
    )
    config = searcher.suggest("a")
    assert config is not None and set(config) == {"base_lr", "T_0", "T_mult", "eta_ratio"}
    study: optuna.Study = searcher._ot_study
    trial = study.trials[0]
    workload = search.find("digits")
    assert trial.distributions == Space().resolved(workload, 60).distributions(60)


def test_a_budget_and_a_workload_fill_in_what_is_open(tiny: ModuleType) -> None:
    assert converted(search.tune_space(workload=tiny.workload))["T_0"].high == tiny.workload.budget
    assert converted(search.tune_space(workload=tiny.workload, budget=99))["T_0"].high == 99
    assert converted(search.tune_space(Space(base_lr=(0.1, 1.0)), budget=9))["T_0"].high == 9
    assert converted(search.tune_space(Space(base_lr=(0.1, 1.0), T_0=(1, 80))))["T_0"].high == 80
    alone = search.tune_space(Space(base_lr=0.1, T_0=4, hparams={"decay": (0.0, 1.0)}))
    assert converted(alone)["decay"] == FloatDistribution(0.0, 1.0)


@pytest.mark.parametrize(
    ("space", "budget", "said"),
    [
        (None, None, "leaves base_lr and T_0 open: give workload="),
        (None, 60, "leaves base_lr open"),
        (Space(base_lr=0.1), None, "leaves T_0 open"),
        (Space(base_lr=0.1, T_0=(1, 9), closed=True), None, "leaves cycles open"),
        (Space(base_lr=0.1, T_0=(1, 9)), 0, "budget=0 must be a whole number of at least 1"),
        (Space(base_lr=0.1, T_0=(8, 9)), 5, r"T_0=\(8, 9\) begins above the budget of 5"),
        (
            Space(base_lr=0.1, T_0=9, hparams={"width": IntDistribution(1, 9, step=2)}),
            None,
            "width goes from 1 in steps of 2",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(space: Space | None, budget: int | None, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        search.tune_space(space, budget=budget)
    assert "\n" not in str(caught.value)


def test_a_workload_that_is_not_registered_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown workload 'nothing'"):
        search.tune_space(workload="nothing")
    with pytest.raises(ValueError, match="hparams momentum: workload 'digits' takes none"):
        search.tune_space(Space(hparams={"momentum": 0.9}), workload="digits")


def test_domains_are_tunes_own() -> None:
    domains = search.tune_space(workload="digits").values()
    assert all(isinstance(domain, tune.search.sample.Domain) for domain in domains)


def test_a_config_may_hold_numbers_of_numpy():
    space = Space().resolved(Decaying(), 40)  # type: ignore[arg-type]
    config = {
        "decay": 0.5,
        "layers": 2,
        "momentum": 0.5,
        "width": 16,
        "kind": "adam",
        "odd": 4,
        "coarse": 0.25,
    }
    drawn = {name: value if name == "kind" else np.array(value) for name, value in config.items()}
    values = hparams_of({**drawn, "wide": np.int64(8)}, space)
    assert json.dumps(values) == json.dumps(hparams_of({**config, "wide": 8}, space))
    assert seed_of({"seed": np.int64(5)}) == 5
    assert seed_of(drawn) == seed_of(config)
    assert tune_space(Space(base_lr=1.0), workload=Decaying(), budget=np.int64(8)).keys()  # type: ignore[arg-type]


def test_a_warm_up_is_in_every_config_also_where_it_is_fixed() -> None:
    searched = search.tune_space(Space(base_lr=0.1, T_0=(1, 20), warmup=(0, 5)))
    assert converted(searched)["warmup"] == IntDistribution(0, 5) and converted(searched)["T_0"].high == 20
    assert {sample["warmup"] for sample in drawn(searched, 100)} == set(range(6))
    fixed = search.tune_space(Space(base_lr=0.1, warmup=5), budget=30)
    assert {sample["warmup"] for sample in drawn(fixed, 5)} == {5} and converted(fixed)["T_0"].high == 25
    assert "warmup" not in search.tune_space(Space(base_lr=0.1), budget=30)
