"""The numbers of a schedule as requests and answers have them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from sgdr.relatives import ANNEALS, MODES

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
NUMBERS: dict[str, Any] = {
    "base_lr": Annotated[Rate, Field(description="The peak rate.", examples=[0.1])],
    "T_0": Annotated[
        Length, Field(description="Length of the first cycle, in the unit of the steps.", examples=[10])
    ],
    "T_mult": Annotated[
        Factor, Field(description="Each cycle is this many times longer than the last.", examples=[2])
    ],
    "eta_min": Annotated[Floor, Field(description="The lowest rate, at most base_lr.", examples=[0.0001])],
    "peak_decay": Annotated[
        Decay, Field(description="Each restart's peak is the last one times this.", examples=[0.9])
    ],
    "cycles": Annotated[
        Count | None, Field(description="Afterwards the rate stays at eta_min.", examples=[2])
    ],
    "length": Annotated[Length, Field(description="Of the whole, in the unit of the steps.", examples=[100])],
    "pct_start": Annotated[
        Share, Field(description="The share of the length at which the rate is at its peak.", examples=[0.3])
    ],
    "div_factor": Annotated[
        Factor, Field(description="The first rate is base_lr divided by this.", examples=[25])
    ],
    "final_div_factor": Annotated[
        Factor, Field(description="The last rate is the first one divided by this.", examples=[10_000])
    ],
    "pct_final": Annotated[
        Share | None,
        Field(description="The share of the length at which a third phase begins.", examples=[0.85]),
    ],
    "anneal": Annotated[Literal[ANNEALS], Field(description="The form of every phase.")],
    "up": Annotated[HalfLength, Field(description="Length of the way up of each triangle.", examples=[20])],
    "down": Annotated[
        HalfLength | None, Field(description="Length of the way down; as long as up.", examples=[40])
    ],
    "mode": Annotated[Literal[MODES], Field(description="How the heights of triangles change.")],
    "gamma": Annotated[
        Decay, Field(description="By which each milestone, or step, lowers the rate.", examples=[0.1])
    ],
    "milestones": Annotated[
        list[Length],
        Field(
            max_length=MOST_PARTS,
            description="Steps from which on there is another rate, or schedule, in rising order.",
            examples=[[30, 60]],
        ),
    ],
    "steps": Annotated[
        Warming, Field(description="Length of the warm-up, in the unit of the steps.", examples=[5])
    ],
}
"""The fields of all shapes that are no schedules themselves, by name: what the library's names mean."""


class CyclePosition(BaseModel):
    """The cycle that a step belongs to, in the unit of the steps."""

    index: int = Field(description="From 0.")
    start: int | float
    length: int | float
    position: int | float = Field(description="Negative during a warm-up.")
