"""Trials that somebody else has added to a study: they are shown, and nothing is concluded from them."""

import json
import math
import shutil
import sqlite3
from contextlib import closing

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from sgdr import search
from sgdr.search.evaluation.finalists import finalists
from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.sweeps.coordinator import AloneCoordinator
from tests.search_loop import searched, settings_of

SCHEDULE = {"base_lr": 0.1, "T_0": 2, "T_mult": 1, "eta_min": 0.0}
CURVE = {"error": [0.5, 0.25], "select_error": [0.5, 0.25]}
WHOLE = {"schedule": SCHEDULE, "seed": 3, "curve": CURVE, "epochs": 2}
X = optuna.distributions.FloatDistribution(-1e9, 1e9)
PARAMS = {"params": {"x": 1.0}, "distributions": {"x": X}}
FOREIGN = {
    "nothing of ours": {"value": -1.0},
    "other parameters": {"value": -1.0, **PARAMS},
    "a schedule alone": {"value": -1.0, "user_attrs": {"schedule": SCHEDULE}},
    "a schedule that is a text": {"value": -1.0, "user_attrs": {**WHOLE, "schedule": "cosine"}},
    "a schedule that is a list": {"value": -1.0, "user_attrs": {**WHOLE, "schedule": [1]}},
    "a schedule of no length": {"value": -1.0, "user_attrs": {**WHOLE, "schedule": {**SCHEDULE, "T_0": 0}}},
    "a schedule of a text": {"value": -1.0, "user_attrs": {**WHOLE, "schedule": {**SCHEDULE, "T_0": "a"}}},
    "a schedule that is no arm": {
        "value": -1.0,
        "user_attrs": {**WHOLE, "schedule": {"kind": "chained", "schedules": [SCHEDULE]}},
    },
    "a seed that is a text": {"value": -1.0, "user_attrs": {**WHOLE, "seed": "three"}},
    "more epochs than the budget": {"value": -1.0, "user_attrs": {**WHOLE, "epochs": 99}},
    "epochs that are a text": {"value": -1.0, "user_attrs": {**WHOLE, "epochs": "many"}},
    "an infinite value": {"value": -math.inf, "user_attrs": WHOLE},
    "pruned": {"state": TrialState.PRUNED, "user_attrs": {"diverged_at": "soon", "arm": ["x"]}},
    "failed": {"state": TrialState.FAIL, "user_attrs": {"error": {}, "retry_of": [1]}},
    "running": {"state": TrialState.RUNNING},
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory, tiny):
    """A file with a study of four trials."""
    path = tmp_path_factory.mktemp("foreign") / "s.db"
    storage = open_storage(f"sqlite:///{path}", create=True)
    assert searched(storage, settings_of(tiny.workload, trials=4))[0]
    close_storage(storage)
    return path


@pytest.fixture
def url(tmp_path, filled):
    """A storage of the test's own with that study."""
    shutil.copy(filled, tmp_path / "s.db")
    return f"sqlite:///{tmp_path}/s.db"


TYPICAL = (
    "nothing of ours",
    "a schedule alone",
    "a schedule of a text",
    "an infinite value",
    "pruned",
    "running",
)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(how, id=name, marks=() if name in TYPICAL else pytest.mark.slow)
        for name, how in FOREIGN.items()
    ],
)
def test_a_foreign_trial_is_shown_and_left_out_of_what_is_concluded(url, tiny, how):
    before = search.load("s", url)
    optuna.load_study(study_name="s", storage=url).add_trial(create_trial(**how))
    study = search.load("s", url)
    assert study.foreign == [4] and study.outcomes == {**before.outcomes, "foreign": 1}
    assert (study.counts, study.arms, study.finished) == (before.counts, before.arms, before.finished)
    assert [best.number for best in study.top(9)] == [best.number for best in before.top(9)]
    assert len(study.ranked()) == 4 and study.best_value == before.best_value
    assert (study.last_error, study.started) == (None, before.started)
    row = study.rows[4]
    assert row["foreign"] and row["arm"] is None and row["seed"] is None and row["T_0"] is None
    assert json.dumps(study.rows, allow_nan=False)
    table = study.trials()
    assert table["foreign"].tolist() == [False] * 4 + [True] and len(table) == 5
    assert study.schedule(4) is None and study.curve(4) == {}
    assert set(study.curves()["number"]) == {0, 1, 2, 3}
    assert [candidate.best.number for candidate in finalists(study, 9)] == [
        candidate.best.number for candidate in finalists(before, 9)
    ]
    assert [summary.name for summary in search.studies(url)] == ["s"]


def test_a_search_goes_on_beside_foreign_trials_as_if_they_were_not_there(url, tiny):
    theirs = optuna.load_study(study_name="s", storage=url)
    for how in FOREIGN.values():
        theirs.add_trial(create_trial(**how))
    states = [trial.state for trial in theirs.trials[4:]]
    for trials, pruner in ((6, "none"), (12, "restart-aware")):
        reached, _ = searched(open_storage(url), settings_of(tiny.workload, trials=trials, pruner=pruner))
        study = search.load("s", url)
        assert reached and study.finished == trials and len(study.frozen) == trials + len(FOREIGN)
    assert [trial.state for trial in study.frozen[4 : 4 + len(FOREIGN)]] == states
    assert study.foreign == list(range(4, 4 + len(FOREIGN))) and study.best.number not in study.foreign


def test_a_trial_whose_curve_was_deleted_is_passed_over(url):
    best = search.load("s", url).best.number
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
        database.execute(
            "DELETE FROM trial_user_attributes WHERE key = 'curve' AND trial_id = ?", (best + 1,)
        )
    study = search.load("s", url)
    assert [candidate.number for candidate in study.top(9)] == [
        other.number for other in study.ranked() if other.number != best
    ]
    assert len(study.top(9)) == 3 and study.completed(best) is None and len(study.rows) == 4


@pytest.mark.parametrize("curve", ["gone", [1.0], {"error": "falls"}, {"select_error": []}, {}])
def test_a_trial_whose_curve_is_none_is_passed_over(url, curve):
    attributes = {**WHOLE, "curve": curve}
    optuna.load_study(study_name="s", storage=url).add_trial(create_trial(value=-1.0, user_attrs=attributes))
    study = search.load("s", url)
    assert study.best.number != 4 and len(study.top(9)) == 4 and len(study.rows) == 5


def test_a_trial_of_another_sweep_that_is_copied_whole_counts(url):
    study = optuna.load_study(study_name="s", storage=url)
    study.add_trial(create_trial(value=-1.0, user_attrs=WHOLE))
    assert search.load("s", url).best.number == 4


def test_trials_deleted_by_hand_leave_the_others_their_numbers(url, tiny):
    held = search.load("s", url)
    seeds = {row["number"]: row["seed"] for row in held.rows}
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
        for table in ("trials", "trial_user_attributes", "trial_params", "trial_values"):
            database.execute(f"DELETE FROM {table} WHERE trial_id = 2")
    assert {best.number for best in held.top(9)} == {0, 2, 3}  # the study as it was held
    study = search.load("s", url)
    assert [row["number"] for row in study.rows] == [0, 2, 3] == study.trials().index.tolist()
    for number in (0, 2, 3):
        assert study.row(number)["seed"] == seeds[number]
        assert study.schedule(number).base_lr == study.row(number)["base_lr"] and study.curve(number)
    assert study.row(1) is None
    with pytest.raises(ValueError, match=r"no trial number=1; its trials are 0 to 3"):
        study.curve(1)
    assert searched(open_storage(url), settings_of(tiny.workload, trials=6))[0]
    study.refresh()
    assert [row["number"] for row in study.rows] == [0, 2, 3, 4, 5, 6]
    assert len({row["seed"] for row in study.rows}) == 6


def test_what_repeats_a_trial_that_is_gone_is_no_fault(url, tiny):
    odd = {"worker": "dead", "schedule": SCHEDULE, "seed": 3}
    study = optuna.load_study(study_name="s", storage=url)
    for repeats in (77, 4):  # one that there is not, itself
        study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={**odd, "retry_of": repeats}))
    remarks: list[str] = []
    assert searched(open_storage(url), settings_of(tiny.workload, trials=6), remarks=remarks)[0]
    assert search.load("s", url).finished == 6
    assert any("whose parameters are those of no arm" in remark for remark in remarks)


STUDIES = {
    "ordinary": {},
    "marks alone": {"workload": "w", "space": {}, "objective": "final", "direction": "minimize"},
    "a budget that is a text": {"budget": "sixty"},
    "a space that is a list": {"space": [1]},
    "no metric": {"metric": None},
    "another direction": {"direction": "sideways"},
    "a seed that is a text": {"seed": "seven"},
    "steps that are a text": {"steps_per_epoch": "some"},
}


@pytest.mark.parametrize(
    "broken",
    [
        *("ordinary", "marks alone", "a budget that is a text", "no metric"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in list(STUDIES)[3:] if name != "no metric"),
    ],
)
def test_another_kind_of_study_does_not_take_the_list_down(url, broken):
    attributes = STUDIES[broken]
    other = optuna.create_study(study_name="a", storage=url, directions=["minimize", "maximize"])
    if broken not in ("ordinary", "marks alone"):
        attributes = {**search.load("s", url).attributes, **attributes}
    for name, value in attributes.items():
        other.set_user_attr(name, value)
    other.add_trial(create_trial(values=[1.0, 2.0], user_attrs={"schedule": SCHEDULE}))
    remarks: list[str] = []
    assert [study.name for study in search.studies(url, on_remark=remarks.append)] == ["s"]
    assert len(remarks) == (broken != "ordinary") and all("study 'a'" in remark for remark in remarks)
    said = "was not made by sgdr" if broken == "ordinary" else "cannot be read: its attribute"
    with pytest.raises(ValueError, match=f"study 'a' in sqlite:.* {said}"):
        search.load("a", url)


@pytest.mark.parametrize("kept", ["yes", {}, {"candidates": []}, {"candidates": [{"schedule": 1}]}, 3])
def test_a_verdict_that_is_none_is_no_verdict(url, kept):
    optuna.load_study(study_name="s", storage=url).set_user_attr("verdict", kept)
    study = search.load("s", url)
    assert study.verdict is None and study.best.confirmed is None


@pytest.mark.parametrize("lease", ["mine", {}, {"host": "here"}, None])
def test_a_lease_that_is_none_keeps_nobody_from_the_study(url, lease):
    storage = open_storage(url)
    storage.set_study_user_attr(storage.get_study_id_from_name("s"), "worker:odd", lease)
    AloneCoordinator(storage, "s").log.close()


def test_a_trial_of_several_values_in_a_study_of_ours_is_foreign(tmp_path, tiny):
    url = f"sqlite:///{tmp_path}/s.db"
    several = optuna.create_study(study_name="s", storage=url, directions=["minimize", "minimize"])
    for name, value in settings_of(tiny.workload).attributes().items():
        several.set_user_attr(name, value)
    several.add_trial(create_trial(values=[1.0, 2.0], user_attrs=WHOLE))
    study = search.load("s", url)
    assert study.foreign == [0] and study.top(3) == [] and study.rows[0]["value"] is None
    assert study.trials()["foreign"].tolist() == [True]
