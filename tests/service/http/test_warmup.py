"""A study whose trials begin with a warm-up, as the service answers and draws it."""

import json

import pytest
from sgdr_service.dashboard.explorer.link import explorer_url, is_explorable, read
from sgdr_service.dashboard.figures.curves import curves
from sgdr_service.dashboard.figures.parallel import parallel
from sgdr_service.dashboard.figures.schedules import schedules
from sgdr_service.dashboard.figures.trial import best_figure
from sgdr_service.dashboard.study.curves import chosen
from sgdr_service.dashboard.trial_view import cycles_of

from sgdr import WarmRestarts, Warmup, relatives, search
from sgdr.warmup import unwarmed
from tests.service.http.conftest import client_of
from tests.tiny import Tiny

WARM = Warmup(WarmRestarts(0.1, 2, 2, 1e-3), 3)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('warm')}/s.db"
    space = search.Space(warmup=(1, 3))
    return search.sweep(Tiny(), trials=10, storage=url, space=space, slots=4, pruner="none").study


def test_every_answer_has_the_schedule_with_its_warm_up(study):
    place = f"/v1/studies/{study.name}"
    with client_of(study.url) as client:
        assert client.get(place).json()["space"]["warmup"] == [1, 3]
        items = client.get(f"{place}/best", params={"k": 10}).json()["items"]
        assert len(items) == 10
        for item in items:
            params = study.frozen[item["number"]].params
            assert (item["schedule"]["kind"], item["schedule"]["steps"]) == ("warmup", params["warmup"])
            asked = client.post("/v1/lr", json={"schedule": item["schedule"], "steps": [0, 2, 5]})
            schedule = relatives.from_dict(item["schedule"])
            assert asked.json()["lr"] == pytest.approx([schedule(step) for step in (0, 2, 5)])
            trial = client.get(f"{place}/trials/{item['number']}").json()
            assert trial["hparams"]["warmup"] == params["warmup"] and trial["base_lr"] == params["base_lr"]
            assert trial["troughs"] == schedule.troughs(budget=6)
        best = study.best.schedule
        rate = client.get(f"{place}/best/lr", params={"step": 9}).json()
        assert rate["lr"] == pytest.approx(best.scaled(2)(9))
        assert (rate["cycle"] is not None) is isinstance(unwarmed(best)[0], WarmRestarts)
        assert client.get(f"{place}/trials", params={"sort": "hparams.warmup"}).status_code == 200
        assert client.get(f"{place}/answer").json()["schedule"]["kind"] == "warmup"
        assert "warmup" in client.get(f"{place}/trials.csv").text.splitlines()[0].split(",")


def test_every_figure_takes_them(study):
    drawn = chosen(study, 50, pruned=False)
    figures = [
        curves(drawn, metric="error"),
        curves(drawn, metric="error", aligned=True),
        parallel(study.rows, ["warmup"], "minimize", "error"),
        schedules([(str(trial.number), trial.schedule) for trial in drawn[:8]], 6, "epoch"),
        *(best_figure(best, "error", "select_error") for best in study.ranked()),
    ]
    assert all(json.loads(json.dumps(figure, allow_nan=False)) for figure in figures)


def test_the_explorer_opens_with_the_warm_up_of_a_trial(study):
    warm = [best.schedule for best in study.ranked() if best.arm in ("restarts", "cosine", "constant")]
    for schedule in (*warm, WARM):
        exploration, wrong = read(explorer_url(schedule, 6, 2).partition("?")[2])
        assert exploration.current.schedule == schedule and not wrong
    assert not is_explorable(Warmup(relatives.Linear(0.1, 5), 2))
    with pytest.raises(ValueError, match="schedule must be a WarmRestarts"):
        explorer_url(Warmup(relatives.Linear(0.1, 5), 2), 7)


def test_cycles_begin_after_the_warm_up():
    rows = cycles_of(WARM, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], "minimize")
    assert [(row["start"], row["length"], row["trough"]) for row in rows] == [(3, 2, 5), (5, 4, None)]
    assert cycles_of(WARM, [0.9, 0.8], "minimize") == []
