"""Tables of trials and curves: a searched value or a metric may have the name of any column."""

import csv
import io
import json
import math

import pandas as pd
import pytest
from optuna.trial import TrialState
from sgdr_service.dashboard.figures.parallel import parallel
from sgdr_service.dashboard.layout import told
from sgdr_service.tables import curves_csv

from sgdr import WarmRestarts, search
from sgdr.cli.export import _encoded, _trials
from sgdr.search.evaluation.comparison import Compared, Comparison
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.space import SCHEDULE_NAMES
from sgdr.search.storage.connect import open_storage
from sgdr.search.strategy.quasi_random import spread
from sgdr.search.study.columns import COLUMNS, searched_column
from sgdr.search.study.flat_names import flat_name
from sgdr.search.study.spreadsheet import STARTS, csv_text, guarded
from sgdr.search.study.tables import CURVE_COLUMNS, curves_table
from sgdr.search.study.verdict import Confirmed, Verdict
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.coordinator import AloneCoordinator
from sgdr.search.sweeps.create_study import create_study
from sgdr.search.sweeps.extent import TrialExtent
from sgdr.search.sweeps.settings import resolve
from sgdr.shapes import SHAPES
from tests.search.study.test_study import DEFAULTS
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
    settings = resolve(Declaration.of(workload), SweepConfig(**DEFAULTS))
    url = f"sqlite:///{tmp_path_factory.mktemp('tables')}/s.db"
    storage = open_storage(url, create=True)
    create_study(storage, "s", settings, resume=False)
    coordinator = AloneCoordinator(storage, "s")
    for claim in coordinator.claim(9, TrialExtent(9)):
        distributions = settings.space.distributions(3)
        params = spread(distributions, claim.number, seed=0)
        params |= {name: choices[name][claim.number % 2] for name in HPARAMS}
        schedule, _ = settings.space.schedule(params, 3)
        attributes = {"schedule": schedule.to_dict(), "arm": "restarts", "seed": 40 + claim.number}
        trial = coordinator.log.begin(claim, params, distributions, attributes)
        value = 9.5 - claim.number
        curve = {"number": [10.0, value, 11.0], "epoch": [0.5] * 3}
        coordinator.log.end(trial, TrialState.COMPLETE, value, {"curve": curve, "seconds": 0.5})
    coordinator.log.close()
    return search.load("s", url)


@pytest.fixture(scope="module")
def client(study):
    with client_of(study.url) as opened:
        yield opened


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
    assert [row["number"] for row in client.get("/v1/studies/s/trials").json()["items"]] == list(range(9))
    header = client.get("/v1/studies/s/trials.csv").text.splitlines()[0].split(",")
    assert len(header) == len(set(header)) == len(COLUMNS) + len(SHAPES["wsd"].own) + len(HPARAMS)
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


def test_a_searched_number_that_is_not_finite_is_said_alike_everywhere(client, study):
    expected = {0: ("inf", None), 1: ("-inf", "nan")}
    items = client.get("/v1/studies/s/trials").json()["items"]
    lines = list(csv.DictReader(io.StringIO(client.get("/v1/studies/s/trials.csv").text)))
    told_lines = list(csv.DictReader(io.StringIO(_encoded(_trials(study, None, curves=False), "csv"))))
    told_rows = json.loads(_encoded(_trials(study, None, curves=False), "json"))
    for number in range(9):
        seed, arm = expected[number % 2]
        best = next(best for best in study.ranked() if best.number == number)
        for hparams in (
            items[number]["hparams"],
            study.rows[number]["hparams"],
            json.loads(json.dumps(best.to_dict(), allow_nan=False))["hparams"],
        ):
            assert (hparams["seed"], hparams["arm"]) == (seed, arm)
        assert (told_rows[number]["hparams.seed"], told_rows[number]["hparams.arm"]) == (seed, arm)
        for line in (lines[number], told_lines[number]):
            assert (line["hparams.seed"], line["hparams.arm"]) == (seed, arm or "")
    ordered = client.get("/v1/studies/s/trials", params={"sort": "hparams.seed"}).json()["items"]
    assert [item["hparams"]["seed"] for item in ordered] == ["-inf"] * 4 + ["inf"] * 5


def test_a_verdict_says_such_a_number_and_keeps_it():
    hparams = {"x": math.inf, "y": None, "z": "=1"}
    one = Confirmed(0, "restarts", WarmRestarts(0.1, 2), hparams, 0.5, {1: 0.5}, 0.5, 0.5, 0.5, 1)
    verdict = Verdict("undecided", "", (one,), 0, None, None, None, "error", "minimize", 1, 1)
    assert verdict.to_dict()["candidates"][0]["hparams"] == {"x": "inf", "y": None, "z": "=1"}
    assert Verdict.from_dict(json.loads(json.dumps(verdict.attribute()))) == verdict


def test_no_cell_of_a_csv_is_run_and_every_text_is_read_back(client, study):
    for text in (client.get("/v1/studies/s/trials.csv").text, _encoded(_trials(study, None, False), "csv")):
        cells = [line["hparams.error"] for line in csv.DictReader(io.StringIO(text))]
        assert cells == ["'=1+1" if number % 2 == 0 else "''-1" for number in range(9)]
        read = search.read_csv(io.StringIO(text))["hparams.error"]
        assert read.tolist() == [trial.params["error"] for trial in study.frozen]


def test_texts_and_headings_of_any_kind_come_back_from_csv():
    texts = ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "'", "'a", "''", "'=a", "a", "=", "-", "1=1", "-x,\"'"]
    texts += ["  =1", "\n=1", "＝1", " '=1", " a"]
    table = pd.DataFrame({"=heading": texts, "@n": range(len(texts)), "'x": [-0.5] * len(texts)})
    text = csv_text(table)
    cells = [cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line]
    assert not any(cell.lstrip(" ")[:1] in STARTS for cell in cells if cell != "-0.5")
    read = search.read_csv(io.StringIO(text, newline=""))
    assert read.columns.tolist() == table.columns.tolist() and read["=heading"].tolist() == texts
    assert read["'x"].tolist() == [-0.5] * len(texts)
    assert [guarded(value) for value in ("-1", "-inf", "+2.5", -1, None)] == ["-1", "-inf", "+2.5", -1, None]
    assert csv_text(curves_table([(0, {"=cmd()": [1.0]})])).splitlines()[0] == "number,epoch,'=cmd()"


def test_a_comparison_tells_metrics_apart_from_its_columns():
    runs = tuple(Compared("a", seed, {"name": [1.0, 2.0], "error": [3.0, 4.0]}, 1) for seed in (7, 8))
    table = Comparison(runs, "name", "minimize", "final", 2, ()).curves()
    assert list(table) == ["name", "seed", "epoch", "metrics.name", "error"]
    assert table["metrics.name"].tolist() == [1.0, 2.0, 1.0, 2.0] and set(table["name"]) == {"a"}


def test_names_that_cannot_be_kept_are_refused():
    with pytest.raises(ValueError, match="metric='_finite' is what the search keeps for itself; rename it"):
        search.workload(metric="_finite", direction="minimize", budget=3)(print)
    for name in (3, ""):
        with pytest.raises(ValueError, match=f"hparams has {name!r} for a name"):
            search.Space(hparams={name: [1, 2]})
