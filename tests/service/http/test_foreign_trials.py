"""A storage in which others have put trials and studies of their own: everything is answered."""

import csv
import io
import json

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from sgdr_service.dashboard.figures.history import compared, history
from sgdr_service.dashboard.figures.rows import by_arm, completed
from sgdr_service.dashboard.pages.compare import compared_row
from sgdr_service.dashboard.pages.studies import Card, _reached
from sgdr_service.dashboard.study.curves import chosen

from sgdr.cli import studies as commands
from sgdr.cli.export import export
from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.study.listing import row_outcome
from sgdr.search.study.lookup import load
from sgdr.shapes import EARLIER
from tests.search_loop import searched, settings_of
from tests.service.http.conftest import client_of

FOREIGN = (
    {"value": -1.0},
    {"value": -1.0, "user_attrs": {"schedule": {"T_0": "long"}, "arm": 7, "epochs": "many"}},
    {"state": TrialState.PRUNED, "user_attrs": {"diverged_at": "soon", "seconds": "few"}},
    {"state": TrialState.RUNNING},
)


@pytest.fixture(scope="module")
def url(tmp_path_factory, tiny):
    """The study `s` of eight trials of ours and four foreign ones, one that waits, and studies of others."""
    made = f"sqlite:///{tmp_path_factory.mktemp('foreign')}/s.db"
    storage = open_storage(made, create=True)
    searched(storage, settings_of(tiny.workload, trials=8, shapes=EARLIER))
    study = optuna.load_study(study_name="s", storage=storage)
    for trial in FOREIGN:
        study.add_trial(create_trial(**trial))
    study.enqueue_trial({"base_lr": 0.5}, user_attrs={"schedule": 3, "error": 4})
    optuna.create_study(study_name="ordinary", storage=storage).add_trial(create_trial(value=1.0))
    several = optuna.create_study(study_name="several", storage=storage, directions=["minimize"] * 2)
    several.add_trial(create_trial(values=[1.0, 2.0]))
    broken = optuna.create_study(study_name="broken", storage=storage)
    for name, value in {**study.user_attrs, "budget": "sixty", "metric": None}.items():
        broken.set_user_attr(name, value)
    broken.add_trial(create_trial(value=1.0))
    close_storage(storage)
    return made


@pytest.fixture(scope="module")
def client(url):
    with client_of(url) as opened:
        yield opened


@pytest.fixture(scope="module")
def best(url):
    of_study = load("s", url).best
    assert of_study.number < 8
    return of_study


def test_lists_and_the_best_are_those_of_the_sweep(client, best):
    (study,) = client.get("/v1/studies").json()["items"]
    assert study["study"] == "s" and study["best"]["number"] == best.number
    assert study["trials"] == {"COMPLETE": 8, "WAITING": 1}
    assert study["outcomes"] == {"complete": 8, "waiting": 1, "foreign": 4}
    assert client.get("/v1/studies/s").json()["last_error"] is None
    answer = client.get("/v1/studies/s/best?k=20").json()
    assert answer["total"] == len(answer["items"]) == 8 and answer["items"][0]["number"] == best.number
    overall = client.get("/v1/best?workload=tiny&k=20").json()["items"]
    assert [item["number"] for item in overall] == [row["number"] for row in answer["items"]]
    assert client.get("/v1/studies/s/best/lr?step=1").json()["number"] == best.number
    assert client.get("/v1/studies/s/verdict").status_code == 404
    (sweep,) = client.get("/v1/sweeps").json()["items"]
    assert sweep["finished"] == 8 and sweep["best"]["number"] == best.number
    assert 'sgdr_trials{outcome="foreign"} 4' in client.get("/metrics").text


@pytest.mark.parametrize("name", ["ordinary", "several", "broken"])
def test_a_study_of_another_kind_is_not_found(client, name):
    for path in ("", "/trials", "/best", "/verdict", "/trials/0", "/curves.csv"):
        assert client.get(f"/v1/studies/{name}{path}").status_code == 404
    assert client.get(f"/v1/sweeps/{name}").status_code == 404


def test_foreign_trials_are_shown_and_marked(client):
    rows = client.get("/v1/studies/s/trials").json()["items"]
    assert [row["foreign"] for row in rows] == [False] * 8 + [True] * 4 + [False]
    for row in rows[8:]:
        assert row["arm"] is None and row["seed"] is None and row["T_0"] is None and row["error"] is None
        answer = client.get(f"/v1/studies/s/trials/{row['number']}").json()
        assert (answer["curve"], answer["restarts"], answer["foreign"]) == ({}, [], row["foreign"])
    assert [row["value"] for row in rows[8:]] == [-1.0, -1.0, None, None, None]
    table = list(csv.DictReader(io.StringIO(client.get("/v1/studies/s/trials.csv").text)))
    assert [row["foreign"] for row in table] == ["False"] * 8 + ["True"] * 4 + ["False"]
    curves = csv.DictReader(io.StringIO(client.get("/v1/studies/s/curves.csv").text))
    assert {row["number"] for row in curves} == set(map(str, range(8)))
    for sort in ("arm", "-value", "seed", "-foreign", "-started", "T_0"):
        assert client.get(f"/v1/studies/s/trials?sort={sort}").json()["total"] == 13


def test_the_dashboard_draws_them_apart(url, best):
    study = load("s", url)
    rows, direction = study.rows, "minimize"
    words, _ = _reached(study)
    assert words == f"error {best.value:.4g}" and Card.of(study, words, "").finished == 8
    assert len(completed(rows)) == 8 and [row_outcome(row) for row in rows[8:]] == ["foreign"] * 4 + [
        "waiting"
    ]
    assert set(by_arm(completed(rows))) == {"restarts", "cosine", "constant"}
    assert history(rows, direction, "error")["data"] and compared({"s": rows}, direction, "error")["data"]
    assert compared_row(study)["trial"] == best.number and compared_row(study)["finished"] == 8
    assert {drawn.number for drawn in chosen(study, 50, pruned=True)} == set(range(8))


def test_commands_tell_of_ours_and_say_what_is_left_out(url, best, capsys):
    commands.studies(storage=url, json=True)
    said = capsys.readouterr()
    (row,) = json.loads(said.out)
    assert row["study"] == "s" and row["best"] == best.value and row["outcomes"]["foreign"] == 4
    assert "study 'broken' in sqlite:" in said.err and "its attribute 'budget' is 'sixty'" in said.err
    commands.studies(storage=url)
    commands.best("s", storage=url)
    assert "4 foreign" in capsys.readouterr().out
    commands.best("s", storage=url, json=True, k=20)
    assert json.loads(capsys.readouterr().out)[0]["number"] == best.number
    for to in ("torch", "csv", "json"):
        export(to, "s", measure=to != "torch", storage=url)
        assert capsys.readouterr().out
    with pytest.raises(ValueError, match="--trial 8: study 's' has no completed trial of that number"):
        export("torch", "s", trial=8, storage=url)
