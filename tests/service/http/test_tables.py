"""Tables of trials and curves: a searched value or a metric may have the name of any column."""

import pandas as pd
import pytest
from optuna.trial import TrialState

from service.dashboard.figures.parallel import parallel
from service.dashboard.frame import told
from service.tables import curves_csv
from sgdr import search
from sgdr.search.declaration import Declaration
from sgdr.search.opening import create_study
from sgdr.search.record import Record
from sgdr.search.settings import checked
from sgdr.search.space import SCHEDULE_NAMES
from sgdr.search.spread import spread
from sgdr.search.storage import open_storage
from sgdr.search.tables import COLUMNS, CURVE_COLUMNS, curves_table, flat_name, searched_column
from tests.search.test_study import DEFAULTS
from tests.service.http.conftest import client_of

TAKEN = tuple(name for name in COLUMNS if name not in SCHEDULE_NAMES)
HPARAMS = (*TAKEN, "momentum", "hparams.number", "hparams", "epoch")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    choices = {name: [place / 8, 100.0 + place] for place, name in enumerate(HPARAMS)}
    choices["error"] = ["=1+1", "'-1"]
    choices["seed"] = [float("inf"), float("-inf")]
    choices["arm"] = [None, float("nan")]
    workload = search.workload(metric="number", direction="minimize", budget=3, hparams=choices)(print)
    settings = checked(Declaration.of(workload), **DEFAULTS)
    url = f"sqlite:///{tmp_path_factory.mktemp('tables')}/s.db"
    storage = open_storage(url, create=True)
    create_study(storage, "s", settings, resume=False)
    record = Record(storage, "s")
    for claim in record.claim(9, 9):
        distributions = settings.space.distributions(3)
        params = spread(distributions, claim.number, seed=0)
        params |= {name: choices[name][claim.number % 2] for name in HPARAMS}
        schedule, _ = settings.space.schedule(params, 3)
        attributes = {"schedule": schedule.to_dict(), "arm": "restarts", "seed": 40 + claim.number}
        trial = record.begin(claim, params, distributions, attributes)
        value = 9.5 - claim.number
        curve = {"number": [10.0, value, 11.0], "epoch": [0.5] * 3}
        record.end(trial, TrialState.COMPLETE, value, {"curve": curve, "seconds": 0.5})
    record.close()
    return search.load("s", url)


@pytest.fixture(scope="module")
def client(study):
    with client_of(study.url) as made:
        yield made


def test_names_that_differ_have_columns_that_differ():
    names = ("number", "hparams.number", "hparams.hparams.number", "hparams", "x")
    columns = [flat_name("hparams", name, COLUMNS) for name in names]
    assert columns[0] == "hparams.number" and columns[3:] == ["hparams", "x"]
    assert len({*columns, *COLUMNS}) == len(names) + len(COLUMNS)


@pytest.mark.parametrize("name", SCHEDULE_NAMES)
def test_a_part_of_the_schedule_is_no_name_of_a_searched_value(name):
    with pytest.raises(ValueError, match=f"hparams has '{name}', which names a part of the schedule"):
        search.Space(hparams={name: [1, 2]})


def test_every_searched_value_is_beside_every_column(study):
    table = study.trials()
    for trial, row in zip(study.frozen, study.rows, strict=True):
        assert row["number"] == trial.number and row["seed"] == trial.user_attrs["seed"]
        assert (row["state"], row["value"]) == ("COMPLETE", trial.value)
        for name in HPARAMS:
            said, value = table[searched_column(name)][trial.number], trial.params[name]
            assert said == value or (pd.isna(said) and pd.isna(value))
        assert row["hparams"]["number"] == trial.params["number"]
        assert table["state"][trial.number] == "COMPLETE" and table["value"][trial.number] == trial.value


def test_metrics_are_beside_the_columns_of_curves(study):
    curves = study.curves()
    assert list(curves.columns) == [*CURVE_COLUMNS, "metrics.number", "metrics.epoch"]
    assert curves["number"].tolist() == [number for number in range(9) for _ in range(3)]
    assert curves["epoch"].tolist() == [1, 2, 3] * 9 and (curves["metrics.epoch"] == 0.5).all()
    text = "".join(curves_csv(study, range(9)))
    assert text.splitlines()[0] == "number,epoch,metrics.epoch,metrics.number"
    assert len(text.splitlines()) == 28
    assert curves_table([(0, {"x": [1.0]})]).columns.tolist() == ["number", "epoch", "x"]


def test_the_service_tells_them_apart(client, study):
    items = client.get("/v1/studies/s/trials", params={"sort": "-hparams.number"}).json()["items"]
    values = [item["hparams"]["number"] for item in items]
    assert values == sorted(values, reverse=True) and set(values) == {0.0, 100.0}
    assert [each["number"] for each in client.get("/v1/studies/s/trials").json()["items"]] == list(range(9))
    header = client.get("/v1/studies/s/trials.csv").text.splitlines()[0].split(",")
    assert len(header) == len(set(header)) == len(COLUMNS) + len(HPARAMS)
    assert client.get("/v1/studies/s/curves.csv").text.count("\n") == 28


def test_figures_and_facts_tell_them_apart(study):
    (trace,) = parallel(study.rows, HPARAMS, "minimize", "value")["data"]
    labels = [axis["label"] for axis in trace["dimensions"]]
    assert len(labels) == len(set(labels)) and {"arm", "hparams.arm", "hparams.value"} <= set(labels)
    assert told({"State": 1}, ("State", 2), {"Seed": 3, "metrics.State": 4}, {"Seed": 5}) == {
        "State": 1,
        "metrics.State": 2,
        "hparams.Seed": 3,
        "hparams.metrics.State": 4,
        "Seed": 5,
    }
