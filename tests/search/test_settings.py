"""The arguments of a sweep: which are refused before anything starts, and what the study keeps of them."""

import json
import math

import optuna
import pytest

from sgdr import search
from sgdr.search.settings import checked, differences

GOOD = {
    "trials": 4,
    "budget": None,
    "space": None,
    "objective": "best-epoch",
    "pruner": "restart-aware",
    "sampler": "tpe",
    "slots": "auto",
    "engine": "local",
    "seed": 0,
    "timeout": None,
}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("trials", (0, -1, 1.5, "4", None, True, math.nan)),
        ("budget", (0, -1, 1.5, "4", True, 2**30, 10**400)),
        ("objective", ("best", "", None, 3)),
        ("pruner", ("sharp", "", None)),
        ("sampler", ("oracle", "", None)),
        ("engine", ("steam", "", None)),
        ("slots", (0, -1, 1.5, "many", None, True)),
        ("seed", (-1, 1.5, "0", None, True, 2**32, 10**30)),
        ("timeout", (0, -1.0, math.nan, math.inf, "30m")),
    ],
)
def test_arguments_that_cannot_be_are_refused_by_name_and_value(tiny, name, values):
    for value in values:
        with pytest.raises(ValueError) as refused:
            checked(tiny.workload, **{**GOOD, name: value})
        assert str(refused.value).startswith(f"{name}={value!r}")
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("workload", [3, "digits", None, object()])
def test_objects_that_are_no_workload_are_refused(workload):
    with pytest.raises(ValueError, match="has no init, update and evaluate"):
        checked(workload, **GOOD)


def test_the_engine_takes_numbers_only(tiny):
    class Worded(tiny.Tiny):
        hparams = {"kind": ["relu", "tanh"]}  # noqa: RUF012

    with pytest.raises(ValueError, match="hparams 'kind' has choices"):
        checked(Worded(), **GOOD)

    @search.workload(metric="error", direction="minimize", budget=2, hparams={"kind": ["relu", "tanh"]})
    def train(run: search.Run) -> None: ...

    assert checked(train, **GOOD).space.hparams["kind"].choices == ("relu", "tanh")


def test_defaults_are_the_workloads(tiny):
    settings = checked(tiny.workload, **GOOD)
    assert (settings.budget, settings.slots, settings.timeout) == (6, None, None)
    assert settings.space.T_0 == (1, 6)
    assert checked(tiny.workload, **{**GOOD, "slots": 3, "budget": 9}).slots == 3


def test_attributes_are_json_and_name_what_differs(tiny):
    kept = checked(tiny.workload, **GOOD).attributes()
    assert json.loads(json.dumps(kept)) == kept
    assert differences(kept, kept) == []
    changed = {"budget": 5, "objective": "final", "space": search.Space(closed=True)}
    for name, value in changed.items():
        (line, *others) = differences(kept, checked(tiny.workload, **{**GOOD, name: value}).attributes())
        assert line.startswith(f"{name} ") or name == "budget"
        assert not others or name == "budget"  # which decides the space as well
    other = checked(tiny.Maximized(), **GOOD).attributes()
    named = {line.split()[0] for line in differences(kept, other)}
    assert named == {"workload", "metric", "select_metric", "direction"}
    for free in ({"seed": 5}, {"trials": 9}, {"slots": 2}, {"pruner": "none"}, {"timeout": 5.0}):
        assert differences(kept, checked(tiny.workload, **{**GOOD, **free}).attributes()) == []


def test_samplers_are_those_named_and_seeded(tiny):
    for name, kind in (("random", optuna.samplers.RandomSampler), ("tpe", optuna.samplers.TPESampler)):
        settings = checked(tiny.workload, **{**GOOD, "sampler": name})
        first, again, other = (
            optuna.create_study(sampler=settings.named_sampler(seed))
            .ask(settings.space.distributions(6))
            .params
            for seed in (1, 1, 2)
        )
        assert isinstance(settings.named_sampler(1), kind)
        assert first == again != other
    mine = optuna.samplers.RandomSampler(seed=1)
    settings = checked(tiny.workload, **{**GOOD, "sampler": mine})
    assert settings.named_sampler(3) is mine and settings.attributes()["sampler"] == "RandomSampler"
