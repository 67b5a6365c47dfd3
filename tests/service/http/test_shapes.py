"""Every shape of schedule that the library has can be asked for, by GET as by POST."""

import inspect
import json

import numpy as np
import pytest
from sgdr_service.shapes import MODELS

import sgdr
from sgdr.shapes import MAKERS

RESTARTS = {"base_lr": 0.1, "T_0": 10}
DECAY = {"base_lr": 0.5, "milestones": [20, 40.5], "gamma": 0.3}
ASKED = {
    "restarts": {**RESTARTS, "T_mult": 2, "eta_min": 1e-4, "peak_decay": 0.9, "cycles": 2},
    "cosine": {"base_lr": 0.1, "length": 50, "eta_min": 0.001},
    "constant": {"base_lr": 0.1},
    "one-cycle": {"base_lr": 0.1, "length": 50, "pct_final": 0.8, "anneal": "linear"},
    "cyclic": {"base_lr": 0.1, "up": 5, "down": 15, "eta_min": 0.01, "mode": "triangular2"},
    "step-decay": DECAY,
    "linear": {"base_lr": 0.1, "length": 50, "eta_min": 0.01},
    "power": {"base_lr": 0.1, "length": 50.5, "power": 3},
    "wsd": {"base_lr": 0.1, "length": 50, "pct_decay": 0.3, "fall": "sqrt"},
    "joined": {"schedules": [RESTARTS, {"shape": "step-decay", **DECAY}], "milestones": [25]},
    "chained": {"schedules": [RESTARTS, {"kind": "step-decay", "base_lr": 1, "milestones": [30]}]},
    "warmup": {"schedule": {"shape": "one-cycle", "base_lr": 0.1, "length": 30}, "steps": 4},
}
"""The fields of one schedule of each shape."""
STEPS = [0, 1, 9.5, 10, 30, 49, 70, 1000]


def library_schedule(shape, fields):
    """The schedule as a user of the library makes it."""
    values = {
        name: [library_schedule(part.get("shape", part.get("kind", "restarts")), part) for part in value]
        if name == "schedules"
        else library_schedule(value.get("shape", "restarts"), value)
        if name == "schedule"
        else value
        for name, value in fields.items()
        if name not in ("shape", "kind")
    }
    return MAKERS[shape](**values)


def as_query(fields):
    """The fields as parameters: schedules as JSON, several values one by one."""

    def text(value):
        return json.dumps(value) if isinstance(value, dict) else value

    return {
        name: [text(part) for part in value] if isinstance(value, list) else text(value)
        for name, value in fields.items()
    }


def test_every_shape_of_the_library_is_tried_here_with_all_its_fields():
    assert ASKED.keys() == MODELS.keys() == MAKERS.keys()
    for shape, model in MODELS.items():
        assert set(model.model_fields) - {"shape", "warmup"} == set(
            inspect.signature(MAKERS[shape]).parameters
        )


@pytest.mark.parametrize("warmup", [0, 7])
@pytest.mark.parametrize("shape", ASKED)
def test_both_methods_and_restarts_answer_for_every_shape(sqlite_client, shape, warmup):
    schedule = library_schedule(shape, ASKED[shape])
    schedule = sgdr.Warmup(schedule, warmup) if warmup else schedule
    asked = {**ASKED[shape], **({"warmup": warmup} if warmup else {})}
    query = as_query({**asked, "shape": shape})
    for name in ("shape", "kind"):
        body = {"schedule": {**asked, name: shape}, "steps": STEPS}
        assert sqlite_client.post("/v1/lr", json=body).json()["lr"] == schedule(np.array(STEPS)).tolist()
    for step in STEPS[:5]:
        one = sqlite_client.get("/v1/lr", params={**query, "step": step})
        assert one.status_code == 200 and one.json()["lr"] == schedule(step), one.text
        has_cycles = shape in ("restarts", "cosine", "constant")
        assert one.json()["cycle"] == (schedule.cycle(step).to_dict() if has_cycles else None)
        assert one.headers["etag"]
    answer = sqlite_client.get("/v1/restarts", params={**query, "until": 60}).json()
    assert answer == {"restarts": schedule.restarts(60), "troughs": schedule.troughs(60)}


def test_options_of_restarts_are_taken_by_get(sqlite_client):
    fields = {"base_lr": 0.1, "T_0": 10, "peak_decay": 0.9, "cycles": 2}
    schedule = sgdr.WarmRestarts(**fields)
    for step in (0, 10, 15, 20, 25):
        assert sqlite_client.get("/v1/lr", params={**fields, "step": step}).json()["lr"] == schedule(step)
    limited = sqlite_client.get("/v1/restarts", params={**fields, "until": 10**15}).json()
    assert limited == {"restarts": [10], "troughs": [10, 20]}


def test_a_schedule_is_sent_as_the_library_writes_it(sqlite_client):
    for shape, fields in ASKED.items():
        schedule = sgdr.Warmup(library_schedule(shape, fields), 3)
        answer = sqlite_client.post("/v1/lr", json={"schedule": schedule.to_dict(), "steps": STEPS})
        assert answer.json()["lr"] == schedule(np.array(STEPS)).tolist()


@pytest.mark.parametrize(
    ("fields", "location", "words"),
    [
        ({"shape": "wave"}, "shape", "'restarts', 'cosine', 'constant', 'one-cycle'"),
        ({"shape": "one-cycle", "base_lr": 0.1}, "length", "is missing"),
        ({"shape": "one-cycle", "base_lr": 0.1, "length": -1}, "length", "greater than 0"),
        ({"shape": "one-cycle", "base_lr": 1, "length": 9, "pct_final": 0.1}, "pct_final", "must exceed"),
        ({"shape": "one-cycle", "base_lr": 1, "length": 9, "anneal": "x"}, "anneal", "'cosine' or 'linear'"),
        ({"shape": "cyclic", "base_lr": 0.1, "up": 5, "eta_min": 1}, "eta_min", "must not exceed"),
        ({"shape": "cyclic", "base_lr": 0.1, "up": 5, "down": 1e200}, "down", "less than or equal to"),
        ({"shape": "step-decay", "base_lr": 0.1, "milestones": [9, 3]}, "milestones", "rising order"),
        ({"shape": "joined", "schedules": [RESTARTS], "milestones": [3]}, "milestones", "one fewer"),
        ({"shape": "joined", "schedules": [{}], "milestones": []}, "schedules.0.base_lr", "is missing"),
        (
            {"shape": "warmup", "schedule": {**RESTARTS, "eta_min": 9}, "steps": 2},
            "schedule.eta_min",
            "exceed",
        ),
        ({**RESTARTS, "warmup": -1}, "warmup", "greater than or equal to 0"),
        ({**RESTARTS, "cycles": 0}, "cycles", "greater than or equal to 1"),
        ({**RESTARTS, "length": 5}, "length", ""),
    ],
)
def test_a_bad_field_is_refused_where_it_is(sqlite_client, is_problem, fields, location, words):
    known = ("shape", "milestones") if fields.get("schedules") == [{}] else ()  # a query has no empty list
    if not known:
        refused = is_problem(sqlite_client.get("/v1/lr", params={**as_query(fields), "step": 1}), 422)
        assert refused["errors"][0]["location"] == f"query.{location}"
    problem = is_problem(sqlite_client.post("/v1/lr", json={"schedule": fields, "steps": [1]}), 422, words)
    assert problem["errors"][0]["location"] == f"body.schedule.{location}"


def test_a_text_that_is_no_schedule_is_refused(sqlite_client, is_problem):
    asked = {"shape": "warmup", "steps": 2, "step": 1}
    refused = is_problem(sqlite_client.get("/v1/lr", params={**asked, "schedule": "{"}), 422, "as JSON, e.g.")
    assert refused["errors"][0]["location"] == "query.schedule"
    is_problem(sqlite_client.get("/v1/lr", params={**asked, "schedule": "5"}), 422, "schedule: ")


def test_what_would_take_minutes_or_is_beyond_floats_is_refused(sqlite_client, is_problem):
    def post(schedule, steps):
        return sqlite_client.post("/v1/lr", json={"schedule": schedule, "steps": steps})

    many = {"shape": "step-decay", "base_lr": 1, "milestones": list(range(1, 91))}
    is_problem(post(many, {"stop": 10**6}), 422, "of a schedule of 91 parts at most 109,890 steps")
    assert post(many, {"stop": 100}).status_code == 200
    is_problem(post({"shape": "chained", "schedules": [many, many]}, [1]), 422, "at most 100 parts")
    deep = RESTARTS
    for _ in range(120):
        deep = {"shape": "warmup", "schedule": deep, "steps": 1}
    assert post(deep, [1]).status_code == 422
    huge = {"shape": "chained", "schedules": [{**RESTARTS, "base_lr": 1e200}] * 2}
    is_problem(post(huge, [0]), 422, "beyond what floats can hold")
    is_problem(sqlite_client.get("/v1/lr", params={**as_query(huge), "step": 0}), 422, "beyond")
    fast = {"shape": "cyclic", "base_lr": 1, "up": 1e-300}
    is_problem(post(fast, {"stop": 10**6}), 422, "at most 1,000 are answered at once")
    is_problem(
        sqlite_client.get("/v1/restarts", params={**fast, "until": 9}), 422, "more than 100,000 cycles"
    )


def test_cycles_of_a_part_count_within_it_alone(sqlite_client):
    joined = {"shape": "joined", "schedules": [{**RESTARTS, "T_0": 1}, DECAY | {"shape": "step-decay"}]}
    answer = sqlite_client.get("/v1/restarts", params={**as_query(joined), "milestones": 3, "until": 10**9})
    assert answer.json() == {"restarts": [1, 2], "troughs": [1, 2, 3]}


@pytest.mark.parametrize("shape", ["one-cycle", "step-decay", "cyclic"])
def test_the_best_rate_is_told_of_every_shape(open_client, copied, monkeypatch, shape):
    from dataclasses import replace

    from sgdr.search.study.study import Study

    schedule, top = library_schedule(shape, ASKED[shape]), Study.top
    monkeypatch.setattr(
        Study, "top", lambda self, k: [replace(best, schedule=schedule) for best in top(self, k)]
    )
    with open_client(f"sqlite:///{copied}") as client:
        answer = client.get("/v1/studies/digits/best/lr?step=30&steps_per_epoch=7").json()
    assert answer["lr"] == schedule.scaled(7)(30) and answer["cycle"] is None
