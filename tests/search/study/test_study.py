"""What is read back of a study: the best, tables, attributes; and that others' studies are left alone."""

import contextlib
import itertools
import json
import os
import shutil
import sqlite3
import threading
from datetime import datetime

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from experiments.bench.filled import drawn, fill, settings_of
from sgdr import WarmRestarts, search
from sgdr.search.problem.declaration import Declaration
from sgdr.search.storage.connect import StorageError, open_storage
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.reader import BulkReader
from sgdr.search.storage.schema import BEGUN
from sgdr.search.storage.writer import writer
from sgdr.search.strategy.quasi_random import spread
from sgdr.search.study.columns import COLUMNS, flat_row
from sgdr.search.study.study import Study
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.coordinator import AloneCoordinator
from sgdr.search.sweeps.create_study import create_study
from sgdr.search.sweeps.extent import TrialExtent
from sgdr.search.sweeps.settings import resolve
from sgdr.shapes import EARLIER as ARMS

DEFAULTS = {
    "trials": 4,
    "budget": None,
    "space": None,
    "objective": "best-epoch",
    "pruner": "none",
    "sampler": "random",
    "slots": 1,
    "controls": 0.25,
    "seed": 7,
    "timeout": None,
}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/s.db"


def write(url, workload, *outcomes, name="s", arms=("restarts",)):
    """A study as a sweep writes it, of trials that ended so: a value, a state or an error; `arms` in turn."""
    settings = resolve(Declaration.of(workload), SweepConfig(**DEFAULTS))
    storage = open_storage(url, create=True)
    create_study(storage, name, settings, resume=False)
    coordinator = AloneCoordinator(storage, name)
    for claim, outcome in zip(
        coordinator.claim(len(outcomes), TrialExtent(len(outcomes))), outcomes, strict=True
    ):
        arm = arms[claim.number % len(arms)]
        distributions = settings.space.distributions(settings.budget, arm)
        params = spread(distributions, claim.number, seed=0)
        schedule, _ = settings.space.schedule(params, settings.budget)
        fields = {name: getattr(schedule, name) for name in ("base_lr", "T_0", "T_mult", "eta_min")}
        attributes = {"schedule": fields, "arm": arm, "seed": claim.number}
        trial = coordinator.log.begin(claim, params, distributions, attributes)
        if isinstance(outcome, float):
            curve = [outcome + 1, outcome, outcome + 2]
            if workload.direction == "maximize":
                curve = [outcome - 1, outcome, outcome - 2]
            curves = dict.fromkeys((workload.metric, workload.select_metric or workload.metric), curve)
            coordinator.log.end(trial, TrialState.COMPLETE, outcome, {"curve": curves, "seconds": 0.5})
        elif outcome == "pruned":
            curves = {workload.metric: [3.0]}
            coordinator.log.end(
                trial, TrialState.PRUNED, None, {"curve": curves, "seconds": 0.1, "diverged_at": 2}
            )
        elif outcome is not None:
            coordinator.log.end(trial, TrialState.FAIL, None, {"error": outcome})
    coordinator.log.close()
    return search.load(name, url)


def test_the_best_and_the_top_are_ordered_and_of_equals_the_earlier_comes_first(url, tiny):
    study = write(url, tiny.workload, 3.0, 1.0, "pruned", 2.0, 1.0, "oops")
    assert [(best.number, best.value) for best in study.top(10)] == [(1, 1.0), (4, 1.0), (3, 2.0), (0, 3.0)]
    assert [best.number for best in study.top(2)] == [1, 4]
    best = study.best
    assert (best.number, best.value, best.epoch, best.budget, best.seed) == (1, 1.0, 2, 3, 1)
    assert best.schedule == WarmRestarts(**study.frozen[1].user_attrs["schedule"])
    assert best.curves["error"][best.epoch - 1] == best.value


def test_arms_are_counted_by_finished_trials_and_told_of_each(url, tiny):
    arms = ("restarts", "constant", "cosine")
    study = write(url, tiny.workload, 3.0, 1.0, 2.0, "pruned", "oops", None, 4.0, arms=arms)
    assert study.arms == {"restarts": 3, "cosine": 1, "constant": 1} and list(study.arms) == list(ARMS)
    assert study.trials()["arm"].tolist() == [arms[number % 3] for number in range(7)]
    assert [best.arm for best in study.top(4)] == ["constant", "cosine", "restarts", "restarts"]
    assert write(url, tiny.workload, "oops", name="other").arms == {}


def test_the_arm_of_a_trial_that_does_not_name_it_is_what_its_schedule_does(url, tiny):
    study = write(url, tiny.workload, 1.0, 2.0, 3.0, arms=ARMS)
    study.frozen[0].user_attrs["schedule"] |= {"T_0": 1, "T_mult": 1}
    for trial in study.frozen:
        del trial.user_attrs["arm"]  # as in a study of before there were arms
    assert [best.arm for best in study.top(3)] == list(ARMS)


def test_a_maximized_metric_is_ordered_from_the_highest(url, tiny):
    study = write(url, tiny.Maximized(), 0.3, 0.9, 0.5)
    assert [best.value for best in study.top(3)] == [0.9, 0.5, 0.3]
    assert study.best.epoch == 2


def test_trials_are_a_table_with_a_row_each(url, tiny):
    table = write(url, tiny.workload, 1.0, "pruned", "oops", None).trials()
    assert table.index.name == "number" and table.index.tolist() == [0, 1, 2, 3]
    assert table["state"].tolist() == ["COMPLETE", "PRUNED", "FAIL", "RUNNING"]
    assert table["value"].tolist()[0] == 1.0 and table["value"].isna().tolist() == [False, True, True, True]
    assert table["epochs"].tolist() == [3, 1, 0, 0]
    assert table["diverged_at"].isna().tolist() == [True, False, True, True] and table["diverged_at"][1] == 2
    assert table["error"].tolist()[2] == "oops" and table["seed"].tolist() == [0, 1, 2, 3]
    assert (table["base_lr"] > 0).all() and table["T_0"].between(1, 6).all()
    assert (table["arm"] == "restarts").all()


@pytest.mark.parametrize("outcomes", [(), ("pruned",), ("oops", "oops"), (1.0, "pruned", "oops", None)])
def test_tables_have_the_same_types_whatever_there_is(url, tiny, outcomes):
    study = write(url, tiny.workload, *outcomes)
    trials, curves = study.trials(), study.curves()
    assert len(trials) == len(outcomes)
    whole = ("T_0", "T_mult", "seed", "epochs", "diverged_at", "retry_of")
    assert all(trials[name].dtype == pd.Int64Dtype() for name in whole)
    assert all(trials[name].dtype == "float64" for name in ("value", "base_lr", "eta_min", "seconds"))
    assert {"state", "arm", "started", "error"} <= set(trials.columns)
    assert all(curves[name].dtype == "int64" for name in ("number", "epoch"))
    assert len(curves) == sum({1.0: 3, "pruned": 1}.get(outcome, 0) for outcome in outcomes)


@pytest.mark.parametrize("others", [(), (0.5,)])
def test_a_length_that_is_not_whole_makes_its_column_real(url, tiny, others):
    study = write(url, tiny.workload, 1.0, *others)
    study.frozen[0].user_attrs[BEGUN]["T_0"] = 2.5  # as of a start
    trials = study.trials()
    assert trials["T_0"].dtype == "float64" and trials["T_0"][0] == 2.5
    assert trials["T_mult"].dtype == pd.Int64Dtype()


def test_of_a_trial_that_has_everything_no_cell_is_empty(url, tiny):
    write(url, tiny.workload)
    study = optuna.load_study(study_name="s", storage=url)
    schedule = {"base_lr": 0.1, "T_0": 2, "T_mult": 1, "eta_min": 0.01}
    attributes = {"schedule": schedule, "arm": "restarts", "seed": 0, "retry_of": 0, "epochs": 3}
    attributes |= {"diverged_at": 3, "seconds": 0.5, "error": "oops", "curve": {"error": [1.0, 1.0, 1.0]}}
    study.add_trial(create_trial(value=1.0, user_attrs=attributes))
    (row,) = search.load("s", url).rows
    assert row.keys() == {*COLUMNS, "hparams"} and not row["foreign"]
    assert [name for name, cell in row.items() if cell is None] == []


def test_curves_have_a_row_an_epoch_of_a_trial(url, tiny):
    curves = write(url, tiny.workload, 1.0, "pruned", 2.0).curves()
    assert curves["number"].tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert curves["epoch"].tolist() == [1, 2, 3, 1, 1, 2, 3]
    assert curves["error"].tolist() == [2.0, 1.0, 3.0, 3.0, 3.0, 2.0, 4.0]
    assert curves["select_error"].isna().tolist() == [False, False, False, True, False, False, False]


def test_without_a_completed_trial_there_is_no_best_and_that_is_said(url, tiny):
    study = write(url, tiny.workload, "pruned", "oops")
    assert study.top(3) == [] and study.counts == {"PRUNED": 1, "FAIL": 1}
    with pytest.raises(ValueError, match="'s' has no completed trial yet"):
        study.best  # noqa: B018
    with pytest.raises(ValueError, match="k=0 must be at least 1"):
        study.top(0)


def test_its_attributes_say_how_it_was_made(url, tiny):
    attributes = write(url, tiny.workload).attributes
    assert {
        "workload": "tiny",
        "budget": 6,
        "objective": "best-epoch",
        "metric": "error",
        "select_metric": "select_error",
        "direction": "minimize",
        "steps_per_epoch": 2,
        "pruner": "NopPruner",
        "sampler": "random",
        "controls": 0.25,
        "seed": 7,
    }.items() <= attributes.items()
    assert attributes["space"] == search.Space().resolved(tiny.workload, 6).to_dict()
    assert set(attributes["versions"]) == {"python", "sgdr", "jax", "jaxlib", "optax", "optuna", "numpy"}


def test_optuna_reads_it_as_it_stands(url, tiny):
    write(url, tiny.workload, 3.0, 1.0, "pruned")
    study = optuna.load_study(study_name="s", storage=url)
    assert study.best_trial.number == 1 and study.best_value == 1.0
    assert set(study.best_params) == {"base_lr", "T_0", "T_mult", "eta_ratio"}
    schedule = study.best_trial.user_attrs["schedule"]
    assert set(schedule) == {"base_lr", "T_0", "T_mult", "eta_min"}
    assert schedule["T_0"] == study.best_params["T_0"]
    assert len(study.trials_dataframe()) == 3


def test_unknown_studies_and_storages_are_named(url, tiny):
    with pytest.raises(ValueError, match="does not exist"):
        search.load("s", url)
    write(url, tiny.workload, name="mine")
    with pytest.raises(ValueError, match=f"no study 's' in {url}; there is 'mine'"):
        search.load("s", url)
    with pytest.raises(ValueError, match="no study 's'"):
        search.delete("s", url)


def test_studies_of_others_are_left_alone(url, tiny):
    write(url, tiny.workload, name="mine")
    foreign = optuna.create_study(study_name="foreign", storage=url)
    foreign.set_user_attr("workload", "of another tool")
    foreign.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert [study.name for study in search.studies(url)] == ["mine"]
    with pytest.raises(ValueError, match="was not made by sgdr"):
        search.load("foreign", url)
    search.delete("mine", url)
    assert optuna.get_all_study_names(url) == ["foreign"]


def test_a_study_that_is_being_swept_is_not_deleted(url, tiny):
    write(url, tiny.workload, 1.0)
    storage = open_storage(url)
    lease = Lease(storage, storage.get_study_id_from_name("s"))
    with pytest.raises(ValueError, match="'s' is being swept right now"):
        search.delete("s", url)
    lease.end()
    search.delete("s", url)
    assert search.studies(url) == []


def test_the_environment_names_the_default_storage(url, tiny, monkeypatch):
    write(url, tiny.workload, name="mine")
    monkeypatch.setenv("SGDR_STORAGE", url)
    assert search.load("mine").url == url and [study.name for study in search.studies()] == ["mine"]


@pytest.mark.slow
def test_outcomes_tell_what_the_states_do_not(tmp_path, tiny):
    class Diverging(type(tiny.workload)):
        def evaluate(self, state):
            return {name: value * float("nan") for name, value in super().evaluate(state).items()}

    diverging = Diverging()
    study = search.sweep(diverging, trials=3, storage=f"sqlite:///{tmp_path}/d.db", study="d", slots=2).study
    assert study.outcomes == {"diverged": 3}
    with pytest.raises(ValueError, match=r"3 diverged, the first at epoch 1: lower base_lr, or look for NaN"):
        _ = study.best


# Reading on


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory):
    """A file with a study `s` as a sweep of digits writes it, of 80 trials; only to be read."""
    path = tmp_path_factory.mktemp("filled") / "filled.db"
    fill(f"sqlite:///{path}", "s", 80, epochs=20)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def filled(tmp_path, filled_file):
    """The URL of a copy of the test's own."""
    shutil.copy(filled_file, tmp_path)
    return f"sqlite:///{tmp_path}/filled.db"


class Sweep:
    """Goes on writing the study of `filled`."""

    def __init__(self, url):
        storage = open_storage(url, create=True)
        self.made = drawn(settings_of(80, 20, 0), "w", 80)
        self.writer = writer(storage, storage.get_study_id_from_name("s"))

    def write(self, count):
        self.writer.write(list(itertools.islice(self.made, count)))


def shown(study):
    """All that one can ask of a study."""
    return {
        "counts": study.counts,
        "outcomes": study.outcomes,
        "arms": study.arms,
        "error": study.last_error,
        "started": study.started,
        "top": study.top(5),
        "ranked": list(study.ranked()),
        "rows": study.rows,
        "trials": study.trials().to_csv(),
        "curves": study.curves().to_csv(),
        "attributes": study.attributes,
        "numbers": [trial.number for trial in study.frozen],
    }


def test_a_refreshed_study_is_what_one_loaded_anew_is(filled):
    study, sweep = search.load("s", filled), Sweep(filled)
    shown(study)
    for count in (1, 7, 40):
        assert study.refresh() is False
        before = study.rows
        sweep.write(count)
        assert study.refresh() is True
        assert shown(study) == shown(search.load("s", filled))
        assert len(study.rows) == len(before) + count
        assert all(new is old for new, old in zip(study.rows, before, strict=False))


def test_what_is_asked_again_is_not_worked_out_again(filled):
    study = search.load("s", filled)
    rows, ranking = study.rows, study._now.ranking
    study.refresh()
    assert study.rows is rows and study._now.ranking is ranking


def test_what_it_returns_can_be_changed_without_harm(filled):
    study = search.load("s", filled)
    for counts in (study.counts, study.outcomes, study.arms):
        counts.clear()
    assert study.counts and study.outcomes and study.arms


def test_rows_are_what_the_table_of_trials_says(url, tiny):
    study = write(url, tiny.workload, 1.0, "pruned", "oops", None)
    table = study.trials().reset_index()
    rows = [flat_row(row) for row in study.rows]
    assert list(rows[0]) == list(table.columns)
    assert json.loads(json.dumps(study.rows, allow_nan=False)) == study.rows
    for row, (_, expected) in zip(rows, table.iterrows(), strict=True):
        started = datetime.fromisoformat(row["started"])
        assert started.utcoffset() is not None
        assert started.replace(tzinfo=None) == expected["started"]
        for name in set(row) - {"started"}:
            assert pd.isna(expected[name]) if row[name] is None else row[name] == expected[name]


def test_rows_have_no_number_that_json_does_not_have(filled):
    study = optuna.load_study(study_name="s", storage=filled)
    study.tell(study.ask(), float("inf"))
    loaded = search.load("s", filled)
    assert loaded.rows[80]["value"] is None and loaded.rows[80]["state"] == "COMPLETE"
    assert loaded.trials()["value"][80] == float("inf")
    json.dumps(loaded.rows, allow_nan=False)


def test_epochs_of_a_study_older_than_that_attribute_are_the_lengths_of_its_curves(filled):
    new = search.load("s", filled)
    assert {trial.state.name for trial in new.frozen if "epochs" not in trial.user_attrs} == {"FAIL"}
    old = search.load("s", filled)
    for trial in old.frozen:
        trial.user_attrs.pop("epochs", None)
    assert old.rows == new.rows and sum(row["epochs"] for row in new.rows) == len(new.curves())


def test_a_sweep_writes_how_many_epochs_each_trial_has_trained(url, tiny):
    how = {"storage": url, "study": "s", "pruner": "restart-aware", "slots": 4}
    study = search.sweep(tiny.workload, trials=20, **how).study
    epochs = {trial.number: trial.user_attrs["epochs"] for trial in study.frozen}
    assert epochs == study.curves().groupby("number").size().to_dict()
    assert len(set(epochs.values())) > 1


def test_a_curve_is_read_by_its_number(url, tiny):
    study = write(url, tiny.workload, 1.0, "pruned", None)
    assert study.curve(1) == {"error": [3.0]} and study.curve(np.int64(1)) == study.curve(1)
    assert (
        study.curve(0) == study.best.curves == {name: [2.0, 1.0, 3.0] for name in ("error", "select_error")}
    )
    assert study.curve(2) == {}
    for number in (3, -1, 10**30, True, 1.0, float("nan"), "0", None):
        with pytest.raises(ValueError, match=r"study 's' has no trial number=.*; its trials are 0 to 2"):
            study.curve(number)
    with pytest.raises(ValueError, match="it has none yet"):
        write(url, tiny.workload, name="empty").curve(0)


def test_ranked_is_a_sequence_that_reads_what_is_looked_at(filled, monkeypatch):
    study = search.load("s", filled)
    read = []
    curves = BulkReader.curves
    monkeypatch.setattr(
        BulkReader, "curves", lambda self, trials: read.append(len(trials)) or curves(self, trials)
    )
    ranked = study.ranked()
    assert len(ranked) == study.counts["COMPLETE"] > 10 and not read
    assert [best.number for best in ranked[:3]] == [best.number for best in study.top(3)] and read == [3, 3]
    assert ranked[-1].value == max(best.value for best in ranked)
    with pytest.raises(IndexError):
        ranked[len(ranked)]


def test_a_study_that_is_gone_is_not_refreshed(url, tiny):
    study = write(url, tiny.workload, 1.0)
    write(url, tiny.workload, name="other")
    search.delete("s", url)
    with pytest.raises(ValueError, match=r"'s' in .* was deleted, or made again"):
        study.refresh()
    with pytest.raises(ValueError, match="was deleted, or made again, since; load it again"):
        _ = study.best
    assert len(study.rows) == 1


def test_a_study_that_was_made_again_is_not_mixed_with_the_old(url, tiny):
    study = write(url, tiny.workload, 1.0)
    search.delete("s", url)
    again = write(url, tiny.workload, 2.0, 3.0)
    assert again.frozen[0]._trial_id == study.frozen[0]._trial_id
    for read in (study.refresh, lambda: study.best):
        with pytest.raises(ValueError, match=r"'s' in .* was deleted, or made again, since; load it again"):
            read()
    assert study.curve(0) == {} and study.counts == {"COMPLETE": 1}


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_was_replaced_or_deleted_is_not_refreshed(tmp_path, filled, replaced):
    study = search.load("s", filled)
    path = tmp_path / "filled.db"
    if replaced:
        shutil.copy(path, tmp_path / "copy.db")
        os.replace(tmp_path / "copy.db", path)  # noqa: PTH105
    else:
        path.unlink()
    with pytest.raises(ValueError, match="was deleted, or made again, since; load it again"):
        study.refresh()
    assert path.exists() == replaced


def test_a_storage_that_fails_is_named(tmp_path, filled):
    study = search.load("s", filled)
    with contextlib.closing(sqlite3.connect(tmp_path / "filled.db")) as database:
        database.execute("DROP TABLE trials")
    for failing in (study.refresh, study.curves, lambda: study.top(1)):
        with pytest.raises(StorageError, match=r"filled\.db' failed"):
            failing()


def test_threads_read_while_others_refresh_and_a_sweep_writes(filled):
    study, sweep = search.load("s", filled), Sweep(filled)
    ended, failures = threading.Event(), []

    def guarded(work):
        def run():
            try:
                work()
            except Exception as error:
                failures.append(error)
                ended.set()

        return threading.Thread(target=run)

    def write():
        for _ in range(10):
            sweep.write(4)
        ended.set()

    def refresh():
        while not ended.is_set():
            study.refresh()

    def read():
        seen = 0
        while not ended.is_set():
            rows = study.rows
            assert [row["number"] for row in rows] == list(range(len(rows))) and len(rows) >= seen
            seen = len(rows)
            assert sum(study.counts.values()) >= seen and sum(study.outcomes.values()) >= seen
            values = [best.value for best in study.top(3)]
            assert values == sorted(values)
            assert len(study.curve(seen - 1)) in (0, 4)

    threads = [guarded(work) for work in (write, refresh, refresh, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    study.refresh()
    assert shown(study) == shown(search.load("s", filled)) and len(study.rows) == 120


def test_a_study_of_another_storage_is_read_the_same(filled):
    storage = InMemoryStorage()
    optuna.copy_study(from_study_name="s", from_storage=filled, to_storage=storage, to_study_name="s")
    study = Study("s", "memory", storage, storage.get_study_id_from_name("s"))
    expected, refreshed = shown(search.load("s", filled)), shown(study)
    assert refreshed == expected


def test_a_filled_study_is_one_that_a_sweep_could_have_made(filled):
    study = search.load("s", filled)
    assert set(study.arms) == set(ARMS) and set(study.outcomes) >= {"complete", "pruned", "diverged"}
    assert study.outcomes["pruned"] > 40 and study.attributes["workload"] == "digits"
    assert set(study.best.curves) == {"error", "loss", "select_error", "select_loss"}
    assert study.best.arm in ARMS and study.best.budget == 20
    with pytest.raises(ValueError, match="study='s' exists"):
        fill(filled, "s", 1)
    with pytest.raises(ValueError, match="trials=0 must be"):
        fill(filled, "t", 0)
