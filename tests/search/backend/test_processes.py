"""Callable workloads: a process a slot, the same verdicts as for a population."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import psutil
import pytest

from sgdr import WarmRestarts, search
from sgdr.search.backend.processes import ProcessSlots
from sgdr.search.backend.slots import DEATH, FINITE
from sgdr.shapes import EARLIER

MODULE = '''
import os
import signal
import sys
import time
import numpy as np
import optuna
from sgdr import search

def value(run, epoch):
    return run.schedule(epoch - 1) + run.seed % 7 + epoch / 100

@search.workload(metric="error", direction="minimize", budget=5, hparams={"weight": (0.0, 1.0)})
def good(run):
    """Trains nothing, exactly."""
    for epoch in range(1, run.budget + 1):
        run.report(epoch, value(run, epoch))

@search.workload(metric="error", direction="minimize", budget=5)
def raises(run):
    run.report(1, 0.5)
    raise RuntimeError("no such data")

@search.workload(metric="error", direction="minimize", budget=5)
def late(run):
    for epoch in range(1, run.budget + 1):
        run.report(epoch, value(run, epoch))
    raise RuntimeError("after the last report")

@search.workload(metric="error", direction="minimize", budget=5)
def stops_early(run):
    for epoch in range(1, 3 + run.seed % 3):
        run.report(epoch, value(run, epoch))
    if run.seed % 2:
        run.stop()

@search.workload(metric="error", direction="minimize", budget=5)
def gives_up(run):
    run.report(1, 0.5)
    run.report(2, 0.4)
    raise optuna.TrialPruned

@search.workload(metric="error", direction="minimize", budget=5)
def exits(run):
    run.report(1, 0.5)
    sys.exit("the data is gone")

@search.workload(metric="error", direction="minimize", budget=5)
def silent(run):
    pass

@search.workload(metric="error", direction="minimize", budget=5)
def skips(run):
    run.report(2, 0.5)

@search.workload(metric="error", direction="minimize", budget=5)
def nan(run):
    for epoch in range(1, run.budget + 1):
        run.report(epoch, float("nan") if epoch == 3 else 1.0)

@search.workload(metric="error", direction="minimize", budget=5)
def deaf(run):
    while True:
        try:
            run.report(1, 1.0)
            run.report(2, 1.0)
        except BaseException:
            time.sleep(0.1)

@search.workload(metric="error", direction="minimize", budget=4)
def dies_once(run):
    marker = os.path.join(os.environ["MARKERS"], str(run.seed))
    for epoch in range(1, run.budget + 1):
        if epoch == 3 and not os.path.exists(marker):
            open(marker, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        run.report(epoch, value(run, epoch))

@search.workload(metric="error", direction="minimize", budget=4)
def always_dies(run):
    os._exit(7)
'''

SCHEDULE = WarmRestarts(0.1, 2, 2, 0.001)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    name = f"callables_{os.getpid()}_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(name)
    del sys.modules[name]


@pytest.fixture
def slots(module: ModuleType, request: pytest.FixtureRequest) -> ProcessSlots:
    processes = ProcessSlots(getattr(module, request.param), 2, 2)
    yield processes
    processes.close()
    assert not [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/sgdr.db"


@pytest.mark.parametrize("slots", ["good"], indirect=True)
def test_reports_come_by_epoch_and_slot(slots: ProcessSlots) -> None:
    slots.fill(0, SCHEDULE, 5, 3, {"weight": 0.5})
    slots.fill(1, SCHEDULE, 2, 4, {"weight": 0.5})
    values = slots.advance(2).read()
    expected = [[SCHEDULE(e - 1) + seed % 7 + e / 100 for seed in (3, 4)] for e in (1, 2)]
    np.testing.assert_array_equal(values["error"], expected)
    slots.fill(1, SCHEDULE, 5, 9, {"weight": 0.5})
    pending = slots.advance(3)
    assert pending.read()["error"][:, 1].tolist() == [SCHEDULE(e - 1) + 2 + e / 100 for e in (1, 2, 3)]
    assert pending.failed() == {}


@pytest.mark.parametrize(
    ("slots", "text"),
    [
        ("raises", r"^RuntimeError: no such data \(\w+\.py, line 22\)\n"),
        pytest.param("exits", "SystemExit: the data is gone", marks=pytest.mark.slow),
        pytest.param("silent", "without a report", marks=pytest.mark.slow),
        pytest.param("skips", r"epoch=2\) after epoch 0", marks=pytest.mark.slow),
        ("late", None),
    ],
    indirect=["slots"],
)
def test_failure_of_the_function_is_told_with_its_reason(slots: ProcessSlots, text: str | None) -> None:
    slots.fill(0, SCHEDULE, 5, 3, {})
    pending = slots.advance(5)
    pending.read()
    if text is None:  # what comes after the last report harms neither this trial nor the next
        slots.fill(0, SCHEDULE, 5, 4, {})
        again = slots.advance(5)
        assert np.isfinite(again.read()["error"][:, 0]).all()
        assert (pending.failed(), again.failed()) == ({}, {})
    else:
        import re

        assert re.search(text, pending.failed()[0] or "")


@pytest.mark.parametrize("slots", ["always_dies"], indirect=True)
def test_death_of_a_process_is_no_error_of_the_trial(slots: ProcessSlots) -> None:
    slots.fill(1, SCHEDULE, 5, 3, {})
    pending = slots.advance(2)
    assert np.isnan(pending.read()["error"]).all()
    assert pending.failed() == {1: None}
    assert pending.said() == {1: {DEATH: "with exit code 7"}}


@pytest.mark.parametrize("slots", ["dies_once"], indirect=True)
def test_death_by_a_signal_is_told_with_its_name(
    slots: ProcessSlots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKERS", str(tmp_path))
    slots.fill(0, SCHEDULE, 4, 3, {})
    pending = slots.advance(4)
    pending.read()
    assert pending.said() == {0: {DEATH: "by signal 9 (SIGKILL): out of memory?"}}


@pytest.mark.parametrize("slots", ["deaf"], indirect=True)
def test_trial_that_does_not_hear_is_killed(slots: ProcessSlots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sgdr.search.backend.processes.STOP_SECONDS", 0.5)
    slots.fill(0, SCHEDULE, 5, 3, {})
    slots.advance(2).read()
    slots.end(0)
    slots.fill(0, SCHEDULE, 5, 3, {})
    assert np.isfinite(slots.advance(2).read()[FINITE][:, 0]).all()


def test_sweep_of_a_function(module: ModuleType, tmp_path: Path) -> None:
    result = search.sweep(module.good, trials=7, storage=storage(tmp_path), pruner="none", slots=2)
    trials = result.study.trials()
    assert trials.state.tolist() == ["COMPLETE"] * 7
    for best in result.study.top(7):
        curve = [best.schedule(e - 1) + best.seed % 7 + e / 100 for e in range(1, 6)]
        assert best.curves["error"] == curve
        assert best.value == min(curve)
        assert 0 <= best.hparams["weight"] <= 1


@pytest.mark.slow
def test_same_seed_same_sweep_with_pruning(module: ModuleType, tmp_path: Path) -> None:
    how = {"trials": 12, "slots": 3, "seed": 4, "pruner": "restart-aware"}
    tables = [
        search.sweep(module.good, storage=f"sqlite:///{tmp_path}/{n}.db", **how)
        .study.trials()
        .drop(columns=["started", "seconds"])
        for n in range(2)
    ]
    assert tables[0].equals(tables[1])
    assert "PRUNED" in set(tables[0].state)


def test_a_function_that_returns_early_has_come_to_its_end(module: ModuleType, tmp_path: Path) -> None:
    how = {"pruner": "none", "sampler": "random", "slots": 2, "shapes": EARLIER}
    study = search.sweep(module.stops_early, trials=6, storage=storage(tmp_path), **how).study
    trials = study.trials()
    assert trials.state.tolist() == ["COMPLETE"] * 6
    assert trials.epochs.tolist() == [2 + seed % 3 for seed in trials.seed] and trials.epochs.nunique() > 1
    assert study.spent == trials.epochs.sum() / 5
    for best in study.top(6):
        curve = [best.schedule(e - 1) + best.seed % 7 + e / 100 for e in range(1, 3 + best.seed % 3)]
        assert best.curves["error"] == curve and best.value == min(curve) and best.budget == 5
    assert study.answer.budget == 5
    verdict = search.confirm("stops_early", storage=storage(tmp_path), workload=module.stops_early, seeds=2)
    assert all(candidate.failed is None for candidate in verdict.candidates)


def test_a_function_may_prune_its_trial_by_itself(module: ModuleType, tmp_path: Path) -> None:
    study = search.sweep(module.gives_up, trials=2, storage=storage(tmp_path), pruner="none").study
    assert study.trials().state.tolist() == ["PRUNED"] * 2
    assert study.curve(0) == {"error": [0.5, 0.4]}
    pruned = optuna.load_study(study_name="gives_up", storage=storage(tmp_path)).trials[0]
    assert pruned.intermediate_values[2] == 0.4


def test_not_a_number_is_divergence(module: ModuleType, tmp_path: Path) -> None:
    study = search.sweep(module.nan, trials=2, storage=storage(tmp_path), pruner="none").study
    assert study.trials().state.tolist() == ["PRUNED"] * 2
    assert study.trials().diverged_at.tolist() == [3, 3]
    assert study.curve(0) == {"error": [1.0, 1.0]}


def test_trial_whose_process_died_is_trained_again(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKERS", str(tmp_path))
    how = {"pruner": "none", "sampler": "tpe", "slots": 2, "controls": 0.5, "shapes": EARLIER}
    study = search.sweep(module.dies_once, trials=4, storage=storage(tmp_path), **how).study
    trials = study.trials()
    assert (trials.state == "COMPLETE").sum() == 4
    assert study.arms["constant"] == 1
    dead = trials[trials.state == "FAIL"]
    assert len(dead) == 4
    again = trials[trials.retry_of.notna()].set_index("retry_of")
    for column in ("arm", "base_lr", "T_0", "T_mult", "eta_min", "seed"):
        assert again.loc[dead.index, column].tolist() == dead[column].tolist()


def test_function_that_always_fails_ends_the_sweep_with_its_error(module: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(search.TooManyFailures, match="no such data"):
        search.sweep(module.raises, trials=50, storage=storage(tmp_path))
    study = search.load("raises", storage(tmp_path))
    assert study.counts.get("RUNNING", 0) == 0
    assert "no such data" in study.trials().error.dropna().iloc[0]


@pytest.mark.slow
def test_process_that_always_dies_ends_the_sweep(module: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(search.TooManyFailures, match="died 3 times, the last time with exit code 7"):
        search.sweep(module.always_dies, trials=50, storage=storage(tmp_path), slots=2)
    assert search.load("always_dies", storage(tmp_path)).counts.get("RUNNING", 0) == 0


def test_local_function_is_refused_with_the_way_out(tmp_path: Path) -> None:
    @search.workload(metric="error", direction="minimize", budget=2)
    def local(run: Any) -> None:
        run.report(1, 0.0)

    with pytest.raises(ValueError, match="top level of a module"):
        search.sweep(local, trials=1, storage=storage(tmp_path))
