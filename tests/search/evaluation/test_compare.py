"""Comparisons: any schedules on the same seeds, and what the tables say of them."""

from __future__ import annotations

import importlib
import math
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import psutil
import pytest
from scipy import stats

from sgdr import WarmRestarts, search
from sgdr.relatives import OneCycle, StepDecay
from sgdr.search.backend.compilations import compilations
from sgdr.search.evaluation.comparison import Compared, Comparison

BUDGET = 6


class Sums:
    """Its error is the sum of all rates so far, and a number that depends on the seed."""

    name = "sums"
    metric = "error"
    direction = "minimize"
    steps_per_epoch = 2
    budget = BUDGET

    def init(self, key: jax.Array) -> jax.Array:
        return jax.random.uniform(key)

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> jax.Array:
        return state + lr

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"error": state}

    def predict(self, state: Any) -> jax.Array:
        return state[None]

    def score(self, predictions: Any) -> dict[str, jax.Array]:
        return {"error": predictions[0]}


class Rising(Sums):
    """The higher the better; epochs are chosen by another value, which falls; and it takes a value."""

    metric = "accuracy"
    direction = "maximize"
    select_metric = "select"
    hparams: ClassVar = {"bonus": (0.0, 9.0)}

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> jax.Array:
        return state + lr + hparams["bonus"]

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"accuracy": state, "select": -state}

    def score(self, predictions: Any) -> dict[str, jax.Array]:
        return self.evaluate(predictions[0])


SCHEDULES = {
    "restarts": WarmRestarts(0.1, 1, 2),  # troughs at 1 and 3
    "equal": WarmRestarts(0.1, 2, 1, 0.01),  # at 2, 4 and 6
    "one cycle": OneCycle(0.2, BUDGET),
    "steps": StepDecay(0.1, (2, 4), 0.2),
    "mine": lambda epochs: 0.1 / (1 + epochs),
    "too high": StepDecay(3e38, ()),
}


def sums(name: str) -> np.ndarray[Any, Any]:
    """The sum of the rates of a schedule after every epoch."""
    schedule = SCHEDULES[name]
    return np.cumsum(schedule(np.arange(2 * BUDGET) / 2))[1::2]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return search.compare(Sums(), SCHEDULES, seeds=3, objective="final", ensembles=(1, 3, None))


def noise(comparison: Comparison) -> np.ndarray[Any, Any]:
    """What each seed adds, by the curve of one schedule."""
    return (comparison.values["steps"] - sums("steps")[-1]).to_numpy()


def test_every_schedule_is_trained_as_it_is_on_the_same_seeds(comparison: Comparison) -> None:
    assert list(comparison.values) == list(SCHEDULES) == list(comparison.names)
    assert len(set(noise(comparison))) == 3
    for name in ("restarts", "equal", "one cycle", "steps", "mine"):
        expected = sums(name)[-1] + noise(comparison)
        np.testing.assert_allclose(comparison.values[name], expected, rtol=1e-5)


def test_a_run_that_diverges_counts_as_the_worst_value_that_there_was(comparison: Comparison) -> None:
    worst = max(sums(name)[-1] for name in SCHEDULES if name != "too high") + noise(comparison).max()
    assert comparison.values["too high"].tolist() == pytest.approx([worst] * 3)
    table = comparison.table().set_index("name")
    assert table["diverged"].to_dict() == {**dict.fromkeys(SCHEDULES, 0), "too high": 3}
    assert math.isnan(table.loc["too high", "median epoch"])


def test_the_table_has_means_and_intervals(comparison: Comparison) -> None:
    table = comparison.table().set_index("name")
    assert list(table.index) == list(SCHEDULES)
    values = comparison.values["equal"].to_numpy()
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    row = table.loc["equal"]
    assert [row["mean"], row["low"], row["high"]] == pytest.approx([values.mean(), low, high])
    assert row["seeds"] == 3 and row["median epoch"] == BUDGET
    text = str(comparison)
    assert text.startswith(
        "error (minimize), final of 6 epochs; means of 3 paired seeds with 95 % intervals\n"
    )
    assert "nan" not in text.lower() and all(name in text for name in SCHEDULES)


def test_differences_are_paired(comparison: Comparison) -> None:
    difference = comparison.difference("steps", "mine")
    gap = sums("steps")[-1] - sums("mine")[-1]
    assert difference.mean == pytest.approx(gap, rel=1e-4) and difference.seeds == 3
    assert difference.low <= difference.mean <= difference.high
    assert difference.high - difference.low < 1e-5 < np.ptp(comparison.values["steps"])
    assert comparison.difference("mine", "steps").mean == -difference.mean
    with pytest.raises(ValueError, match="name='yours' must be one of restarts, equal"):
        comparison.difference("mine", "yours")


def test_curves_are_a_row_an_epoch(comparison: Comparison) -> None:
    curves = comparison.curves()
    assert list(curves) == ["name", "seed", "epoch", "error"]
    seeds = comparison.values.index
    for name in ("restarts", "mine"):
        for place, seed in enumerate(seeds):
            run = curves[(curves["name"] == name) & (curves["seed"] == seed)]
            assert run["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
            np.testing.assert_allclose(run["error"], sums(name) + noise(comparison)[place], rtol=1e-5)


def test_ensembles_are_of_the_models_at_the_last_troughs(comparison: Comparison) -> None:
    table = comparison.table().set_index("name")
    assert list(table)[-3:] == ["ensemble of 1", "ensemble of 3", "ensemble of all"]
    expected = {
        "restarts": ([3], None, [1, 3]),
        "equal": ([6], [2, 4, 6], [2, 4, 6]),
        "one cycle": ([6], None, [6]),
        "steps": (None, None, None),
        "mine": (None, None, None),
        "too high": (None, None, None),
    }
    for name, scores in expected.items():
        for label, epochs in zip(list(table)[-3:], scores, strict=True):
            if epochs is None:
                assert math.isnan(table.loc[name, label])
                continue
            together = np.mean([sums(name)[epoch - 1] for epoch in epochs])
            scored = comparison.ensembles[label][name]
            np.testing.assert_allclose(scored, together + noise(comparison), rtol=1e-5)
            assert table.loc[name, label] == pytest.approx(scored.mean())


def test_the_same_seed_gives_the_same_table_beside_others_and_with_more_seeds(comparison: Comparison) -> None:
    two = {name: SCHEDULES[name] for name in ("mine", "equal")}
    again = search.compare(Sums(), two, seeds=5, objective="final", slots=2)
    assert again.values[:3].equals(comparison.values[["mine", "equal"]])
    other = search.compare(Sums(), two, seeds=2, seed=1, objective="final")
    assert not set(other.values.index) & set(again.values.index)


def test_what_is_trained_is_read_by_its_select_metric_and_direction() -> None:
    result = search.compare(Rising(), {"mine": SCHEDULES["mine"]}, seeds=2, hparams={"bonus": 0.5})
    curves = result.curves()
    # The best by `select`, which falls, is the first epoch.
    first = curves[curves["epoch"] == 1]["accuracy"]
    assert result.values["mine"].tolist() == first.tolist() and result.table()["median epoch"].tolist() == [1]
    assert (curves["accuracy"] > curves["epoch"]).all()  # the bonus: 2 x 0.5 an epoch


@pytest.mark.parametrize(
    ("objective", "epochs"),
    [("best-epoch", [1, 1, 1, 1]), ("best-trough", [1, 2, 1, 1]), ("final", [6, 6, 6, 6])],
)
def test_values_are_read_by_the_objective(objective: str, epochs: list[int]) -> None:
    four = {name: SCHEDULES[name] for name in ("restarts", "equal", "one cycle", "mine")}
    result = search.compare(Sums(), four, seeds=1, objective=objective)
    assert result.table()["median epoch"].tolist() == epochs
    assert result.table()["low"].isna().all() and result.table()["high"].isna().all(), (
        "one seed has no interval"
    )
    with pytest.raises(ValueError, match="1 common seeds"):
        result.difference("equal", "mine")


def test_it_is_compiled_once_and_progress_comes_to_its_end() -> None:
    seen = []
    compilations()
    before = compilations()
    search.compare(Sums(), SCHEDULES, seeds=4, slots=2, callback=search.Callback(seen.append))
    assert compilations() - before == 1
    assert {progress.planned for progress in seen} == {4 * 6 * BUDGET}
    epochs = [progress.epochs for progress in seen]
    assert epochs == sorted(epochs) and 4 * 5 * BUDGET < epochs[-1] <= 4 * 6 * BUDGET  # some diverged


def test_where_all_diverged_there_is_no_value() -> None:
    result = search.compare(Sums(), {"too high": SCHEDULES["too high"]}, seeds=2)
    assert result.values.isna().all(axis=None) and math.isnan(result.table()["mean"][0])
    assert "2" in str(result)


def test_a_diverged_run_is_the_worst_of_an_ensemble_too() -> None:
    runs = (
        Compared("a", 1, {"error": [3.0, 1.0]}, 2, 1.0, {"ensemble of 1": 0.5}),
        Compared("a", 2, {"error": [2.0, math.inf]}, None),
        Compared("b", 1, {"error": [5.0, 4.0]}, 2, 4.0),
        Compared("b", 2, {"error": [5.0, 4.0]}, 2, 4.0),
    )
    result = Comparison(runs, "error", "minimize", "final", 2, ("ensemble of 1",))
    assert result.values["a"].tolist() == [1.0, 5.0]
    assert result.ensembles["ensemble of 1"]["a"].tolist() == [0.5, 5.0]
    assert result.ensembles["ensemble of 1"]["b"].isna().all()
    best = Comparison(runs, "error", "maximize", "final", 2)
    assert best.values["a"].tolist() == [1.0, 1.0]


MODULE = """
import os
from sgdr import search

class Own:
    def __init__(self, rate):
        self.rate = rate
    def __call__(self, step):
        return self.rate / (1 + step)

class Foreign(Own):
    def __reduce__(self):
        return missing, ()

def missing():
    raise FileNotFoundError("no such schedule")

@search.workload(metric="error", direction="minimize", budget=3, hparams={"weight": (0.0, 1.0)})
def function(run):
    for epoch in range(1, run.budget + 1):
        run.report(epoch, run.schedule(epoch - 1) + run.hparams["weight"] + run.seed % 7)
"""


def trainers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "compared_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield importlib.import_module("compared_module")
    del sys.modules["compared_module"]


def test_functions_are_given_any_schedule_as_it_is(module: ModuleType) -> None:
    schedules = {"own": module.Own(0.1), "one cycle": OneCycle(0.2, 3), "restarts": WarmRestarts(0.1, 1.5)}
    result = search.compare(module.function, schedules, seeds=2, hparams={"weight": 2.0}, slots=2)
    for name, schedule in schedules.items():
        expected = min(schedule(epoch) for epoch in range(3))
        for seed, value in result.values[name].items():
            assert value == pytest.approx(expected + 2 + seed % 7)
    assert not trainers()
    for schedule, kind, said in (
        (lambda epoch: 0.1, ValueError, "cannot be sent to a process"),
        (
            module.Foreign(0.1),
            RuntimeError,
            "schedule 'it' could not be trained .* FileNotFoundError: no such",
        ),
    ):
        with pytest.raises(kind, match=said):
            search.compare(module.function, {"it": schedule}, seeds=1, hparams={"weight": 2.0})
    assert not trainers()


def test_ctrl_c_leaves_nothing_behind(module: ModuleType) -> None:
    def interrupt(progress: Any) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGTERM)
    own, weight = {"own": module.Own(0.1)}, {"weight": 2.0}
    with pytest.raises(KeyboardInterrupt):
        search.compare(module.function, own, hparams=weight, slots=2, callback=search.Callback(interrupt))
    with pytest.raises(KeyboardInterrupt):
        search.compare(Sums(), own, callback=search.Callback(interrupt))
    assert not trainers() and signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"schedules": {}}, r"schedules must be at least one by name, got \{\}; "),
        (
            {"schedules": [WarmRestarts(0.1, 2)]},
            r"schedules must be at least one by name, got \[WarmRestarts",
        ),
        ({"workload": None}, "workload=None has no name; "),
        ({"hparams": 3}, "hparams must be a mapping, got 3; "),
        ({"ensembles": 3}, "ensembles=3 must be a list of numbers of models; "),
        ({"schedules": {"a": 0.1}}, r"schedules must be callables by name, got 'a': 0\.1; "),
        (
            {"schedules": {1: WarmRestarts(0.1, 2)}},
            "schedules must be callables by name, got 1: WarmRestarts",
        ),
        ({"budget": 0}, "budget=0 must be a whole number"),
        ({"seeds": 0}, "seeds=0 must be a whole number"),
        ({"seed": -1}, "seed=-1 must be a whole number"),
        ({"slots": 0}, "slots=0 must be a whole number .* or 'auto'"),
        (
            {"objective": "best"},
            "objective='best' must be one of best-epoch, best-trough, final, anytime, ensemble",
        ),
        ({"hparams": {"decay": 0.1}}, r"hparams=\{'decay': 0\.1\} must have a value for each .*: none; "),
        ({"workload": Rising()}, r"hparams=\{\} must have a value for each of the workload's: bonus; "),
        ({"ensembles": (0,)}, "ensembles=0 must be a whole number of at least 1"),
        (
            {"ensembles": (1,), "workload": "digits-growing-batches"},
            r"ensembles=\(1,\) need a workload with predict",
        ),
        ({"schedules": {"a": lambda epochs: np.nan}}, r"schedule=.* must give numbers of float32, got nan"),
        ({"workload": "nothing"}, "unknown workload 'nothing'"),
    ],
)
def test_bad_arguments(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}") as raised:
        search.compare(**{"workload": Sums(), "schedules": SCHEDULES, **given})
    assert "\n" not in str(raised.value)


def test_workloads_without_predictions_have_no_ensembles(tiny: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"has no predict\(\) and score\(\)"):
        search.compare(tiny.workload, SCHEDULES, ensembles=(1,))
    assert not search.compare(tiny.workload, SCHEDULES, seeds=1, budget=2).ensembles


def test_jax_schedules_are_taken(tiny: ModuleType) -> None:
    def decay(epochs: Any) -> Any:
        return 0.1 * jnp.exp(-epochs)

    result = search.compare(tiny.workload, {"decay": decay}, seeds=1, budget=2)
    assert np.isfinite(result.values["decay"]).all()
