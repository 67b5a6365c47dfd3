import sys

import numpy as np
import optuna
import pytest

from experiments.bench import process
from experiments.bench.peers import space
from experiments.bench.peers.training import Trainer, warm_restarts
from sgdr.schedule import WarmRestarts
from sgdr.workloads.digits import digits

POINT = {"base_lr": 0.1, "T_0": 2, "T_mult": 2, "eta_ratio": 0.01}


def test_searches_the_range_of_the_workload():
    assert digits().base_lr == space.BASE_LR
    trial = optuna.trial.FixedTrial(POINT)
    assert space.suggest(trial, epochs=100) == POINT


@pytest.mark.parametrize(("T_0", "T_mult"), [(1, 1), (3, 1), (2, 2), (1, 3), (100, 1)])
def test_trains_on_the_same_schedule(T_0, T_mult):
    steps = np.arange(2000)
    schedule = warm_restarts(0.1, T_0, T_mult, 0.01, steps_per_epoch=20, steps=2000)
    ours = WarmRestarts(0.1, T_0, T_mult, 0.001).scaled(20)
    np.testing.assert_allclose(schedule(steps), ours(steps), atol=1e-7)


@pytest.mark.slow
def test_compiles_what_the_schedule_changes():
    trainer = Trainer(digits(), epochs=3)
    first, second = (trainer.train({**POINT, "T_0": T_0}, seed=0) for T_0 in (2, 3))
    assert first.compilations == 2  # the initial state, and the epoch
    assert second.compilations == 1
    assert 0 < first.value < 0.9
    assert trainer.train(POINT, seed=0).value == first.value


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["optuna_loop", "--storage", "sqlite://"], ["ray_tune", "--reuse-actors"]],
    ids=["optuna", "ray"],
)
def test_a_search_as_a_process(command, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 60.0)  # on a busy machine Ray's processes end late
    module, *options = command
    peer = [sys.executable, "-m", f"experiments.bench.peers.{module}"]
    finished = process.run([*peer, "--trials", "2", "--epochs", "2", *options])
    assert finished.report["trials"] == 2
    assert finished.report["compilations"] >= 3
    assert 0 <= finished.report["best"] <= 1
    assert sum(finished.report["timing"].values()) < finished.wall
