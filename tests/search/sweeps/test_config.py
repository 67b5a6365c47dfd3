"""The arguments of a sweep: which are refused before anything starts, and what the study keeps of them."""

import json
import math

import optuna
import pytest
from optuna.pruners import MedianPruner, NopPruner
from optuna.trial import TrialState

from sgdr import search
from sgdr.search.problem.declaration import Declaration
from sgdr.search.strategy.quasi_random import spread
from sgdr.search.strategy.restart_aware import RestartAwarePruner
from sgdr.search.sweeps.config import DEFAULT_EXTENT, OPTIONS, SweepConfig
from sgdr.search.sweeps.extent import CostExtent, TrialExtent
from sgdr.search.sweeps.settings import EVENLY, Settings, differences, resolve
from sgdr.shapes import DEFAULT_SHAPES as ARMS

GOOD = {
    "trials": 4,
    "budget": None,
    "space": None,
    "objective": "best-epoch",
    "pruner": "restart-aware",
    "sampler": "tpe",
    "slots": "auto",
    "controls": 0.25,
    "seed": 0,
    "timeout": None,
}


def checked(workload, **arguments) -> Settings:
    return resolve(Declaration.of(workload), SweepConfig(**arguments))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("trials", (0, -1, 1.5, "4", True, math.nan)),
        ("cost", (0, 0.99, -1, "4", True, math.nan, math.inf, -math.inf)),
        ("budget", (0, -1, 1.5, "4", True, 2**30, 10**400)),
        ("objective", ("best", "", None, 3)),
        ("pruner", ("sharp", "", None)),
        ("sampler", ("oracle", "", None)),
        ("controls", (-0.1, 1, 1.0, 1.5, "0.5", None, True, False, math.nan, math.inf, 10**400)),
        ("slots", (0, -1, 1.5, "many", None, True)),
        ("seed", (-1, 1.5, "0", None, True, 2**32, 10**30)),
        ("timeout", (0, -1.0, math.nan, math.inf, "30m")),
    ],
)
def test_arguments_that_cannot_be_are_refused_by_name_and_value(tiny, name, values):
    for value in values:
        with pytest.raises(ValueError) as refused:
            checked(tiny.workload, **{**GOOD, "trials": None, name: value})
        assert str(refused.value).startswith(f"{name}={value!r}")
        assert "\n" not in str(refused.value)


def test_either_trials_or_a_cost_say_how_far_a_sweep_goes(tiny):
    with pytest.raises(ValueError, match=r"^cost=16 cannot be beside trials=4, .*; give one of them$"):
        checked(tiny.workload, **GOOD, cost=16)
    default = checked(tiny.workload)
    assert {"trials": default.trials, "cost": default.cost} == {
        "trials": None,
        "cost": None,
        **DEFAULT_EXTENT,
    }
    assert checked(tiny.workload, **GOOD).extent == TrialExtent(4)
    settings = checked(tiny.workload, cost=16.5)
    assert settings.trials is None and settings.whole_trials == 16
    assert settings.extent == CostExtent(16.5, budget=6) and settings.extent.epochs == 99


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
    attributes = checked(tiny.workload, **GOOD).attributes()
    assert json.loads(json.dumps(attributes)) == attributes
    assert differences(attributes, attributes) == []
    changed = {"budget": 5, "objective": "final", "space": search.Space(closed=True)}
    for name, value in changed.items():
        (line, *others) = differences(
            attributes, checked(tiny.workload, **{**GOOD, name: value}).attributes()
        )
        assert line.startswith(f"{name} ") or name == "budget"
        assert not others or name == "budget"  # which decides the space as well
    other = checked(tiny.Maximized(), **GOOD).attributes()
    named = {line.split()[0] for line in differences(attributes, other)}
    assert named == {"workload", "metric", "select_metric", "direction"}
    free = {"seed": 5, "trials": 9, "slots": 2, "pruner": "none", "timeout": 5.0, "controls": 0.0}
    for name, value in free.items():
        assert differences(attributes, checked(tiny.workload, **{**GOOD, name: value}).attributes()) == []


def drawn(settings, arm, seed, sampler_seed):
    """The peak rates of the first trials of an arm, some more than are spread evenly."""
    search = settings.arm(arm, seed, sampler_seed)
    rates = []
    for _ in range(EVENLY[arm] + 8):
        trial = search.ask()
        rates.append(trial.params["base_lr"])
        search.tell(trial, TrialState.COMPLETE, rates[-1])
    return rates


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("name", ["tpe", "random"])
def test_samplers_are_those_named_and_seeded(tiny, name, arm):
    settings = checked(tiny.workload, **{**GOOD, "sampler": name})
    first, again, other = (drawn(settings, arm, seed=0, sampler_seed=seed) for seed in (1, 1, 2))
    kind = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}[name]
    assert type(settings.arm(arm, 0, 1).study.sampler) is kind
    assert first == again
    assert not set(first[EVENLY[arm] :]) & set(other)


@pytest.mark.parametrize("name", OPTIONS["sampler"].choices)
def test_only_the_staged_search_chooses_among_the_arms(tiny, name):
    settings = checked(tiny.workload, **{**GOOD, "sampler": name})
    arms = {arm: settings.arm(arm, 0, 1) for arm in settings.arms}
    staged = settings.staged(arms, 0)
    assert (staged is not None) == (name == "staged")
    assert staged is None or staged.next([])[0] == "cosine"


@pytest.mark.parametrize("arm", ARMS)
def test_before_tpe_comes_what_is_spread_evenly_as_the_studys_seed_says(tiny, arm):
    settings = checked(tiny.workload, **{**GOOD, "seed": 9})  # that of a resumed study is its own
    first, again, other = (drawn(settings, arm, *seeds) for seeds in ((3, 1), (3, 2), (4, 1)))
    distributions, evenly = settings.space.distributions(6, arm), EVENLY[arm]
    finest = None if arm == "restarts" else "base_lr"
    points = [spread(distributions, index, 3, finest) for index in range(evenly)]
    assert first[:evenly] == [point["base_lr"] for point in points]
    assert first[:evenly] == again[:evenly] and not set(first) & set(other[:evenly])
    assert not set(first[evenly:]) & set(again[evenly:])


def test_a_sampler_of_the_users_own_searches_the_restarts_alone(tiny):
    mine = optuna.samplers.RandomSampler(seed=1)
    settings = checked(tiny.workload, **{**GOOD, "sampler": mine})
    samplers = [settings.arm(arm, 0, 3).study.sampler for arm in ARMS]
    assert samplers[0] is mine and {type(sampler) for sampler in samplers[1:]} == {optuna.samplers.TPESampler}
    assert settings.attributes()["sampler"] == "RandomSampler"
    ours = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    asked = [
        ours.ask(settings.space.distributions(6)).params["base_lr"] for _ in range(EVENLY["restarts"] + 8)
    ]
    assert drawn(settings, "restarts", 0, 3) == asked  # from the first on


def test_arms_have_their_own_parameters_and_the_same_pruner(tiny):
    settings = checked(tiny.workload, **GOOD)
    arms = [settings.arm(arm, 0, 1) for arm in ARMS]
    assert [list(arm.distributions) for arm in arms] == [
        ["base_lr", "T_0", "T_mult", "eta_ratio"],
        ["base_lr", "eta_ratio"],
        ["base_lr"],
        ["base_lr", "pct_decay", "fall"],
        ["base_lr"],
    ]
    assert all(arm.study.pruner is settings.pruner for arm in arms)
    assert [arm.study.study_name for arm in arms] == list(ARMS)
    assert checked(tiny.Maximized(), **GOOD).arm("cosine", 0, 1).study.direction.name == "MAXIMIZE"


def test_the_pruner_suits_the_sampler_where_none_is_named(tiny):
    arguments = {name: value for name, value in GOOD.items() if name != "pruner"}
    kinds = {"tpe": RestartAwarePruner, "random": RestartAwarePruner, "staged": NopPruner}
    for sampler, kind in kinds.items():
        assert type(checked(tiny.workload, **{**arguments, "sampler": sampler}).pruner) is kind
        named = checked(tiny.workload, **{**arguments, "sampler": sampler, "pruner": "median"})
        assert type(named.pruner) is MedianPruner


def test_controls_are_judged_right_at_the_start_only(tiny):
    """Later, high rates lag behind that win in the end, and restarts would meet the weaker ones."""
    config = checked(tiny.workload, **{**GOOD, "pruner": "restart-aware", "budget": 100})
    assert config.arm("restarts", 0, 0).rungs == {1, 25, 50}
    assert config.arm("cosine", 0, 0).rungs == config.arm("constant", 0, 0).rungs == {1}
    plain = checked(tiny.workload, **{**GOOD, "pruner": "median", "budget": 100})
    assert plain.arm("cosine", 0, 0).rungs == plain.arm("restarts", 0, 0).rungs
