"""The OpenAPI document: it can be tested by machine, and every operation has examples that hold."""

import warnings
from typing import NamedTuple

import jsonschema
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.python.asgi import shutdown_lifespans
from sgdr_service.app import create_app
from sgdr_service.settings import Settings
from sgdr_service.sweeps.host_lock import HostLock
from sgdr_service.tokens import hashed

from experiments.bench.filled import DIGITS

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
    """Of all phases and checks: the check, the operation, and the answer or what went wrong."""
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
def test_every_operation_keeps_to_the_document(copied):
    url = f"sqlite:///{copied}"
    lock = HostLock("dispatch", url)
    assert lock.acquire()  # so that sweeps stay queued
    try:
        app = create_app(Settings(_env_file=None, storage=url, token_hash=hashed("t"), max_queued=10_000))
        app.state.declarations._known |= dict.fromkeys(("digits", "mnist1d"), DIGITS)
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
            found = list(failures(schema))
        shutdown_lifespans()
        app.state.library.close()
        app.state.sweeps.close()
    finally:
        lock.release()
    left = [
        (check, asked, words)
        for check, asked, words in found
        if not any(e.check == check and e.operation in asked and e.answer in words for e in EXEMPT)
    ]
    assert not left, "\n\n".join("\n".join(each) for each in left)


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
        return [with_nulls(document, items, each) for each in example]
    properties = next((kind["properties"] for kind in kinds if "properties" in kind), None)
    if not isinstance(example, dict) or properties is None:
        return example
    nulls = {name: None for name, kind in properties.items() if {"type": "null"} in kind.get("anyOf", [])}
    known = {name: with_nulls(document, properties.get(name, {}), each) for name, each in example.items()}
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
            examples = [each["value"] for each in content["examples"].values()]
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
