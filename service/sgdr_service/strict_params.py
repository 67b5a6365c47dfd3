"""What a route does not know is refused: a misspelt `Tmult` must not mean T_mult = 1."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic_core import from_json

from sgdr_service.problems import FieldError, Problem


class StrictRoute(APIRoute):
    """A route with that rule; a parameter given twice, where one value is meant, is refused too.

    So is a body that is not JSON: browsers send other kinds for any page, without asking first.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the check."""
        handle = super().get_route_handler()
        parameters = dict(_query_parameters(self.dependant))
        lists = {name for name, annotation in parameters.items() if "list[" in str(annotation)}
        # A route that reads its query by itself names its parameters in the document alone.
        documented = {entry["name"]: entry for entry in (self.openapi_extra or {}).get("parameters", ())}
        lists |= {name for name, entry in documented.items() if entry["schema"].get("type") == "array"}
        known = [*parameters, *documented]

        async def handler(request: Request) -> Response:
            seen: set[str] = set()
            for name, _ in request.query_params.multi_items():
                if name not in known:
                    close = difflib.get_close_matches(name, known, 1, 0.5)
                    hint = f", do you mean {close[0]}?" if close else ""
                    raise _refused(name, f"is unknown{hint}; there are {', '.join(known) or 'none'}")
                if name in seen and name not in lists:
                    raise _refused(name, "is given more than once")
                seen.add(name)
            if self.body_field is not None and not _is_json(request.headers.get("content-type", "")):
                raise Problem(415, "send the body as JSON, with the header Content-Type: application/json")
            return await handle(_JsonRequest(request.scope, request.receive))

        return handler


class _JsonRequest(Request):
    """Reads a body by pydantic's parser: a list of fractions takes Python's three times as long."""

    async def json(self) -> Any:
        """The parsed body, as `Request` gives it, also in its errors."""
        try:
            return from_json(await self.body())
        except ValueError:
            return await super().json()  # which says where it is wrong


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _query_parameters(dependant: Dependant) -> Iterator[tuple[str, object]]:
    """Names and types, of its dependencies too."""
    for field in dependant.query_params:
        yield field.alias, field.field_info.annotation
    for dependency in dependant.dependencies:
        yield from _query_parameters(dependency)


def _refused(name: str, message: str) -> Problem:
    shown = name[:100]
    return Problem(
        422, f"{shown}: {message}", errors=[FieldError(location=f"query.{shown}", message=message)]
    )
