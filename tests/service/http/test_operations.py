"""`/healthz`, `/readyz`, `/metrics`, the workloads, and the log."""

import json
import logging
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sgdr_service.logs import JsonLines


def metrics(client):
    """The values by name and labels."""
    text = client.get("/metrics").text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_it_is_alive_and_ready(client):
    for path in ("/healthz", "/readyz"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/v1/workloads", "/v1/studies/tiny/verdict"]
)
def test_a_parameter_that_nobody_knows_is_refused(client, is_problem, path):
    is_problem(client.get(f"{path}?x=1"), 422, "x: is unknown; there are none")


def test_metrics_count_requests_and_tell_how_things_stand(client):
    before = metrics(client)
    client.get("/v1/lr?base_lr=1&T_0=1&step=1")
    client.get("/v1/studies/tiny")
    client.get("/v1/studies/nothing")
    client.get("/v1/nothing")
    after = metrics(client)

    def more(*key):
        return after[key] - before.get(key, 0)

    assert more("sgdr_requests_total", "/v1/lr", "200", "GET") == 1
    assert more("sgdr_requests_total", "/v1/studies/{study}", "200", "GET") == 1
    assert more("sgdr_requests_total", "/v1/studies/{study}", "404", "GET") == 1
    assert more("sgdr_requests_total", "404", "GET", "none") == 1
    assert more("sgdr_request_seconds_count", "/v1/lr") == 1
    assert after["sgdr_storage_up",] == 1 and after["sgdr_sweeps", "finished"] >= 3
    listed = client.get("/v1/studies").json()["items"]
    for outcome in ("complete", "pruned", "diverged"):
        assert after["sgdr_trials", outcome] == sum(study["outcomes"].get(outcome, 0) for study in listed)


def test_methods_that_nobody_knows_make_no_metric_of_their_own(sqlite_client):
    for place in range(20):
        sqlite_client.request(f"X{place}", "/healthz")
    unknown = {key for key in metrics(sqlite_client) if any(part.startswith("X") for part in key[1:])}
    assert not unknown


def test_workloads_are_those_that_are_installed(sqlite_client, is_problem):
    answer = sqlite_client.get("/v1/workloads").json()
    assert answer["total"] == len(answer["items"]) and "digits" in answer["items"]
    told = sqlite_client.get("/v1/workloads/digits").json()
    assert (told["name"], told["budget"], told["base_lr"]) == ("digits", 100, [0.001, 1.0])
    for name in ("nothing", "%00", "%FF", "os:system", "sgdr.workloads.digits:digits"):
        is_problem(sqlite_client.get(f"/v1/workloads/{name}"), 404, "there is no workload")


def test_a_line_of_the_log_is_one_json_object_whatever_is_in_it():
    try:
        raise ValueError("a\nb")
    except ValueError:
        record = logging.LogRecord(
            "service.x", logging.ERROR, "f", 1, "what\n%s", ("\ud800ü",), sys.exc_info()
        )
    record.path = '/"\n\x1b[31m'
    line = JsonLines().format(record)
    assert "\n" not in line and "\x1b" not in line and line.isascii()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "service.x", "what\n\ud800ü")
    assert entry["path"] == record.path and "Traceback" in entry["error"] and entry["time"].endswith("+00:00")


def test_a_request_is_one_line(sqlite_client, caplog):
    with caplog.at_level(logging.INFO, "service.access"):
        sqlite_client.get("/v1/studies/%0Aa?x=1", headers={"X-Request-ID": "mine"})
    (record,) = caplog.records
    line = json.loads(JsonLines().format(record))
    told = {name: line[name] for name in ("request_id", "method", "path", "status", "client")}
    assert told == {
        "request_id": "mine",
        "method": "GET",
        "path": "/v1/studies/\na",
        "status": 422,
        "client": "testclient",
    }
    assert line["ms"] > 0
