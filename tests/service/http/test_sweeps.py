"""`/v1/sweeps` as requests and answers; what runs is in tests/service/test_sweeps_running.py."""

import sys
from urllib.parse import quote

import pytest

LONG = {
    "workload": "digits",
    "study": "größe 言葉 ?&#",
    "trials": 128,
    "budget": 60,
    "base_lr": [0.01, 1.0],
    "T_0": [5, 60],
    "T_mult": [1, 2],
    "eta_ratio": 0.0,
    "timeout": 1800,
    "confirm": True,
}


def test_a_sweep_is_queued_shown_and_cancelled(writer, is_problem):
    begun = writer.post("/v1/sweeps", json=LONG)
    assert begun.status_code == 202
    place = f"/v1/sweeps/{quote(LONG['study'], safe='')}"
    assert begun.headers["location"] == place
    answer = begun.json()
    assert (answer["id"], answer["state"], answer["launched_by"], answer["trials"]) == (
        LONG["study"],
        "queued",
        "service",
        128,
    )
    assert answer["request"].items() >= LONG.items() and answer["finished"] == 0
    assert writer.get(place).json() == answer
    assert writer.get("/v1/sweeps").json()["items"] == [answer]
    assert writer.get("/v1/sweeps?state=queued").json()["total"] == 1
    assert writer.get("/v1/sweeps?state=running&state=dead").json()["total"] == 0
    assert writer.get(f"/v1/studies/{quote(LONG['study'], safe='')}").json()["trials"] == {}
    is_problem(writer.post("/v1/sweeps", json=LONG), 409, "has a sweep that is queued")
    cancelled = writer.delete(place)
    assert cancelled.status_code == 202 and cancelled.json()["state"] == "cancelled"
    assert cancelled.json()["resumable"] and writer.delete(place).json() == cancelled.json()
    is_problem(writer.post("/v1/sweeps", json=LONG), 409, "go on with it by resume=true")
    again = writer.post("/v1/sweeps", json={**LONG, "resume": True})
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    other = {**LONG, "resume": True, "budget": 61}
    writer.delete(place)
    is_problem(writer.post("/v1/sweeps", json=other), 409, "budget 60, not 61")


def test_the_queue_is_bounded(writer, is_problem):
    for place in range(3):
        assert writer.post("/v1/sweeps", json={"workload": "digits", "study": f"s{place}"}).status_code == 202
    refused = writer.post("/v1/sweeps", json={"workload": "digits", "study": "s3"})
    is_problem(refused, 429, "3 sweeps are queued already")
    assert refused.headers["retry-after"] == "60"
    assert writer.get("/v1/studies").json()["total"] == 3


@pytest.mark.parametrize(
    ("wrong", "location"),
    [
        ({"workload": "nothing"}, "body.workload"),
        ({"workload": "os:system"}, "body.workload"),
        ({"workload": "../digits"}, "body.workload"),
        ({"workload": None}, "body.workload"),
        ({"trials": 0}, "body.trials"),
        ({"trials": 1.5}, "body.trials"),
        ({"trials": "5"}, "body.trials"),
        ({"trials": True}, "body.trials"),
        ({"trials": 100_001}, "body.trials"),
        ({"budget": 10_001}, "body.budget"),
        ({"budget": 0}, "body.budget"),
        ({"base_lr": []}, "body.base_lr"),
        ({"base_lr": [1, 0.1]}, "body.base_lr"),
        ({"base_lr": -1}, "body.base_lr"),
        ({"base_lr": 1e308}, "body.base_lr"),
        ({"T_0": [0, 5]}, "body.T_0"),
        ({"T_0": 2.5}, "body.T_0"),
        ({"T_mult": []}, "body.T_mult"),
        ({"eta_ratio": [0, 2]}, "body.eta_ratio"),
        ({"objective": "best"}, "body.objective"),
        ({"pruner": "x"}, "body.pruner"),
        ({"sampler": "x"}, "body.sampler"),
        ({"slots": 0}, "body.slots"),
        ({"controls": 1}, "body.controls"),
        ({"seed": -1}, "body.seed"),
        ({"seed": 2**32}, "body.seed"),
        ({"timeout": 0}, "body.timeout"),
        ({"study": ""}, "body.study"),
        ({"study": "a/b"}, "body.study"),
        ({"study": "../x"}, "body.study"),
        ({"study": ".."}, "body.study"),
        ({"study": "a\0b"}, "body.study"),
        ({"study": "x" * 201}, "body.study"),
        ({"study": 5}, "body.study"),
        ({"hparams": {"x": 1}}, "body.hparams"),
        ({"hparams": {"x": {"choices": []}}}, "body.hparams"),
        ({"engine": "steam"}, "body.engine"),
        ({"engine": None}, "body.engine"),
        ({"workers": 0}, "body.workers"),
        ({"workers": 2}, "body.workers"),
        ({"gpus_per_worker": 1}, "body.gpus_per_worker"),
        ({"engine": "ray", "workers": 17}, "body.workers"),
        ({"engine": "ray", "cpus_per_worker": 10_000}, "body.workers"),
        ({"engine": "ray", "cpus_per_worker": 0}, "body.cpus_per_worker"),
        ({"engine": "ray", "gpus_per_worker": 2.5}, "body.gpus_per_worker"),
        ({"address": "auto"}, "body.address"),
        ({"checkpoints": "/tmp"}, "body.checkpoints"),
        ({"steps": 5}, "body.steps"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_a_sweep_that_cannot_be_is_refused_by_field(refusing, is_problem, wrong, location):
    problem = is_problem(refusing.post("/v1/sweeps", json={"workload": "digits", **wrong}), 422)
    assert {error["location"].split("[")[0] for error in problem["errors"]} == {location}, problem
    assert "\n" not in problem["detail"] and refusing.get("/v1/studies").json()["total"] == 0


def test_workers_on_ray_are_asked_for_and_kept_by_a_resumed_sweep(writer, is_problem, monkeypatch):
    asked = {"workload": "digits", "engine": "ray", "workers": 2, "cpus_per_worker": 0.5}
    begun = writer.post("/v1/sweeps", json=asked)
    assert begun.status_code == 202 and begun.json()["request"].items() >= asked.items()
    assert (begun.json()["state"], begun.json()["workers"]) == ("queued", 0)
    writer.delete("/v1/sweeps/digits")
    again = {"workload": "digits", "trials": 70, "resume": True}
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ray", None)
        problem = is_problem(writer.post("/v1/sweeps", json=again), 422, "pip install '.[ray]'")
        assert [error["location"] for error in problem["errors"]] == ["body.engine"]
    resumed = writer.post("/v1/sweeps", json=again).json()["request"]
    assert resumed.items() >= {**asked, "trials": 70}.items()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"workload": "digits", "base_lr": NaN}', id="NaN"),
        pytest.param('{"workload": "digits", "timeout": Infinity}', id="Infinity"),
        pytest.param('{"workload": "digits", "study": "\\ud800"}', id="half a surrogate pair as the study"),
        pytest.param('{"workload": "\\ud800"}', id="as the workload"),
        pytest.param('{"workload": "digits", "hparams": {"\\ud800": 1}}', id="as a name"),
        pytest.param('{"workload": "digits", "trials": ' + "9" * 4000 + "}", id="4,000 digits"),
        pytest.param('{"workload": "digits", "seed": ' + "9" * 5000 + "}", id="5,000 digits"),
        pytest.param('{"workload": "digits", "hparams": {"a": ' + "[" * 500 + "]" * 500 + "}}", id="deep"),
        pytest.param('{"workload": "' + "x" * 10**6 + '"}', id="a name of a million characters"),
        pytest.param('{"workload": "digits", "hparams": {"a": "' + "x" * 20_000 + '"}}', id="long"),
    ],
)
def test_odd_json_is_refused_in_short(refusing, is_problem, text):
    answer = refusing.post("/v1/sweeps", content=text, headers={"Content-Type": "application/json"})
    is_problem(answer, 422)
    assert len(answer.content) < 20_000


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["nothing", "%00", "%FF", "..%2F", "x" * 5000])
def test_an_unknown_sweep_is_not_found(refusing, is_problem, method, name):
    is_problem(refusing.request(method, f"/v1/sweeps/{name}"), 404)


def test_a_finished_sweep_of_the_command_line_is_shown(client, is_problem):
    answer = client.get("/v1/sweeps/tiny").json()
    assert (answer["launched_by"], answer["state"], answer["finished"]) == ("command line", "finished", 12)
    assert answer["best"] and answer["request"] is None and not answer["resumable"]
    assert client.get("/v1/sweeps").json()["total"] == 4
    is_problem(client.get("/v1/sweeps?state=none"), 422, "state.0: must be 'queued', 'running'")
    is_problem(client.get("/v1/sweeps/not%20ours"), 404)
