"""What is read back of a study: the best, tables, attributes; and that others' studies are left alone."""

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from sgdr import WarmRestarts, search
from sgdr.search.arms import ARMS
from sgdr.search.launch import _create_study
from sgdr.search.lease import Lease
from sgdr.search.record import Record
from sgdr.search.settings import checked
from sgdr.search.spread import spread
from sgdr.search.storage import open_storage

DEFAULTS = {
    "trials": 4,
    "budget": None,
    "space": None,
    "objective": "best-epoch",
    "pruner": "none",
    "sampler": "random",
    "slots": 1,
    "engine": "local",
    "controls": 0.25,
    "seed": 7,
    "timeout": None,
}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/s.db"


def write(url, workload, *outcomes, name="s", arms=("restarts",)):
    """A study as a sweep writes it, of trials that ended so: a value, a state or an error; `arms` in turn."""
    settings = checked(workload, **DEFAULTS)
    storage = open_storage(url, create=True)
    _create_study(storage, name, settings, resume=False)
    record = Record(storage, name)
    for number, outcome in enumerate(outcomes):
        arm = arms[number % len(arms)]
        distributions = settings.space.distributions(settings.budget, arm)
        trial = record.begin(spread(distributions, number, seed=0), distributions)
        schedule, _ = settings.space.schedule(trial.params, settings.budget)
        fields = {name: getattr(schedule, name) for name in ("base_lr", "T_0", "T_mult", "eta_min")}
        record.started(trial, {"schedule": fields, "arm": arm, "seed": number})
        if isinstance(outcome, float):
            curve = [outcome + 1, outcome, outcome + 2]
            if workload.direction == "maximize":
                curve = [outcome - 1, outcome, outcome - 2]
            curves = dict.fromkeys((workload.metric, workload.select_metric or workload.metric), curve)
            record.ended(trial, TrialState.COMPLETE, outcome, {"curve": curves, "seconds": 0.5})
        elif outcome == "pruned":
            curves = {workload.metric: [3.0]}
            record.ended(trial, TrialState.PRUNED, None, {"curve": curves, "seconds": 0.1, "diverged_at": 2})
        elif outcome is not None:
            record.ended(trial, TrialState.FAIL, None, {"error": outcome})
    record.close()
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


def test_outcomes_tell_what_the_states_do_not(tmp_path, tiny):
    class Diverging(type(tiny.workload)):
        def evaluate(self, state):
            return {name: value * float("nan") for name, value in super().evaluate(state).items()}

    diverging = Diverging()
    study = search.sweep(diverging, trials=3, storage=f"sqlite:///{tmp_path}/d.db", study="d", slots=2).study
    assert study.outcomes == {"diverged": 3}
    with pytest.raises(ValueError, match=r"3 diverged, the first at epoch 1: lower base_lr, or look for NaN"):
        _ = study.best
