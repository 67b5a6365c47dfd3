"""One shape for every error: RFC 9457 problem details, `application/problem+json`."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.routing import Match

from sgdr_service.documented import documented

MEDIA_TYPE = "application/problem+json"
REFERENCE = "#/components/schemas/{model}"
LONGEST_SHOWN = 200
"""Characters of a bad value that are shown."""
MOST_ERRORS = 100
"""Faults of one request that are told."""
LONGEST_TEXT = 2000
"""Characters of a text in an error: some of them quote the request."""


@dataclass
class FieldError:
    """What is wrong with one part of the request."""

    location: str
    """Where it is: query, path or body, and the path in it."""
    message: str

    def cut(self) -> FieldError:
        """The same with texts that are not too long."""
        return FieldError(_cut(self.location), _cut(self.message))


@documented(errors={"maxItems": MOST_ERRORS})
@dataclass
class ProblemDetails:
    """An error (RFC 9457)."""

    type: str
    title: str
    """The status in words."""
    status: int
    detail: str
    """What is wrong, and what to do."""
    instance: str
    """The path that was asked for."""
    request_id: str
    """The text by which the service's log knows the request."""
    errors: list[FieldError] = field(default_factory=list)
    """The first faults of a request that is not valid."""


class Problem(Exception):
    """Ends a request with that status."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, errors, dict(headers or {})


def problem(
    scope: Mapping[str, Any],
    status: int,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to the request of that scope."""
    try:
        title = http.HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    details = ProblemDetails(
        "about:blank",
        title,
        status,
        _cut(detail),
        instance=_cut(scope["path"]),
        request_id=scope.get("request_id", ""),
        errors=[error.cut() for error in errors],
    )
    content = {name: value for name, value in asdict(details).items() if name != "errors" or value}
    # JSON may quote half of a surrogate pair, which UTF-8 does not have: it is answered as it was quoted.
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")
    return Response(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def invalid(location: str, message: str) -> Problem:
    """A request that is not valid for a reason that its schema can't express."""
    return Problem(422, message, errors=[FieldError(location=location, message=message)])


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route with these statuses, for OpenAPI."""
    return {
        status: {
            "description": http.HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model=ProblemDetails.__name__)}}},
        }
        for status in statuses
    }


def schemas() -> dict[str, Any]:
    """The schemas of which `responses` speaks, for the components of the document."""
    schema = TypeAdapter(ProblemDetails).json_schema(ref_template=REFERENCE)
    return {**schema.pop("$defs"), ProblemDetails.__name__: schema}


def add_handlers(app: FastAPI) -> None:
    """Makes every error of the app a problem."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem(request.scope, error.status, error.detail, error.errors, error.headers)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # FastAPI's word for a body that Python's json cannot read
        fault = FieldError(
            location="body", message="is no JSON in UTF-8, or too deep, or has too long a number"
        )
        return problem(request.scope, 422, f"body: {fault.message}", [fault])
    if error.status_code == 404:
        return problem(
            request.scope, 404, "there is nothing at this path; GET /openapi.json lists what there is"
        )
    if error.status_code == 405:
        allowed = _allowed(request)
        detail = f"{request.method} is not possible here, only {allowed}"
        return problem(request.scope, 405, detail, headers={"Allow": allowed})
    return problem(request.scope, error.status_code, str(error.detail), headers=error.headers)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def _allowed(request: Request) -> str:
    """The methods of all routes of the path; Starlette names those of the first alone."""
    return ", ".join(
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    )


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults: dict[str, str] = {}
    for fault in error.errors():
        if fault["type"] == "json_invalid":
            faults["body"] = f"is no JSON: {fault['ctx']['error']} at character {fault['loc'][-1]}"
            continue
        location, message = _location(fault["loc"]), _message(fault)
        # Of several kinds of number that a value might have been, the widest is told last.
        faults[location] = message
    errors = [FieldError(location=location, message=message) for location, message in faults.items()]
    detail = "; ".join(
        f"{error.location.partition('.')[2] or error.location}: {error.message}" for error in errors[:3]
    )
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    return problem(request.scope, 422, detail + more, errors[:MOST_ERRORS])


_KINDS = frozenset(("int", "float", "constrained-int", "constrained-float"))


def _location(parts: Sequence[str | int]) -> str:
    """query.T_0, body.steps.3: without pydantic's names of the kinds that it tried."""
    return ".".join(str(part) for place, part in enumerate(parts) if place == 0 or not _is_kind(part))


def _is_kind(part: str | int) -> bool:
    return isinstance(part, str) and (
        part in _KINDS
        or part.startswith("shape:")
        or part.partition("[")[0] in ("list", "range", "function-after", "tagged-union")
    )


def _message(fault: Mapping[str, Any]) -> str:
    message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if fault["type"] == "missing":
        return "is missing"
    shown = repr(fault.get("input"))
    if len(shown) > LONGEST_SHOWN:
        shown = shown[:LONGEST_SHOWN] + "…"
    return f"{message[:1].lower()}{message[1:]}, got {shown}"
