"""The shapes of schedules as requests ask for them, a model each, of the fields that the library has."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import AliasChoices, BaseModel, ConfigDict, Discriminator, Field, Tag, create_model
from pydantic.json_schema import SkipJsonSchema

from sgdr.cycles import Cycle
from sgdr.errors import ArgumentError
from sgdr.formula import Formula
from sgdr.schedule import WarmRestarts
from sgdr.shapes import MAKERS, PARAMETERS, RESTARTS, Schedule
from sgdr.warmup import Warmup, unwarmed
from sgdr_service import problems
from sgdr_service.parameter_types import MOST_PARTS, NUMBERS, Warming

DEFAULT = RESTARTS.name
TAG = "shape:"
"""The prefix of the name of a shape, in pydantic's places of errors."""


class Shaped(BaseModel):
    """A schedule of one of the `MAKERS`. Its fields are the parameters of what makes it, and `warmup`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def to_schedule(self, location: str) -> Schedule:
        """The library's schedule. Raises a problem, at its place below `location`, for fields that do not go
        together."""
        fields = self.__dict__
        make = MAKERS[fields["shape"]]
        values = {name: fields[name] for name in PARAMETERS[fields["shape"]]}
        if "schedule" in values:
            values["schedule"] = values["schedule"].to_schedule(f"{location}.schedule")
        if "schedules" in values:
            inner = enumerate(values["schedules"])
            values["schedules"] = [one.to_schedule(f"{location}.schedules.{place}") for place, one in inner]
        try:
            schedule = make(**values)
            return Warmup(schedule, fields["warmup"]) if fields["warmup"] else schedule
        except ArgumentError as error:
            place = f"{location}.{error.name}" if error.name in values else location
            raise problems.invalid(place, str(error)) from None


def _shape_of(asked: Any) -> str:
    """The tag of the model by which a schedule is read: without the name of a shape, that of restarts."""
    if isinstance(asked, Mapping):
        named = asked.get("shape", asked.get("kind", DEFAULT))
        return TAG + named if isinstance(named, str) and named in MAKERS else f"{TAG}unknown"
    return TAG + (asked.__dict__["shape"] if isinstance(asked, Shaped) else DEFAULT)


_NESTED: dict[str, Any] = {
    "schedule": Annotated["AnyShape", Field(description="What follows the warm-up.")],
    "schedules": Annotated[
        list["AnyShape"], Field(min_length=1, max_length=MOST_PARTS, description="Of any shape each.")
    ],
}
NESTED = frozenset(_NESTED)
"""The fields that are schedules themselves."""


def _model(shape: str) -> type[Shaped]:
    make = MAKERS[shape]
    fields: dict[str, Any] = {
        "shape": (
            Literal[shape],
            Field(
                DEFAULT if shape == DEFAULT else ...,
                # As the dictionaries of the library's schedules, and of studies, have it.
                validation_alias=AliasChoices("shape", "kind"),
            ),
        )
    }
    for name, parameter in PARAMETERS[shape].items():
        needed = parameter.default is inspect.Parameter.empty
        fields[name] = ((NUMBERS | _NESTED)[name], ... if needed else parameter.default)
    fields["warmup"] = (
        Annotated[
            Warming,
            Field(
                description="Steps in which the rate rises from 0 before the schedule begins.", examples=[5]
            ),
        ],
        0,
    )
    name = make.__name__.title().replace("_", "") if inspect.isfunction(make) else make.__name__
    words = (inspect.getdoc(make) or "").partition("\n\n")[0].replace("`", "")
    return create_model(name, __base__=Shaped, __doc__=words, __module__=__name__, **fields)


MODELS = {shape: _model(shape) for shape in MAKERS}


class _Unknown(BaseModel):
    """Says which shapes there are, where another is asked for."""

    shape: Annotated[
        Literal[tuple(MAKERS)],  # type: ignore[valid-type]
        Field(validation_alias=AliasChoices("shape", "kind")),
    ]


if TYPE_CHECKING:
    AnyShape: TypeAlias = Shaped
else:  # of models that are known at run time alone
    AnyShape = Annotated[
        Union[
            (
                *(Annotated[model, Tag(TAG + shape)] for shape, model in MODELS.items()),
                SkipJsonSchema[Annotated[_Unknown, Tag(f"{TAG}unknown")]],
            )
        ],
        Discriminator(_shape_of),
    ]

for _model_of_shape in MODELS.values():
    _model_of_shape.model_rebuild(_types_namespace={"AnyShape": AnyShape})


def cycle_at(schedule: Schedule, step: float) -> Cycle | None:
    """The cycle of the step; None for a shape that has no cycles."""
    if isinstance(schedule, Formula) or not isinstance(unwarmed(schedule)[0], WarmRestarts):
        return None
    return schedule.cycle(step)
