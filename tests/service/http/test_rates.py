"""`/v1/lr` and `/v1/restarts`: the library's numbers, and a clear refusal of everything else."""

import time
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sgdr

SCHEDULE = {"base_lr": 0.1, "T_0": 10, "T_mult": 2, "eta_min": 1e-4}
BAD_NUMBERS = [
    "nan",
    "inf",
    "-inf",
    "1e308",
    "1e309",
    "-1",
    "",
    "x",
    "true",
    "0x10",
    "1 1",
    "\0",
    "٣",
    "9" * 5000,
]
FAST_SECONDS = 5
"""Ten times what the slowest takes: what is worked out step by step would take minutes."""


@pytest.fixture(scope="module")
def client(sqlite_client):
    return sqlite_client  # rates know no storage


@given(
    base_lr=st.floats(1e-9, 1e9),
    T_0=st.integers(1, 10**6) | st.floats(1e-3, 1e6),
    T_mult=st.integers(1, 4) | st.floats(1, 4),
    share=st.floats(0, 1),
    step=st.integers(0, 2**63 - 1024) | st.floats(0, 1e15),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_rate_is_the_librarys_to_the_last_bit(client, base_lr, T_0, T_mult, share, step):
    schedule = sgdr.WarmRestarts(base_lr, T_0, T_mult, base_lr * share)
    fields = schedule.to_dict()
    cycle = asdict(schedule.cycle(step))
    one = client.get("/v1/lr", params={**fields, "step": step})
    assert one.json() == {"step": step, "lr": schedule(step), "cycle": cycle}
    many = client.post("/v1/lr", json={"schedule": fields, "steps": [step, 0]}).json()
    assert many["steps"] == [step, 0]
    assert many["lr"] in (schedule(np.array([step, 0])).tolist(), [schedule(step), schedule(0)])


def test_whole_numbers_stay_whole(client):
    answer = client.get("/v1/lr", params={**SCHEDULE, "step": 2**63 - 1024}).text
    at = sgdr.WarmRestarts(**SCHEDULE).cycle(2**63 - 1024)
    assert f'"start":{at.start},"length":{at.length},"position":{at.position}' in answer
    assert '"step":37.5' in client.get("/v1/lr", params={**SCHEDULE, "step": 37.5}).text


@pytest.mark.parametrize("value", BAD_NUMBERS, ids=[f"bad-{place}" for place in range(len(BAD_NUMBERS))])
@pytest.mark.parametrize("name", ["base_lr", "T_0", "T_mult", "eta_min", "step", "until"])
def test_a_bad_number_is_refused_by_its_name(client, is_problem, name, value):
    path, last = ("/v1/restarts", "until") if name == "until" else ("/v1/lr", "step")
    problem = is_problem(client.get(path, params={**SCHEDULE, last: 37, name: value}), 422, f"{name}: ")
    assert [error["location"] for error in problem["errors"]] == [f"query.{name}"] and len(
        problem["detail"]
    ) < 400


@pytest.mark.parametrize(
    ("name", "value"),
    [("T_0", "0"), ("T_0", "1e-400"), ("T_mult", "0.999"), ("base_lr", "0"), ("eta_min", "1.1e200")],
)
def test_a_number_out_of_its_bounds_is_refused(client, is_problem, name, value):
    is_problem(client.get("/v1/lr", params={**SCHEDULE, "step": 0, name: value}), 422, f"{name}: must be")


def test_a_floor_above_the_peak_is_refused_where_it_is(client, is_problem):
    above = {**SCHEDULE, "eta_min": 0.2}
    problem = is_problem(client.get("/v1/lr", params={**above, "step": 1}), 422, "eta_min must not exceed")
    assert problem["errors"][0]["location"] == "query.eta_min"
    problem = is_problem(
        client.post("/v1/lr", json={"schedule": above, "steps": [1]}), 422, "eta_min must not"
    )
    assert problem["errors"][0]["location"] == "body.schedule.eta_min"


def test_unknown_missing_and_repeated_parameters_are_refused(client, is_problem):
    is_problem(client.get("/v1/lr", params={"base_lr": 1}), 422, "T_0: is missing; step: is missing")
    misspelt = {"base_lr": 1, "T_0": 1, "Tmult": 2, "step": 1}
    is_problem(client.get("/v1/lr", params=misspelt), 422, "Tmult: is unknown, do you mean T_mult?")
    is_problem(client.get("/v1/lr?base_lr=1&T_0=1&step=1&step=2"), 422, "step: is given more than once")
    is_problem(client.get("/v1/lr", params={**misspelt, "\0ä": 1}), 422)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "steps: list should have at least 1 item"),
        ([0] * 100_001, "steps: list should have at most 100000 items"),
        ([1, -1], "steps.1: must be greater than or equal to 0, got -1"),
        (["1"], "steps.0: must be a valid number, got '1'"),
        ([True], "steps.0: must be a valid number, got True"),
        ([None], "steps.0: must be a valid number, got None"),
        ([1e200], "steps.0: must be less than or equal to"),
        ([10**400], "steps.0: "),
        ({"stop": 10**7}, "steps: a range must have 1 to 1,000,000 steps, this one has 10,000,000"),
        ({"stop": 2**63 - 1024}, "this one has 9,223,372,036,854,774,784"),
        ({"start": 5, "stop": 5}, "this one has 0"),
        ({"stop": 5.5}, "steps.stop: must be a valid integer, got 5.5"),
        ({"stop": "5"}, "steps.stop: must be a valid integer, got '5'"),
        ({"stop": 5, "stride": 0}, "steps.stride: must be greater than or equal to 1, got 0"),
        ({"stop": 5, "step": 1}, "steps.step: extra inputs are not permitted"),
        ({}, "steps.stop: is missing"),
        ("5", "steps: "),
        (None, "steps: "),
        (7, "steps: "),
    ],
    ids=lambda value: None if isinstance(value, str) and value.startswith("steps") else "",
)
def test_bad_steps_are_refused_in_one_line(client, is_problem, steps, words):
    problem = is_problem(client.post("/v1/lr", json={"schedule": SCHEDULE, "steps": steps}), 422, words)
    assert "\n" not in problem["detail"] and all(
        e["location"].startswith("body.steps") for e in problem["errors"]
    )


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["base_lr", "T_0", "T_mult", "eta_min", "peak_decay"])
def test_numbers_that_json_does_not_have_are_refused(client, is_problem, field, number):
    fields = ", ".join(
        f'"{name}": {number if name == field else value}'
        for name, value in {**SCHEDULE, "peak_decay": 1}.items()
    )
    text = f'{{"schedule": {{{fields}}}, "steps": [1]}}'
    problem = is_problem(
        client.post("/v1/lr", content=text, headers={"Content-Type": "application/json"}), 422
    )
    assert problem["errors"][0]["location"] == f"body.schedule.{field}"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0", id="nul"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b'{"\xe4": 1}', id="latin-1"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(
            b'{"schedule": {"base_lr": 1, "T_0": ' + b"9" * 5000 + b'}, "steps": [1]}', id="5,000 digits"
        ),
        pytest.param(b'{"\\ud800": 1}', id="half a surrogate pair as a name"),
        pytest.param(
            b'{"schedule": {"base_lr": 1, "T_0": "\\ud800"}, "steps": "\\ud800"}', id="and as a value"
        ),
    ],
)
def test_a_body_that_is_no_request_is_refused(client, is_problem, body):
    answer = client.post("/v1/lr", content=body, headers={"Content-Type": "application/json"})
    problem = is_problem(answer, 422)
    assert problem["errors"][0]["location"].startswith("body")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_a_body_of_another_kind_is_refused(client, is_problem, kind):
    answer = client.post("/v1/lr", content=b'{"steps": [1]}', headers={"Content-Type": kind})
    is_problem(answer, 415, "Content-Type: application/json")


def test_very_many_faults_are_told_in_short(client, is_problem):
    answer = client.post("/v1/lr", json={"schedule": SCHEDULE, "steps": ["x"] * 5_000})
    problem = is_problem(answer, 422, "; and 4997 more")
    assert len(problem["errors"]) == 100


def test_a_range_answers_like_a_list(client):
    schedule = {**SCHEDULE, "peak_decay": 0.5, "cycles": 3}
    steps = {"start": 3, "stop": 90, "stride": 7}
    by_range = client.post("/v1/lr", json={"schedule": schedule, "steps": steps}).json()
    assert by_range["steps"] == list(range(3, 90, 7))
    assert by_range == client.post("/v1/lr", json={"schedule": schedule, "steps": by_range["steps"]}).json()
    assert by_range["lr"] == [sgdr.WarmRestarts(**schedule)(step) for step in by_range["steps"]]


def test_a_million_steps_are_answered(client):
    answer = client.post("/v1/lr", json={"schedule": SCHEDULE, "steps": {"stop": 10**6}}).json()
    assert len(answer["lr"]) == 10**6 and answer["lr"][10] == 0.1
    last = {"start": 2**63 - 1025, "stop": 2**63 - 1024, "stride": 2**63 - 1024}
    assert client.post("/v1/lr", json={"schedule": SCHEDULE, "steps": last}).json()["steps"] == [2**63 - 1025]


@pytest.mark.parametrize(
    ("T_0", "T_mult"),
    [(1e-300, 1), (5e-324, 1.0000000000000002), (0.1, 1.0000001), (1e-300, 1e200), (2**63 - 1024, 1)],
)
def test_cycles_without_number_are_answered_fast_or_refused(client, is_problem, T_0, T_mult):
    began = time.monotonic()
    fields = {"base_lr": 0.1, "T_0": T_0, "T_mult": T_mult}
    schedule = sgdr.WarmRestarts(**fields)
    for step in (1, 9 * 10**18):
        assert client.get("/v1/lr", params={**fields, "step": step}).json()["lr"] == schedule(step)
    far = {"start": 9 * 10**18, "stop": 9 * 10**18 + 1000}
    answered = client.post("/v1/lr", json={"schedule": fields, "steps": far}).json()
    assert answered["lr"][::99] == [schedule(step) for step in answered["steps"][::99]]
    answer = client.post("/v1/lr", json={"schedule": fields, "steps": {**far, "stop": 9 * 10**18 + 10**6}})
    is_problem(answer, 422, "at most 1,000 are answered at once")
    answer = client.get("/v1/restarts", params={**fields, "until": 9 * 10**18})
    assert answer.status_code == (200 if T_0 > 1 or T_mult > 2 else 422), answer.text
    assert time.monotonic() - began < FAST_SECONDS


def test_the_number_of_cycles_bounds_what_is_looked_up_step_by_step(client, is_problem):
    fields = {"base_lr": 1, "T_0": 1e-300, "peak_decay": 1e-320, "cycles": 1}
    answer = client.post("/v1/lr", json={"schedule": fields, "steps": {"stop": 10**6}})
    is_problem(answer, 422, "at most 1,000 are answered at once")
    assert client.post("/v1/lr", json={"schedule": fields, "steps": [0, 1]}).json()["lr"] == [1, 0]


@pytest.mark.parametrize(
    ("until", "T_mult"), [(0, 2), (10, 2), (100, 2), (70.5, 2), (99_999, 1), (1000, 1.5)]
)
def test_restarts_and_troughs_are_the_librarys(client, until, T_mult):
    schedule = sgdr.WarmRestarts(0.1, 10, T_mult)
    answer = client.get("/v1/restarts", params={"base_lr": 0.1, "T_0": 10, "T_mult": T_mult, "until": until})
    assert answer.json() == {"restarts": schedule.restarts(until), "troughs": schedule.troughs(until)}


def test_a_hundred_thousand_cycles_are_listed_and_no_more(client, is_problem):
    fields = {"base_lr": 0.1, "T_0": 1}
    assert len(client.get("/v1/restarts", params={**fields, "until": 100_000}).json()["troughs"]) == 100_000
    is_problem(
        client.get("/v1/restarts", params={**fields, "until": 100_001}), 422, "more than 100,000 cycles"
    )


@pytest.mark.parametrize(
    "path", ["/v1/lr?base_lr=0.1&T_0=10&step=3", "/v1/restarts?base_lr=0.1&T_0=10&until=30"]
)
def test_a_pure_answer_is_kept_for_ever_and_not_sent_twice(client, path):
    first = client.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert tag[0] == tag[-1] == '"' and tag == client.get(path).headers["etag"]
    assert client.get(path.replace("10", "11")).headers["etag"] != tag
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == first.headers["cache-control"]
    for other in ('"x"', tag.strip('"'), ""):
        assert client.get(path, headers={"If-None-Match": other}).content == first.content
    refused = client.get("/v1/lr?base_lr=0", headers={"If-None-Match": "*"})
    assert refused.status_code == 422 and refused.headers["cache-control"] == "no-store"
