"""Numbers of NumPy wherever numbers are taken: they mean what Python's mean, and what is kept is JSON."""

import json

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution

import sgdr
from sgdr import export, relatives, search
from sgdr.checks import number, plain
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.space import distribution
from sgdr.search.sweeps.cluster import cluster_of
from sgdr.search.sweeps.config import SweepConfig
from sgdr.stateful import CosineAnnealingWarmRestarts
from tests.search_loop import settings_of

KINDS = [np.int64, np.uint8, lambda value: np.array(value, np.int32)]
"""Makers of whole numbers: scalars and arrays without dimensions."""
REALS = [np.float64, np.longdouble, np.array]


def declared(**changes):
    values = {
        "name": "named",
        "metric": "error",
        "direction": "minimize",
        "budget": 8,
        "kind": "arrays",
        "steps_per_epoch": 5,
        "base_lr": None,
        "select_metric": None,
        "hparams": {},
        "interval": "step",
    }
    return Declaration(**{**values, **changes})


def settled(workload=None, **arguments):
    return settings_of(workload or declared(), **arguments)


@pytest.mark.parametrize("of", REALS)
@pytest.mark.parametrize("whole", KINDS)
def test_schedules_hold_python_numbers(whole, of):
    for ours, theirs in (
        (sgdr.WarmRestarts(of(0.5), whole(10), whole(2), of(0.25), of(0.5), whole(3)),
         sgdr.WarmRestarts(0.5, 10, 2, 0.25, 0.5, 3)),
        (sgdr.WarmRestarts.closing(whole(150), whole(4), whole(2), base_lr=of(0.5)),
         sgdr.WarmRestarts.closing(150, 4, 2, base_lr=0.5)),
        (sgdr.WarmRestarts(0.5, 10).scaled(whole(200)), sgdr.WarmRestarts(0.5, 2000)),
        (sgdr.Warmup(sgdr.WarmRestarts(0.5, 10), whole(100)).scaled(whole(200)),
         sgdr.Warmup(sgdr.WarmRestarts(0.5, 2000), 20000)),
        (relatives.OneCycle(of(0.5), whole(100), of(0.25)), relatives.OneCycle(0.5, 100, 0.25)),
        (relatives.StepDecay(of(0.5), (whole(30), whole(60)), of(0.5)),
         relatives.StepDecay(0.5, (30, 60), 0.5)),
        (relatives.Cyclic(of(0.5), whole(4), gamma=of(0.25)).scaled(whole(2)),
         relatives.Cyclic(0.5, 4, gamma=0.25).scaled(2)),
    ):  # fmt: skip
        assert ours == theirs
        assert json.dumps(ours.to_dict()) == json.dumps(theirs.to_dict())
        assert ours(7) == theirs(7)
        assert type(ours(7)) is float


@pytest.mark.parametrize("whole", KINDS)
def test_schedules_are_asked_with_them(whole):
    schedule = sgdr.WarmRestarts(0.5, 10, 2)
    assert schedule.cycle(whole(37)) == schedule.cycle(37)
    assert schedule.restarts(until=whole(100)) == [10, 30, 70]
    assert schedule.troughs(budget=whole(150)) == [10, 30, 70, 150]
    scheduler = CosineAnnealingWarmRestarts([np.float64(0.5), np.array(0.25)], whole(10), last_epoch=whole(3))
    scheduler.step(whole(4))
    json.dumps(scheduler.state_dict())
    assert scheduler.get_lr() == CosineAnnealingWarmRestarts([0.5, 0.25], 10, last_epoch=4).get_lr()
    assert type(scheduler.state().step(whole(5)).get_lr()[0]) is float
    ours = export.code(schedule, "torch", steps_per_epoch=whole(5), budget=whole(30))
    assert ours == export.code(schedule, "torch", steps_per_epoch=5, budget=30)


@pytest.mark.parametrize("whole", KINDS)
def test_a_space_holds_python_numbers(whole):
    space = search.Space(
        base_lr=(np.float32(0.5), np.array(1.0)),
        T_0=(whole(1), whole(4)),
        T_mult=np.array([1, 2]),
        eta_ratio=np.float64(0.0),
        hparams={
            "width": [whole(16), whole(32)],
            "depth": (whole(1), whole(8), "log"),
            "decay": np.float32(0.5),
        },
    )
    plainly = search.Space(
        base_lr=(0.5, 1.0),
        T_0=(1, 4),
        T_mult=(1, 2),
        eta_ratio=0.0,
        hparams={"width": [16, 32], "depth": (1, 8, "log"), "decay": 0.5},
    )
    workload = declared(hparams={"width": 16, "depth": 2, "decay": 0.5})
    resolved = space.resolved(workload, 8).to_dict()
    assert json.dumps(resolved) == json.dumps(plainly.resolved(workload, 8).to_dict())
    assert search.Space(T_0=whole(4), T_mult=whole(2)) == search.Space(T_0=4, T_mult=2)
    assert search.Space(T_0=np.array([1, 4])) == search.Space(T_0=[1, 4])


def test_choices_in_a_distribution_of_the_users_are_python_numbers_too():
    with pytest.warns(UserWarning, match="Choices for a categorical"):
        categorical = CategoricalDistribution((np.int64(1), np.float32(0.5), "a", None))
    assert [type(choice) for choice in distribution("x", categorical).choices] == [
        int,
        float,
        str,
        type(None),
    ]


@pytest.mark.parametrize("whole", KINDS)
def test_the_settings_of_a_sweep_are_python_numbers(whole):
    workload = declared(base_lr=(0.25, 1.0))
    ours = settled(
        workload,
        trials=whole(8),
        budget=whole(6),
        slots=whole(2),
        seed=whole(3),
        controls=np.float64(0.25),
        timeout=np.float32(60),
    )
    theirs = settled(workload, trials=8, budget=6, slots=2, seed=3, controls=0.25, timeout=60.0)
    assert json.dumps(ours.attributes()) == json.dumps(theirs.attributes())
    for name in ("trials", "budget", "slots", "seed", "controls", "timeout"):
        value = getattr(ours, name)
        assert value == getattr(theirs, name)
        assert type(value) in (int, float)


@pytest.mark.parametrize("whole", KINDS)
def test_a_workload_declares_python_numbers(whole):
    @search.workload(
        metric="error", direction="minimize", budget=whole(6), base_lr=(np.float32(0.5), whole(1))
    )
    def train(run):
        pass

    assert type(train.budget) is int
    told = Declaration.of(train).to_dict()
    assert json.loads(json.dumps(told))["base_lr"] == [0.5, 1.0]


@pytest.mark.parametrize("whole", KINDS)
def test_pruners_and_clusters_take_them(whole):
    assert repr(search.RestartAwarePruner(whole(60), reduction_factor=whole(3))) == repr(
        search.RestartAwarePruner(60, reduction_factor=3)
    )
    names = ("workers", "cpus_per_worker", "gpus_per_worker")
    theirs, ours = (
        cluster_of(SweepConfig(engine="ray", address="x", **dict(zip(names, numbers, strict=True))))
        for numbers in ((whole(2), np.float64(0.5), whole(1)), (2, 0.5, 1))
    )
    assert repr(theirs) == repr(ours)


def test_confirming_takes_them(tmp_path):
    url = f"sqlite:///{tmp_path}/none.db"
    with pytest.raises(ValueError, match="no"):  # such storage, which is looked for after the arguments
        search.confirm("x", storage=url, top=np.int64(3), seeds=np.array(8), troughs=np.uint8(2))
    with pytest.raises(ValueError, match="top"):
        search.confirm("x", storage=url, top=np.float64(3.0))


@pytest.mark.parametrize("truth", [True, np.True_, np.array(True)])
def test_truth_values_are_no_numbers(truth):
    assert number(truth) is None
    for refused, name in (
        (lambda: sgdr.WarmRestarts(0.1, truth), "T_0"),
        (lambda: sgdr.Warmup(sgdr.WarmRestarts(0.1, 10), truth), "steps"),
        (lambda: search.Space(T_0=(truth, 4)), "T_0"),
        (lambda: search.Space(T_mult=truth), "T_mult"),
        (lambda: settled(trials=truth), "trials"),
        (lambda: settled(slots=truth), "slots"),
        (lambda: settled(controls=truth), "controls"),
        (lambda: settled(timeout=truth), "timeout"),
        (lambda: search.RestartAwarePruner(truth), "budget"),
    ):
        with pytest.raises(ValueError, match=name):
            refused()


def test_arrays_of_several_numbers_are_no_number():
    for refused in (
        lambda: settled(trials=np.array([8])),
        lambda: sgdr.WarmRestarts(0.1, 10).cycle(np.array([3])),
        lambda: search.Space(hparams={"n": np.array([1, 4])}),
    ):
        with pytest.raises(ValueError, match=r"trials|step|n="):
            refused()


def test_plain_reaches_into_tuples_and_lists():
    values = (np.int8(1), [np.float32(0.5), np.bool_(True)], np.array([1, 2]), "log", None, np.longdouble(2))
    assert plain(values) == (1, [0.5, True], [1, 2], "log", None, 2.0)
    assert [type(value) for value in plain(values)] == [int, list, list, str, type(None), float]
