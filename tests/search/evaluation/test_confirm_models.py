"""Confirmations of workloads of every form: what is carried over to them, and the models that are kept."""

import importlib
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sgdr import search
from sgdr.search.artifacts.snapshots import Snapshots, load_snapshot
from sgdr.search.evaluation.finalists import fresh_seeds
from tests.search.evaluation.known import Known, confirm, copied, luck, sweep


class Guessing:
    """Its state is its prediction of a target, with noise."""

    name, metric, direction, steps_per_epoch, budget = "guessing", "error", "minimize", 2, 6

    def init(self, key):
        return jnp.zeros(3)

    def update(self, state, lr, step, key, hparams):
        noise = luck(jax.random.key_data(key).ravel()[-1].astype(jnp.uint32), lr)
        return state + 0.1 * lr * (1 - state + jnp.stack([noise, -noise, noise]))

    def predict(self, state):
        return state

    def score(self, predictions):
        return {"error": jnp.mean((predictions - 1) ** 2)}

    def evaluate(self, state):
        return self.score(self.predict(state))


def supervised():
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 4)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int32)
    return search.Supervised(
        "small",
        params=lambda key: 0.1 * jax.random.normal(key, (4, 2)),
        apply=lambda params, x: x @ params,
        train=(x[:40], y[:40]),
        valid=(x[40:], y[40:]),
        optimizer=optax.sgd,
        batch_size=20,
        budget=6,
        base_lr=(0.01, 1.0),
    )


# Other forms of workloads and spaces


def test_the_workloads_own_values_are_carried_over(tmp_path):
    workload = Known(spread=0.0, hparams={"weight": (0.0, 1.0), "offset": [0.25, 0.5]})
    url = f"sqlite:///{tmp_path}/s.db"
    study = sweep(url, workload)
    verdict = confirm(url, workload, seeds=2)
    params = {trial.number: trial.params for trial in study.frozen}
    for candidate in verdict.candidates:
        assert candidate.hparams == {name: params[candidate.number][name] for name in ("weight", "offset")}
        assert candidate.mean == pytest.approx(1 + sum(candidate.hparams.values()), rel=1e-5)
        assert candidate.mean == pytest.approx(candidate.searched, rel=1e-5)


def test_in_a_closed_space_every_trial_ends_at_its_own_last_trough(tmp_path):
    workload, url = Known(rise=-0.01, spread=0.0, budget=8), f"sqlite:///{tmp_path}/s.db"
    study = sweep(url, workload, objective="final", space=search.Space(closed=True, T_mult=(1, 2, 3)), seed=2)
    budgets = {best.number: best.budget for best in study.ranked()}
    assert len(set(budgets.values())) > 1
    for candidate in confirm(url, workload, top=9, seeds=2).candidates:
        assert candidate.mean == pytest.approx(1 - 0.02 * budgets[candidate.number])


MODULE = '''
import os
from sgdr import WarmRestarts, search

@search.workload(metric="error", direction="minimize", budget=4, hparams={"weight": (0.0, 1.0)})
def luck(run):
    """Restarts make it 0.5 lower."""
    if os.path.exists(os.environ.get("BROKEN", "nowhere")):
        raise RuntimeError("the disk is away\\nfor now")
    restarted = bool(run.schedule.restarts(until=run.budget)) and run.schedule.eta_min < run.schedule.base_lr
    for epoch in range(1, run.budget + 1):
        run.report(epoch, 1 + run.hparams["weight"] / 100 + (run.seed % 97) / 1000 - 0.5 * restarted)
'''


@pytest.fixture(scope="module")
def swept_function(tmp_path_factory):
    """A function as workload, and the file of a study of it, only to be read."""
    folder = tmp_path_factory.mktemp("function")
    name = f"luck_{os.getpid()}_{folder.name}"
    (folder / f"{name}.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        function = importlib.import_module(name).luck
        sweep(f"sqlite:///{folder}/s.db", function, trials=8, slots=2)
        yield function, folder / "s.db"
    del sys.modules[name]


def test_a_function_is_confirmed_in_processes_of_its_own(swept_function, tmp_path):
    function, file = swept_function
    url = copied(file, tmp_path)
    verdict = confirm(url, function, top=1, seeds=12, slots=2)
    assert verdict.decision == "restarts help"
    for candidate in verdict.candidates:
        own = 1 + candidate.hparams["weight"] / 100 - 0.5 * (candidate.arm == "restarts")
        assert candidate.values == pytest.approx({seed: own + seed % 97 / 1000 for seed in candidate.values})
        assert candidate.ensemble is None


def test_a_failed_training_is_told_in_a_line_and_tried_again_next_time(swept_function, tmp_path, monkeypatch):
    function, file = swept_function
    url = copied(file, tmp_path)
    broken = tmp_path / "broken"
    broken.touch()
    monkeypatch.setenv("BROKEN", str(broken))
    with pytest.raises(RuntimeError, match=r"no candidate could be trained again: RuntimeError: the disk is"):
        confirm(url, function, top=1, seeds=2, slots=2)
    assert all(candidate.failed.count("\n") == 0 for candidate in search.load("s", url).verdict.candidates)
    broken.unlink()
    assert all(
        candidate.failed is None for candidate in confirm(url, function, top=1, seeds=2, slots=2).candidates
    )


# Snapshots


@pytest.mark.parametrize(
    "objective",
    [
        "best-epoch",
        *(pytest.param(objective, marks=pytest.mark.slow) for objective in ("best-trough", "final")),
    ],
)
def test_models_at_the_last_troughs_and_of_the_value_are_kept_and_restore_to_it(tiny, tmp_path, objective):
    url, workload = f"sqlite:///{tmp_path}/s.db", tiny.workload
    study = sweep(url, workload, trials=8, objective=objective)
    verdict = confirm(url, workload, top=1, seeds=4, troughs=2)
    assert study.snapshot_folder.parent == tmp_path / "s.db.snapshots"
    stored = Snapshots(study.snapshot_folder)
    for candidate in verdict.candidates:
        first = fresh_seeds(study, 1)[0]
        snapshots = stored.of(candidate.number)
        assert {snapshot.seed for snapshot in snapshots} == {first}
        troughs = candidate.schedule.troughs(budget=6)[-2:]
        epochs = {snapshot.epoch for snapshot in snapshots}
        assert set(troughs) <= epochs and len(epochs - set(troughs)) <= 1
        assert candidate.values[first] in {snapshot.values["error"] for snapshot in snapshots}
        for snapshot in snapshots:
            scores = jax.jit(workload.evaluate)(load_snapshot(snapshot.path, workload))
            assert {name: float(value) for name, value in scores.items()} == pytest.approx(
                dict(snapshot.values), rel=1e-6
            )
        assert candidate.ensemble is None  # it has no predictions
    names = {path.name for path in study.snapshot_folder.iterdir()}
    assert len(names) == len(stored.all())  # nothing else is left there


@pytest.mark.parametrize("made", [Guessing, pytest.param(supervised, marks=pytest.mark.slow)])
def test_the_ensemble_of_the_last_troughs_is_told_without_training_again(tmp_path, trained, made):
    """It is told beside the best model."""
    url, workload = f"sqlite:///{tmp_path}/s.db", made()
    study = sweep(url, workload, trials=8)
    verdict = confirm(url, workload, top=1, seeds=4, troughs=3)
    first = fresh_seeds(study, 1)[0]
    for candidate in verdict.candidates:
        troughs = candidate.schedule.troughs(budget=6)[-3:] or [6]  # a line has no trough but its end
        assert candidate.ensemble["troughs"] == len(troughs)
        assert candidate.ensemble["single"] == candidate.values[first]
        paths = [s.path for s in Snapshots(study.snapshot_folder).of(candidate.number) if s.epoch in troughs]
        predictions = jnp.mean(
            jnp.stack([workload.predict(load_snapshot(path, workload)) for path in paths]), 0
        )
        assert candidate.ensemble["ensemble"] == pytest.approx(float(workload.score(predictions)["error"]))
    assert search.load("s", url).verdict == verdict
    trained.clear()
    assert confirm(url, workload, top=1, seeds=4, troughs=3) == verdict and trained == []


def test_no_models_are_kept_where_none_are_asked_for_and_they_can_be_had_later(url, trained):
    first = confirm(url, Known(), seeds=4, troughs=0)
    study = search.load("s", url)
    assert not study.snapshot_folder.exists()
    trained.clear()
    assert confirm(url, Known(), seeds=4, troughs=1) == first
    assert {seed for _, seed in trained} == {fresh_seeds(study, 1)[0]}
    assert study.snapshot_folder.exists()


def test_deleting_the_study_deletes_its_models_and_no_others(url):
    confirm(url, Known(), seeds=2)
    folder = search.load("s", url).snapshot_folder
    (folder / "notes.txt").write_text("mine")
    assert Snapshots(folder).all()
    search.delete("s", url)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_costs_the_models_alone(url):
    folder = search.load("s", url).snapshot_folder
    folder.parent.write_text("in the way")
    remarks = []
    verdict = confirm(url, Known(), seeds=2, callback=search.Callback(on_remark=remarks.append))
    assert verdict.best is not None
    assert any("snapshot of trial" in remark and "is not kept" in remark for remark in remarks)
