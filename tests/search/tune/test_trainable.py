"""The trainable without a cluster: what its steps report, and that a restored trial goes on bit for bit."""

import importlib
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ray.tune.trainable import Trainable

from sgdr import WarmRestarts, Warmup, search
from sgdr.search.artifacts.snapshots import Snapshots
from sgdr.search.backend.compilations import compilations
from sgdr.search.backend.population import Population
from sgdr.search.problem.objective import OBJECTIVES, curve_of, value

CONFIG = {"base_lr": 0.3, "T_0": 2, "T_mult": 2, "eta_ratio": 0.1}
KEYS = ("error", "select_error", "objective", "epoch", "trough", "lr", "T_0", "should_checkpoint", "done")

Start = Callable[..., Trainable]

CALLABLE = """
import os
from sgdr import search

@search.workload(metric="error", direction="minimize", budget=4, hparams={"depth": (1, 3)})
def growing(run):
    for epoch in range(1, run.budget + 1):
        if run.hparams["depth"] == 3 and epoch == 2:
            raise RuntimeError("too deep")
        if run.hparams["depth"] == 2 and epoch == 2:
            os._exit(9)
        run.report(epoch, run.schedule.base_lr / epoch + run.seed)
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Makes trainables of a class as Tune's actors do, and stops them at the end."""
    monkeypatch.setattr("ray.tune.trainable.trainable.DEFAULT_STORAGE_PATH", str(tmp_path / "results"))
    made = []

    def started(cls: type[Trainable], **config: Any) -> Trainable:
        made.append(cls({**CONFIG, **config}))
        return made[-1]

    yield started
    for trial in made:
        trial.stop()


@pytest.fixture
def growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> search.CallableWorkload:
    """A callable workload in a module of its own, as its process imports it."""
    name = f"growing_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(CALLABLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    function: search.CallableWorkload = importlib.import_module(name).growing
    return function


class Decaying:
    """Its update uses everything that it is given, and its state holds a key."""

    name = "decaying net"
    metric = "error"
    direction = "minimize"
    steps_per_epoch = 3
    budget = 9
    hparams = {"decay": (0.0, 0.1), "fixed": 0.5}  # noqa: RUF012

    def init(self, key: jax.Array) -> Any:
        return {"w": jax.random.normal(key, (5,)), "noise": jax.random.key(0)}

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        noise = jax.random.normal(key, (5,)) + jax.random.normal(state["noise"], (5,))
        slope = state["w"] - 1 + 0.1 * noise + hparams["decay"] * state["w"] * hparams["fixed"]
        return {"w": state["w"] - lr * slope, "noise": jax.random.fold_in(state["noise"], step)}

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"error": jnp.mean((state["w"] - 1) ** 2), "norm": jnp.mean(state["w"] ** 2)}


def rows(trainable: Trainable, epochs: int, keys: tuple[str, ...] = KEYS) -> list[dict[str, Any]]:
    return [{key: result[key] for key in keys} for result in (trainable.train() for _ in range(epochs))]


def test_a_trial_is_what_a_population_trains(start: Start) -> None:
    cls = search.trainable(Decaying())  # type: ignore[arg-type]
    assert cls.__name__ == "decaying_net" and "'decaying net' for 9 epochs" in str(cls.__doc__)
    reported = rows(start(cls, decay=0.05, seed=7), 9, ("error", "norm"))
    population = Population(Decaying(), 1, jax.local_devices()[:1], ["decay", "fixed"])  # type: ignore[arg-type]
    population.compile()
    population.fill(0, WarmRestarts(0.3, 2, 2, 0.03), 9, 7, {"decay": 0.05, "fixed": 0.5})
    values = population.advance(9).read()
    assert reported == [
        {name: float(values[name][epoch, 0]) for name in ("error", "norm")} for epoch in range(9)
    ]


@pytest.mark.parametrize(
    "objective",
    [
        pytest.param(objective, marks=[pytest.mark.slow] if objective != "best-trough" else [])
        for objective in OBJECTIVES
    ],
)
def test_a_result_says_where_the_trial_is_and_what_it_is_worth(
    tiny: ModuleType, start: Start, objective: str
) -> None:
    schedule = WarmRestarts(0.3, 2, 2, 0.03)
    keys = (*KEYS, *(["ensemble"] if objective == "ensemble" else []))
    reported = rows(start(search.trainable(tiny.Predicting(), budget=8, objective=objective)), 8, keys)
    troughs = [row["epoch"] for row in reported if row["trough"]]
    assert troughs == [2, 6] == schedule.troughs(budget=8)
    for epoch, row in enumerate(reported, 1):
        assert row["epoch"] == epoch and row["T_0"] == 2 and row["lr"] == schedule(epoch - 1)
        assert row["should_checkpoint"] == row["trough"] and row["done"] == (epoch == 8)
        curve, select = (
            [earlier[name] for earlier in reported[:epoch]]
            for name in (curve_of(objective, "error"), "select_error")
        )
        by = "final" if objective == "best-trough" and epoch < 2 else objective
        assert row["objective"] == value(by, curve, schedule, "minimize", select)


def test_the_end_of_a_closed_schedule_is_the_end_of_its_trial(tiny: ModuleType, start: Start) -> None:
    space = search.Space(T_0=(1, 2), closed=True)
    trial = start(search.trainable(tiny.Tiny(), budget=8, space=space))
    for cycles, length, ends in [(2, 2, [2, 6]), (3, 1, [1, 3, 7]), (1, 2, [2, 6])]:
        config = {"base_lr": 0.3, "cycles": cycles, "T_mult": 2}
        assert trial.reset({**config})
        values = []
        while not values or not values[-1]["done"]:
            values += rows(trial, 1)
        assert [row["epoch"] for row in values if row["trough"]] == ends
        assert values[-1]["epoch"] == ends[-1] and values[-1]["T_0"] == length


def test_a_restored_trial_goes_on_bit_for_bit(start: Start, tmp_path: Path) -> None:
    cls = search.trainable(Decaying())  # type: ignore[arg-type]
    keys = ("error", "norm", "objective", "epoch", "training_iteration", "trough", "lr", "done")
    first, second = start(cls, decay=0.05), start(cls, decay=0.05)
    whole = rows(first, 9, keys)
    for epochs in (1, 3, 6):
        assert first.reset({**CONFIG, "decay": 0.05})
        before = rows(first, epochs, keys)
        saved = first.save(str(tmp_path / f"checkpoint-{epochs}"))
        rows(second, 2, keys)
        second.restore(saved)
        assert before + rows(second, 9 - epochs, keys) == whole
        assert before + rows(first, 9 - epochs, keys) == whole  # saving disturbs nothing


def test_a_checkpoint_is_a_snapshot_with_its_curves(start: Start, tmp_path: Path) -> None:
    workload: Any = Decaying()
    trial = start(search.trainable(workload), decay=0.0, seed=11)
    reported = rows(trial, 4, ("error", "norm"))
    trial.save(str(tmp_path / "checkpoint"))
    [snapshot] = Snapshots(tmp_path / "checkpoint").all()
    assert (snapshot.seed, snapshot.epoch, snapshot.values) == (11, 4, reported[-1])
    curves = json.loads((tmp_path / "checkpoint" / "curves.json").read_text())
    assert curves["error"] == [row["error"] for row in reported]


def test_a_changed_config_goes_on_with_the_state_on_the_new_schedule(start: Start, tmp_path: Path) -> None:
    cls = search.trainable(Decaying())  # type: ignore[arg-type]
    first = start(cls, decay=0.05)
    reported = rows(first, 3, ("error",))
    saved = first.save(str(tmp_path / "checkpoint"))
    second = start(cls, decay=0.05, base_lr=1e-30, eta_ratio=1.2)  # as PBT may push it
    second.restore(saved)
    [after] = rows(second, 1, ("error", "lr", "epoch", "objective"))
    assert after["error"] == reported[-1]["error"] and after["epoch"] == 4 and after["lr"] == 1e-30
    assert after["objective"] == min(row["error"] for row in reported)
    assert second._seed == first._seed  # else it would draw other examples than it began with


def test_the_program_is_compiled_once_for_all_the_trials_of_an_actor(
    tiny: ModuleType, start: Start, tmp_path: Path
) -> None:
    compilations()
    trial = start(search.trainable(tiny.Tiny()))
    rows(trial, 2)
    before = compilations()
    values = []
    for number in range(5):
        assert trial.reset({"base_lr": 0.1 * (number + 1), "T_0": number + 1})
        values.append(rows(trial, 6))
    assert compilations() == before and len({row[-1]["error"] for row in values}) == 5
    saved = trial.save(str(tmp_path / "checkpoint"))
    assert compilations() == before
    for _ in range(3):
        trial.reset({**CONFIG})
        trial.restore(saved)
        rows(trial, 1)
    assert compilations() == before + 1  # the small program that puts a state into its slot


def test_equal_configs_give_equal_trials_and_others_other_ones(tiny: ModuleType, start: Start) -> None:
    trial = start(search.trainable(tiny.Tiny()))

    def errors(**config: Any) -> list[Any]:
        trial.reset({**CONFIG, **config})
        return rows(trial, 2, ("error",))

    assert errors() == errors() == errors(T_mult=2)
    seeds = [errors(seed=seed) for seed in range(3)]
    assert seeds == [errors(seed=seed, eta_ratio=0.1) for seed in range(3)]
    assert len({str(curve) for curve in [errors(), *seeds]}) == 4


@pytest.mark.parametrize("workload", ["Tiny", pytest.param("Maximized", marks=pytest.mark.slow)])
def test_a_trial_that_diverges_ends_and_is_worth_nothing(
    tiny: ModuleType, start: Start, workload: str
) -> None:
    own = getattr(tiny, workload)()
    trial = start(search.trainable(own), base_lr=1e30)
    [last] = [row for row in rows(trial, 6, (own.metric, "objective", "epoch", "done")) if row["done"]][:1]
    worst = math.inf if own.direction == "minimize" else -math.inf
    assert last[own.metric] == last["objective"] == worst and last["epoch"] < 6


def test_the_workload_travels_with_its_class(tiny: ModuleType, start: Start) -> None:
    packed = cloudpickle.dumps(search.trainable(tiny.Tiny(), budget=3))
    assert [row["done"] for row in rows(start(cloudpickle.loads(packed)), 3)] == [False, False, True]
    assert len(cloudpickle.dumps(search.trainable("digits", budget=2))) < 5_000  # not its data


def test_a_callable_workload_begins_again_where_it_is_restored(
    growing: search.CallableWorkload, start: Start, tmp_path: Path
) -> None:
    """It trains in a process, which keeps no state."""
    keys = ("error", "objective", "epoch", "trough", "should_checkpoint", "done")
    trial = start(search.trainable(growing), depth=1, seed=2)
    reported = rows(trial, 4, keys)
    assert [row["error"] for row in reported] == [0.3 / epoch + 2 for epoch in (1, 2, 3, 4)]
    assert [row["trough"] for row in reported] == [False, True, False, False]
    assert [row["done"] for row in reported] == [False, False, False, True]
    assert not any(row["should_checkpoint"] for row in reported)
    trial.reset({**CONFIG, "depth": 1, "seed": 3})
    assert rows(trial, 2, ("error",))[0] == {"error": 3.3}
    saved = trial.save(str(tmp_path / "checkpoint"))
    trial.restore(saved)
    assert rows(trial, 1, ("error", "epoch", "training_iteration"))[0] == {
        "error": 3.3,
        "epoch": 1,
        "training_iteration": 1,
    }
    trial.reset({**CONFIG, "depth": 3})
    with pytest.raises(Exception, match="RuntimeError: too deep"):
        rows(trial, 2, ("error",))
    trial.reset({**CONFIG, "depth": 2})
    with pytest.raises(Exception, match="the process of workload 'growing' died"):
        rows(trial, 2, ("error",))
    trial.reset({**CONFIG, "depth": 1, "seed": 4})
    assert rows(trial, 1, ("error",)) == [{"error": 4.3}]


def test_a_config_that_cannot_be_is_refused_by_name(start: Start) -> None:
    trial = start(search.trainable(Decaying()), decay=0.0)  # type: ignore[arg-type]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"base_lr": None}, "has no base_lr; give the peak"),
        ({"T_0": None}, "must have T_0, the epochs of the first cycle, or cycles"),
        ({"cycles": 2}, "and not both"),
        ({"T_0": 0}, "T_0"),
        ({"eta_ratio": -0.1}, r"eta_ratio=-0\.1 must not be below 0"),
        ({"seed": -1}, "seed=-1 must be a whole number of at least 0"),
        ({"seed": 2**32}, r"seed=4294967296 must be below 2\^32"),
        ({"decay": None}, "has no decay, which the workload takes"),
        (
            {"lr": 0.1},
            "config has lr, which nobody takes; give base_lr, T_0, cycles, T_mult, eta_ratio, warmup, seed",
        ),
    ]
    for change, said in cases:
        config = {**CONFIG, "decay": 0.0, **change}
        with pytest.raises(ValueError, match=said):
            trial.reset({name: value for name, value in config.items() if value is not None})


def test_values_may_stand_in_a_dict_of_their_own(start: Start) -> None:
    trial = start(search.trainable(Decaying()), decay=0.03, seed=1)  # type: ignore[arg-type]
    by_name = rows(trial, 2, ("error",))
    trial.reset({**CONFIG, "hparams": {"decay": 0.03, "fixed": 0.5}, "seed": 1})
    assert rows(trial, 2, ("error",)) == by_name
    trial.reset({**CONFIG, "hparams": {"decay": 0.03, "fixed": 0.1}, "seed": 1})
    assert rows(trial, 2, ("error",)) != by_name


class Colliding(Decaying):
    name = "colliding"
    metric = "lr"

    def init(self, key: jax.Array) -> Any:
        return {"w": jnp.zeros(1)}

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        return state

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"lr": jnp.mean(state["w"])}


class Seeded(Decaying):
    hparams = {"seed": (0, 1)}  # noqa: RUF012


def in_main(run: search.Run) -> None:
    """Not called."""


def main_workload() -> search.CallableWorkload:
    wrapped = search.workload(metric="error", direction="minimize", budget=2)(in_main)
    in_main.__module__ = "__main__"
    return wrapped


def test_names_of_results_are_not_a_workloads(start: Start) -> None:
    trial = start(search.trainable(Colliding()), decay=0.0)  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="workload 'colliding' reports lr, which names a part of the results"
    ):
        trial.train()


@pytest.mark.parametrize(
    ("workload", "options", "said"),
    [
        ("nothing", {}, "unknown workload 'nothing'"),
        (3, {}, "workload=3 has no init, update and evaluate"),
        ("digits", {"budget": 0}, "budget=0 must be a whole number"),
        ("digits", {"objective": "best"}, "objective='best' must be one of best-epoch"),
        (
            "digits",
            {"space": search.Space(hparams={"depth": 1})},
            "hparams depth: workload 'digits' takes none",
        ),
        (Seeded(), {}, "its value 'seed' has a name of the config; rename it"),
        (main_workload(), {}, "workload 'in_main' is defined in the main script"),
    ],
)
def test_bad_arguments_are_refused_by_name(workload: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        search.trainable(workload, **options)


def test_a_checkpoint_that_is_cut_short_or_of_another_workload_is_refused(
    tiny: ModuleType, start: Start, tmp_path: Path
) -> None:
    trial = start(search.trainable(tiny.Tiny()))
    rows(trial, 2)
    folder = tmp_path / "checkpoint"
    saved = trial.save(str(folder))
    other = start(search.trainable(Decaying()), decay=0.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="does not fit workload 'decaying net'"):
        other.restore(saved)
    [path] = folder.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="has no snapshot that can be read"):
        trial.restore(saved)


def test_a_trial_that_has_trained_nothing_is_saved_as_one_to_begin(
    tiny: ModuleType, start: Start, tmp_path: Path
) -> None:
    trial = start(search.trainable(tiny.Tiny()))
    whole = rows(trial, 6)
    trial.reset({**CONFIG})
    saved = trial.save(str(tmp_path / "checkpoint"))
    rows(trial, 3)
    trial.restore(saved)
    assert rows(trial, 6) == whole
    assert np.isfinite([row["error"] for row in whole]).all()


def test_a_warm_up_comes_before_the_schedule(tiny: ModuleType, start: Start) -> None:
    schedule = Warmup(WarmRestarts(0.3, 2, 2, 0.03), 2)
    objective = "best-trough"
    reported = rows(start(search.trainable(tiny.Tiny(), budget=8, objective=objective), warmup=2, seed=7), 8)
    assert [row["epoch"] for row in reported if row["trough"]] == [4, 8] == schedule.troughs(budget=8)
    assert [row["lr"] for row in reported] == [schedule(epoch) for epoch in range(8)]
    assert {row["T_0"] for row in reported} == {2} and reported[0]["error"] == reported[0]["objective"]
    fixed = start(search.trainable(tiny.Tiny(), budget=8, space=search.Space(warmup=2)), seed=7)
    assert rows(fixed, 8, ("error", "lr")) == [{key: row[key] for key in ("error", "lr")} for row in reported]
    with pytest.raises(ValueError, match="warmup=8 leaves no epoch of the budget of 8"):
        start(search.trainable(tiny.Tiny(), budget=8), warmup=8)
