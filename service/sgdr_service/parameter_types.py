"""The numbers of a schedule as requests and answers have them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sgdr.shapes import FIELDS, Meaning

LARGEST = 1e200
LARGEST_STEP = 2**63 - 1024
"""The largest that is an int64 and a float: OpenAPI's bounds are floats."""


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 5.0 is the whole number 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)

# A whole number stays whole, since cycles of whole length are exact at any step.
Length = (
    Annotated[int, Field(gt=0, le=LARGEST_STEP)]
    | Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
)
HalfLength = (
    Annotated[int, Field(gt=0, le=LARGEST_STEP)]
    | Annotated[float, Field(gt=0, le=LARGEST / 2, allow_inf_nan=False)]
)
"""Two of them are a length."""
Factor = (
    Annotated[int, Field(ge=1, le=LARGEST_STEP)]
    | Annotated[float, Field(ge=1, le=LARGEST, allow_inf_nan=False)]
)
Step = (
    Annotated[int, Field(ge=0, le=LARGEST_STEP)]
    | Annotated[float, Field(ge=0, le=LARGEST_STEP, allow_inf_nan=False)]
)
Count = Annotated[int, Field(ge=1, le=LARGEST_STEP), Whole]
Rate = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
Floor = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Decay = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(gt=0, lt=1)]

MOST_PARTS = 100
"""Schedules and milestones of which one schedule may consist, those inside of others included."""
Warming = Annotated[int, Field(ge=0, le=LARGEST_STEP), Whole]
FORMS: dict[str, Any] = {
    "rate": Rate,
    "floor": Floor,
    "decay": Decay,
    "share": Share,
    "share or none": Share | None,
    "factor": Factor,
    "count or none": Count | None,
    "length": Length,
    "half length": HalfLength,
    "half length or none": HalfLength | None,
    "lengths": Annotated[list[Length], Field(max_length=MOST_PARTS)],
    "steps": Warming,
}
"""What is taken for each kind of number of `sgdr.shapes.FIELDS`."""


def _described(meaning: Meaning) -> Any:
    form = meaning.form
    taken = FORMS[form] if isinstance(form, str) else Literal[form]
    examples = None if meaning.example is None else [meaning.example]
    return Annotated[taken, Field(description=meaning.words, examples=examples)]


NUMBERS = {name: _described(meaning) for name, meaning in FIELDS.items()}
"""The fields of all shapes that are no schedules themselves, by name."""
