"""The OpenAPI document: it can be tested by machine, and every operation has examples that hold."""

import json
import math
import re
import warnings
from collections import defaultdict
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

import jsonschema
import optuna
import pytest
import schemathesis
from optuna.trial import TrialState, create_trial
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.python.asgi import shutdown_lifespans
from sgdr_service.app import create_app
from sgdr_service.settings import Settings
from sgdr_service.sweeps.host_lock import HostLock
from sgdr_service.tokens import hashed

from experiments.bench.filled import DIGITS
from sgdr.relatives import OneCycle
from sgdr.search.evaluation.records import Record
from sgdr.search.study.verdict import Confirmed, Verdict

METHODS = ("get", "post", "delete")


class Exempt(NamedTuple):
    """What schemathesis calls a failure and is none: of a check, by a part of the answer."""

    check: str
    operation: str
    answer: str
    why: str


VALID, FREED = "positive_data_acceptance", "use_after_free"
RATES = ("/v1/lr", "/v1/restarts")
OF_SHAPES = {
    "is no field of shape=": "each shape has its own fields",
    "is missing": "each shape needs its own fields",
    "must be a schedule as JSON": "a text of a query that is a schedule",
    "pct_final must exceed": "relates two values",
    "in rising order": "relates several values",
    "milestones must be one fewer": "relates several values",
    "rate is beyond": "relates two values",
}
EXEMPT = [
    *(Exempt(VALID, path, answer, why) for path in RATES for answer, why in OF_SHAPES.items()),
    Exempt(VALID, "/v1/lr", "eta_min must not exceed base_lr", "relates two values"),
    Exempt(VALID, "/v1/restarts", "eta_min must not exceed base_lr", "relates two values"),
    Exempt(VALID, "/v1/restarts", "holds more than 100,000 cycles", "relates three values"),
    Exempt(VALID, "/v1/lr", "a range must have 1 to 1,000,000", "relates three values"),
    Exempt(VALID, "/v1/lr", "at most 1,000 are answered at once", "relates five values"),
    Exempt(VALID, "/v1/studies", "is no column of this study", "depends on the study"),
    Exempt(VALID, "/v1/sweeps", '"location":"body', "ranges, names and limits of a search"),
    Exempt("negative_data_rejection", "/v1/", "9.223372036854775e+18", "as a float it is the bound itself"),
    Exempt(FREED, "/v1/sweeps", '"state":', "a cancelled sweep stays, to be resumed"),
    Exempt(FREED, "/v1/studies", '"study":', "and so does its study"),
]


def failures(schema):
    """The failures of all phases and checks: the check, the operation, and the answer or what went wrong."""
    for event in from_schema(schema).execute():
        if type(event).__name__ in ("NonFatalError", "FatalError"):
            yield "error", "", str(event.__dict__)
        if type(event).__name__ != "ScenarioFinished":
            continue
        for case, checks in event.recorder.checks.items():
            for check in checks:
                if check.status != Status.SUCCESS and check.failure_info is not None:
                    interaction = event.recorder.interactions.get(case)
                    answer = interaction.response if interaction else None
                    words = answer.content.decode(errors="replace") if answer else ""
                    asked = check.failure_info.code_sample
                    yield check.name, asked, f"{check.failure_info.failure}\n{words}"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_operation_keeps_to_the_document(copied):
    url = f"sqlite:///{copied}"
    lock = HostLock("dispatch", url)
    assert lock.acquire()  # so that sweeps stay queued
    try:
        app = create_app(Settings(_env_file=None, storage=url, token_hash=hashed("t"), max_queued=10_000))
        app.state.declarations.known |= dict.fromkeys(("digits", "mnist1d"), DIGITS)
        headers = {"Host": "127.0.0.1"}
        config = SchemathesisConfig.from_dict(
            {
                "headers": {**headers, "Authorization": "Bearer t"},
                "seed": 0,
                "generation": {"max-examples": 10, "deterministic": True, "database": "none"},
            }
        )
        schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config, headers=headers)
        with warnings.catch_warnings():
            # Its tests of many operations leave Hypothesis strategies in reference cycles.
            warnings.simplefilter("ignore", ResourceWarning)
            failed = list(failures(schema))
        shutdown_lifespans()
        app.state.library.close()
        app.state.sweeps.close()
    finally:
        lock.release()
    left = [
        (check, asked, words)
        for check, asked, words in failed
        if not any(e.check == check and e.operation in asked and e.answer in words for e in EXEMPT)
    ]
    assert not left, "\n\n".join("\n".join(failure) for failure in left)


@pytest.fixture(scope="module")
def document(sqlite_client):
    return sqlite_client.get("/openapi.json").json()


def operations(document):
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def holds(document, schema, example):
    """Whether the example is valid."""
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(example)


def resolved(document, schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def with_nulls(document, schema, example):
    """The example with the nulls that FastAPI leaves out of the document."""
    schema = resolved(document, schema)
    kinds = [resolved(document, kind) for kind in schema.get("anyOf", [schema])]
    if isinstance(example, list):
        items = next(kind["items"] for kind in kinds if "items" in kind)
        return [with_nulls(document, items, item) for item in example]
    properties = next((kind["properties"] for kind in kinds if "properties" in kind), None)
    if not isinstance(example, dict) or properties is None:
        return example
    nulls = {name: None for name, kind in properties.items() if {"type": "null"} in kind.get("anyOf", [])}
    known = {name: with_nulls(document, properties.get(name, {}), value) for name, value in example.items()}
    return {**nulls, **known}


def test_the_document_has_all_routes(document):
    assert {name for name, _ in operations(document)} == {
        "GET /v1/lr",
        "POST /v1/lr",
        "GET /v1/restarts",
        "GET /v1/studies",
        "GET /v1/studies/{study}",
        "GET /v1/studies/{study}/trials",
        "GET /v1/studies/{study}/trials.csv",
        "GET /v1/studies/{study}/curves.csv",
        "GET /v1/studies/{study}/trials/{number}",
        "GET /v1/studies/{study}/verdict",
        "GET /v1/studies/{study}/answer",
        "GET /v1/studies/{study}/comparison",
        "GET /v1/studies/{study}/best",
        "GET /v1/studies/{study}/best/lr",
        "GET /v1/best",
        "GET /v1/sweeps",
        "POST /v1/sweeps",
        "GET /v1/sweeps/{study}",
        "DELETE /v1/sweeps/{study}",
        "GET /v1/sweeps/{study}/events",
        "GET /v1/workloads",
        "GET /v1/workloads/{workload}",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    }


def test_every_parameter_has_examples_that_hold(document):
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            schema = parameter["schema"]
            examples = schema.get("examples") or schema.get("enum") or [parameter.get("example")]
            assert examples != [None], (name, parameter["name"])
            for example in examples:
                holds(document, schema, example)
            assert parameter.get("description"), (name, parameter["name"])


def test_every_body_has_examples_that_hold(document):
    bodies = 0
    for name, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            examples = [example["value"] for example in content["examples"].values()]
            assert examples, name
            for example in examples:
                holds(document, content["schema"], example)
            bodies += 1
    assert bodies == 2


def test_every_answer_has_examples_that_hold(document):
    for name, operation in operations(document):
        good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        for kind, content in good["content"].items():
            if kind == "application/json":
                schema = content["schema"]
                examples = content.get("examples") or resolved(document, schema).get("examples")
                assert examples, name
                for example in examples:
                    holds(document, schema, with_nulls(document, schema, example))
            else:
                assert content.get("example") or content.get("examples"), (name, kind)


def test_every_error_is_documented_as_a_problem(document):
    for name, operation in operations(document):
        errors = {s: a for s, a in operation["responses"].items() if s.startswith(("4", "5"))}
        assert "500" in errors, name
        for answer in errors.values():
            assert list(answer["content"]) == ["application/problem+json"], name
        assert ("security" in operation) == (name in ("POST /v1/sweeps", "DELETE /v1/sweeps/{study}")), name


RATE = {"schedule": {"base_lr": 0.1, "T_0": 10}, "steps": [0, 9.5]}
ASKED = {
    "/v1/lr": ["?base_lr=0.1&T_0=10&step=37", "?shape=constant&base_lr=0.1&step=0.5", "?base_lr=0.1&T=3"],
    "/v1/restarts": ["?base_lr=0.1&T_0=10&until=100", "?base_lr=0.1&T_0=10&until=-1"],
    "/v1/best": ["?workload=digits&k=5", "?workload=tiny&k=5", "?workload=none"],
    "/v1/studies": ["", "?sort=none"],
    "/v1/studies/{study}/trials": ["?limit=1000", "?sort=none"],
    "/v1/studies/{study}/best": ["?k=5"],
    "/v1/studies/{study}/best/lr": ["?step=370", "?step=1.5&interval=epoch", "?step=-1"],
    "/v1/workloads/{workload}": [""],
}
"""What is asked of a path, where it is more than the path."""


@pytest.fixture
def odd_url(copied):
    """The studies, with what is rarely stored: a verdict without values, infinite numbers, foreign trials."""
    url = f"sqlite:///{copied}"
    lost = Confirmed(
        3, "one-cycle", OneCycle(0.1, 5), {"x": math.inf}, 0.5, {}, None, None, None, None, "diverged"
    )
    verdict = Verdict(
        "undecided", "none is left", (lost,), None, None, None, None, "error", "minimize", 64, 300
    )
    optuna.load_study(study_name="digits", storage=url).set_user_attr("verdict", verdict.attribute())
    study = optuna.load_study(study_name="tiny", storage=url)
    kept = Record(OneCycle(0.1, 5), {}, 6, diverged={1: 1, 2: 3})
    study.set_user_attr("comparison", [kept.to_dict(), 3])
    study.add_trial(create_trial(value=math.inf))
    study.add_trial(
        create_trial(state=TrialState.PRUNED, user_attrs={"diverged_at": "soon", "seconds": math.nan})
    )
    study.enqueue_trial({"base_lr": 0.5}, user_attrs={"schedule": 3, "error": 4})
    return url


def strict_document(client):
    """The document, by which no answer has a field that is not documented."""
    document = client.get("/openapi.json").json()
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return document


def answers(client, document):
    """Every path that is read as JSON, with the answers for every study and for one that is not there."""
    names = [study["study"] for study in client.get("/v1/studies").json()["items"]]
    for path, methods in document["paths"].items():
        if "application/json" in methods.get("get", methods)["responses"]["200"]["content"]:
            for name in [*names, "none"] if "{study}" in path else ["digits"]:
                for number in (0, 1, 8, 12, 13, 14) if "{number}" in path else [0]:
                    address = path.format(study=quote(name, safe=""), number=number, workload=name)
                    for query in ASKED.get(path, [""]):
                        yield path, client.get(address + query)


def held(document, path, method, answer):
    """Asserts that the answer is what the document says of it, and gives its status."""
    content = document["paths"][path][method]["responses"][str(answer.status_code)]["content"]
    holds(document, content[answer.headers["content-type"]]["schema"], answer.json())
    return answer.status_code


def hold_all(client):
    """Whether all answers of the client are what its document says, of every status that there may be."""
    document, statuses = strict_document(client), defaultdict(set)
    for path, answer in answers(client, document):
        statuses[path].add(held(document, path, "get", answer))
    assert all(200 in of_path for of_path in statuses.values()), statuses
    assert len(statuses) == 18 and {404, 422} < set.union(*statuses.values())
    for body, status in ((RATE, 200), (RATE | {"steps": {"stop": 3}}, 200), (RATE | {"steps": []}, 422)):
        assert held(document, "/v1/lr", "post", client.post("/v1/lr", json=body)) == status


def test_every_answer_is_what_the_document_says(sqlite_client):
    hold_all(sqlite_client)


@pytest.mark.parametrize("studies", ["shapes_url", "odd_url"])
def test_so_is_every_answer_about_other_shapes_and_what_is_rarely_stored(request, open_client, studies):
    with open_client(request.getfixturevalue(studies)) as client:
        hold_all(client)


def test_every_answer_about_a_sweep_is_what_the_document_says(open_client, tmp_path, authorized):
    with open_client(f"sqlite:///{tmp_path}/own.db", max_queued=1) as client:
        document, path = strict_document(client), "/v1/sweeps/{study}"
        begin = partial(client.post, "/v1/sweeps", headers=authorized)
        for body, status in (({"workload": "digits"}, 202), ({"workload": "digits"}, 409), ({}, 422)):
            assert held(document, "/v1/sweeps", "post", begin(json=body)) == status
        assert held(document, "/v1/sweeps", "post", client.post("/v1/sweeps", json={})) == 401
        assert held(document, "/v1/sweeps", "get", client.get("/v1/sweeps")) == 200
        assert held(document, path, "get", client.get("/v1/sweeps/digits")) == 200
        assert held(document, path, "delete", client.delete("/v1/sweeps/digits", headers=authorized)) == 202
        assert held(document, path, "delete", client.delete("/v1/sweeps/none", headers=authorized)) == 404


def test_every_reference_of_the_document_leads_somewhere(document):
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert "#/components/schemas/ProblemDetails" in references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference
