"""A study with every shape among its arms, as the service answers and draws it."""

import io
import json

import pandas as pd
import pytest
from sgdr_service.dashboard.figures.arms import arms_figure
from sgdr_service.dashboard.figures.curves import curves
from sgdr_service.dashboard.figures.history import history
from sgdr_service.dashboard.figures.parallel import parallel
from sgdr_service.dashboard.figures.trial import best_figure
from sgdr_service.dashboard.study.arms import candidate_row, found_by_arm
from sgdr_service.dashboard.study.curves import chosen

from sgdr import search
from sgdr.search.problem.arms import ALL_ARMS
from sgdr.shapes import SHAPES
from tests.service.http.conftest import client_of

FORMULAS = [name for name, shape in SHAPES.items() if shape.is_formula]


@pytest.fixture(scope="module")
def study(shapes_url):
    return search.load("shapes", shapes_url)


def test_every_answer_knows_them(study):
    with client_of(study.url) as client:
        read = client.get("/v1/studies/shapes").json()
        assert set(read["arms"]) >= set(FORMULAS)
        for row in client.get("/v1/studies/shapes/trials", params={"arm": "cyclic"}).json()["items"]:
            assert (row["arm"], row["T_0"], row["T_mult"]) == ("cyclic", None, None) and row["base_lr"] > 0
        for number, trial in enumerate(study.frozen):
            answer = client.get(f"/v1/studies/shapes/trials/{number}").json()
            assert answer["arm"] == trial.user_attrs["arm"] and len(answer["curve"]["error"]) == 6
            if answer["arm"] == "one-cycle":
                assert (answer["restarts"], answer["troughs"]) == ([], [6])
        top = client.get("/v1/studies/shapes/best", params={"k": 12}).json()["items"]
        kinds = {item["arm"]: item["schedule"].get("kind") for item in top}
        assert kinds.items() >= {name: name for name in FORMULAS}.items() and kinds["cosine"] is None
        for item in top:
            assert "import torch" in item["code"]["torch"] and "import optax" in item["code"]["optax"]
            assert (item["parity"]["torch"]["nearest"] is None) is (item["arm"] in FORMULAS)
        candidates = client.get("/v1/studies/shapes/verdict").json()["candidates"]
        assert {candidate["arm"] for candidate in candidates} == set(ALL_ARMS)
        table = pd.read_csv(io.StringIO(client.get("/v1/studies/shapes/trials.csv").text))
        for row in client.get("/v1/studies/shapes/trials").json()["items"]:
            arm = row["arm"]
            own = set(SHAPES[arm].own)
            assert {name for name, value in row["hparams"].items() if value is not None} == own
            for name in own:
                assert table[name][row["number"]] == pytest.approx(row["hparams"][name])
        assert client.get("/v1/studies/shapes/trials", params={"sort": "hparams.gamma"}).status_code == 200


def test_the_rate_of_a_formula_is_told_without_a_cycle(study, monkeypatch):
    best = next(best for best in study.ranked() if best.arm == "cyclic")
    monkeypatch.setattr(search.Study, "top", lambda study, k: [best])
    with client_of(study.url) as client:
        answer = client.get("/v1/studies/shapes/best/lr", params={"step": 3}).json()
    assert (answer["lr"], answer["cycle"]) == (best.schedule.scaled(2)(3), None)


def test_every_figure_takes_them(study):
    drawn = chosen(study, 50, pruned=False)
    assert {trial.arm for trial in drawn} >= set(FORMULAS)
    together = curves(drawn, metric="error")
    aligned = curves(drawn, metric="error", aligned=True)
    assert len(together["data"]) == 2 * len(drawn) > len(aligned["data"]) > 0
    figures = [
        arms_figure(None, study.rows, "error"),
        arms_figure(study.verdict, study.rows, "error"),
        history(study.rows, "minimize", "error"),
        parallel(study.rows, [], "minimize", "error"),
        *(best_figure(best, "error", "select_error") for best in study.ranked()),
    ]
    assert all(json.loads(json.dumps(figure, allow_nan=False)) for figure in figures)
    assert {trace["name"] for trace in figures[1]["data"]} == {shape.words for shape in SHAPES.values()}
    assert {row["arm"] for row in found_by_arm(study)} == {SHAPES[arm].words for arm in study.arms}
    rows = [candidate_row(candidate) for candidate in study.verdict.candidates]
    assert {row["arm"]: row["T_0"] for row in rows}["triangles"] is None
