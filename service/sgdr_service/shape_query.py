"""A schedule of any shape in a query: how it is read, and how the document describes its parameters.

Each shape is read by one validator of its own. Twenty parameters of one function, most of them for other
shapes, would take longer than the rate does, and could not say which of them a shape needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_origin

from fastapi.exceptions import RequestValidationError
from pydantic import Field, TypeAdapter, ValidationError, create_model
from pydantic_core import from_json
from starlette.datastructures import QueryParams

from sgdr.shapes import PARAMETERS, Schedule
from sgdr_service.parameter_types import Step
from sgdr_service.problems import invalid
from sgdr_service.shapes import DEFAULT, MODELS, NESTED, AnyShape, Shaped

LISTS = {
    name
    for model in MODELS.values()
    for name, field in model.model_fields.items()
    if get_origin(field.annotation) is list
}
"""Parameters that are given once for each of their values."""
EXAMPLE = '{"base_lr": 0.1, "T_0": 10}'
_ANY_SHAPE: TypeAdapter[Shaped] = TypeAdapter(AnyShape)


class ScheduleQuery:
    """A schedule and one number more, such as the step at which its rate is wanted."""

    def __init__(self, number: str, description: str, example: int) -> None:
        self._number = number
        field = Annotated[Step, Field(description=description, examples=[example])]
        extra: dict[str, Any] = {number: (field, ...)}
        self._models = {
            shape: create_model(f"{model.__name__}And{number.title()}", __base__=model, **extra)
            for shape, model in MODELS.items()
        }

    def read(self, params: QueryParams) -> tuple[Schedule, float]:
        """The schedule and the number. Raises a problem, or FastAPI's error, for what cannot be."""
        values: dict[str, Any] = dict(params)
        model = self._models.get(values.get("shape", DEFAULT))
        if model is None:
            known = ", ".join(MODELS)
            raise invalid("query.shape", f"shape: must be one of {known}, got {values['shape'][:100]!r}")
        foreign = next((name for name in values if name not in model.model_fields), None)
        if foreign is not None:
            raise invalid(
                f"query.{foreign}",
                f"{foreign}: is no field of shape={values.get('shape', DEFAULT)}; there are "
                f"{', '.join(model.model_fields)}",
            )
        for name in LISTS & values.keys():
            values[name] = params.getlist(name)
        for name in NESTED & values.keys():
            values[name] = _nested(name, values[name])
        try:
            query = model.__pydantic_validator__.validate_python(values, strict=False)
        except ValidationError as error:
            raise _faults(error, ()) from None
        return query.to_schedule("query"), query.__dict__[self._number]

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """The parameters for OpenAPI, one for each field that any shape has."""
        schemas: dict[str, list[dict[str, Any]]] = {}
        for model in self._models.values():
            for name, schema in model.model_json_schema()["properties"].items():
                schemas.setdefault(name, []).append(schema)
        schemas[self._number] = schemas.pop(self._number)  # last
        return [self._parameter(name, of_shapes) for name, of_shapes in schemas.items()]

    def _parameter(self, name: str, schemas: list[dict[str, Any]]) -> dict[str, Any]:
        schema = {key: value for key, value in schemas[0].items() if key not in ("title", "description")}
        if any(other.get("default") != schema.get("default") for other in schemas):
            schema.pop("default", None)
        description = schemas[0].get("description", "The shape of the schedule.")
        if name == "shape":
            schema = {"type": "string", "enum": list(MODELS), "default": DEFAULT}
        elif name in NESTED:
            text = {"type": "string", "contentMediaType": "application/json"}
            schema = {**text, "examples": [EXAMPLE]}
            if name in LISTS:
                schema = {"type": "array", "items": text, "examples": [[EXAMPLE]]}
            description += " As JSON, with the fields of its shape."
        elif "anyOf" in schema:  # a query has no null
            schema["anyOf"] = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
        needed = name == self._number
        shapes = [shape for shape, fields in PARAMETERS.items() if name in fields]
        if shapes:
            description += f" Of {' and '.join(_told(name, shapes))}."
        return {"name": name, "in": "query", "required": needed, "description": description, "schema": schema}


def _nested(name: str, asked: str | list[str]) -> Shaped | list[Shaped]:
    if isinstance(asked, list):
        return [_from_json((name, str(place)), text) for place, text in enumerate(asked)]
    return _from_json((name,), asked)


def _from_json(place: tuple[str, ...], text: str) -> Shaped:
    try:
        return _ANY_SHAPE.validate_python(from_json(text))
    except ValidationError as error:
        raise _faults(error, place) from None
    except ValueError as error:
        name = ".".join(place)
        words = f"{name}: must be a schedule as JSON, e.g. {EXAMPLE}, got no JSON: {error}"
        raise invalid(f"query.{name}", words) from None


def _faults(error: ValidationError, place: tuple[str, ...]) -> RequestValidationError:
    """The error as FastAPI raises it for a query."""
    return RequestValidationError(
        [{**fault, "loc": ("query", *place, *fault["loc"])} for fault in error.errors()]
    )


def _told(name: str, shapes: list[str]) -> Iterator[str]:
    """Each shape, and whether it needs the field."""
    for shape in shapes:
        default = PARAMETERS[shape][name].default
        yield f"{shape} (needed)" if default is PARAMETERS[shape][name].empty else shape
