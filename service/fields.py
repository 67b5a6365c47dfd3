"""The numbers of a schedule as requests and answers have them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

LARGEST = 1e200
LARGEST_STEP = 2**63 - 1024
"""The largest that is an int64 and a float: OpenAPI's bounds are floats."""

# A whole number stays whole, since cycles of whole length are exact at any step.
Length = (
    Annotated[int, Field(gt=0, le=LARGEST_STEP)]
    | Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
)
Factor = (
    Annotated[int, Field(ge=1, le=LARGEST_STEP)]
    | Annotated[float, Field(ge=1, le=LARGEST, allow_inf_nan=False)]
)
Step = (
    Annotated[int, Field(ge=0, le=LARGEST_STEP)]
    | Annotated[float, Field(ge=0, le=LARGEST_STEP, allow_inf_nan=False)]
)
Rate = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
Floor = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]


class CyclePosition(BaseModel):
    """The cycle that a step belongs to, in the unit of the steps."""

    index: int = Field(description="From 0.")
    start: int | float
    length: int | float
    position: int | float
