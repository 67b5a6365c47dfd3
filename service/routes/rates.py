"""`/v1/lr` and `/v1/restarts`: pure functions of a schedule. Nothing here touches JAX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import to_json

from service import problems
from service.fields import LARGEST_STEP, CyclePosition, Factor, Floor, Length, Rate, Step
from service.pure import pure
from service.strict import StrictRoute
from sgdr.cycles import CYCLES_IN_FLOATS, cycles_of
from sgdr.schedule import WarmRestarts

MOST_IN_RANGE = 1_000_000
MOST_LISTED = 100_000
MOST_CYCLES = 100_000
"""That are listed at once."""
FAR_STEP, FAR_CYCLE = 2**53, 2**46
"""From here on floats do not tell steps or cycles apart, and each step is worked out alone, slowly."""
MOST_FAR = 1000
"""Steps up to there at once."""

router = APIRouter(prefix="/v1", tags=["rates"], route_class=StrictRoute)

BaseLr = Annotated[Rate, Query(description="The peak rate.", examples=[0.1])]
T0 = Annotated[
    Length, Query(description="Length of the first cycle, in the unit of the steps.", examples=[10])
]
TMult = Annotated[
    Factor, Query(description="Each cycle is this many times longer than the last.", examples=[2])
]
EtaMin = Annotated[Floor, Query(description="The lowest rate, at most base_lr.", examples=[0.0001])]


class StepRate(BaseModel):
    """The learning rate at a step."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "step": 37,
                    "lr": 0.09263937620948691,
                    "cycle": {"index": 2, "start": 30, "length": 40, "position": 7},
                }
            ]
        }
    )
    step: int | float
    lr: float
    cycle: CyclePosition


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 5.0 is the whole number 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)


class Schedule(BaseModel):
    """Cosine annealing with warm restarts, in any unit of steps."""

    model_config = ConfigDict(extra="forbid", strict=True)
    base_lr: Rate = Field(description="The peak rate.")
    T_0: Length = Field(description="Length of the first cycle.")
    T_mult: Factor = 1
    eta_min: Floor = 0.0
    peak_decay: float = Field(1.0, gt=0, le=1, description="Each restart's peak is the last one times this.")
    cycles: Annotated[int, Field(ge=1), Whole] | None = Field(
        None, description="Afterwards the rate stays at eta_min."
    )

    def made(self) -> WarmRestarts:
        """The schedule. Raises a problem where its fields do not go together."""
        return schedule("body.schedule.eta_min", **self.model_dump())


class StepRange(BaseModel):
    """start, start + stride, … below stop."""

    model_config = ConfigDict(extra="forbid", strict=True)
    start: Annotated[int, Field(ge=0, le=LARGEST_STEP), Whole] = 0
    stop: Annotated[int, Field(gt=0, le=LARGEST_STEP), Whole]
    stride: Annotated[int, Field(ge=1, le=LARGEST_STEP), Whole] = 1

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        count = max(0, -(-(self.stop - self.start) // self.stride))
        if not 0 < count <= MOST_IN_RANGE:
            raise ValueError(f"a range must have 1 to {MOST_IN_RANGE:,} steps, this one has {count:,}")
        return self


def _kind(steps: Any) -> str:
    """Which of the two forms is meant, so that only its faults are told."""
    return "list" if isinstance(steps, list) else "range"


class RatesRequest(BaseModel):
    """A schedule, and the steps at which its rate is wanted."""

    model_config = ConfigDict(extra="forbid", strict=True)
    schedule: Schedule
    steps: Annotated[
        Annotated[list[Step], Field(min_length=1, max_length=MOST_LISTED), Tag("list")]
        | Annotated[StepRange, Tag("range")],
        Discriminator(_kind),
    ]


class Rates(BaseModel):
    """Learning rates by step."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"steps": [0, 10, 20], "lr": [0.1, 0.1, 0.05]}]}
    )
    steps: list[int | float]
    lr: list[float]


class Restarts(BaseModel):
    """Where cycles begin and end."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"restarts": [10, 30, 70], "troughs": [10, 30, 70]}]}
    )
    restarts: list[int] = Field(description="Steps below `until` at which the rate is back at its peak.")
    troughs: list[int] = Field(description="Ends of cycles up to `until`: completed steps.")


def schedule(location: str, **fields: float | None) -> WarmRestarts:
    """The schedule with these fields. Raises a problem at that place of eta_min where it exceeds base_lr."""
    try:
        return WarmRestarts(**fields)
    except ValueError as error:
        raise problems.invalid(location, str(error)) from None


@router.get("/lr", response_model=StepRate, responses=problems.responses(422), summary="The rate at a step")
async def lr(
    request: Request,
    base_lr: BaseLr,
    T_0: T0,
    step: Annotated[Step, Query(description="From 0; may be fractional.", examples=[37])],
    T_mult: TMult = 1,
    eta_min: EtaMin = 0.0,
) -> Response:
    """The learning rate at one step, and the cycle that the step belongs to.

    The answer never changes: it has a strong ETag and may be kept for ever.
    """
    made = schedule("query.eta_min", base_lr=base_lr, T_0=T_0, T_mult=T_mult, eta_min=eta_min)
    if isinstance(T_mult, float):  # a table of its cycles takes milliseconds, in which others are answered
        return pure(request, await run_in_threadpool(_at, made, step))
    return pure(request, _at(made, step))


def _at(made: WarmRestarts, step: float) -> bytes:
    """A `StepRate` as JSON."""
    return to_json({"step": step, "lr": made(step), "cycle": made.cycle(step).to_dict()})


@router.post(
    "/lr", response_model=Rates, responses=problems.responses(413, 415, 422), summary="Rates at many steps"
)
def lrs(
    wanted: Annotated[
        RatesRequest,
        Body(
            openapi_examples={
                "range": {
                    "summary": "A whole schedule",
                    "value": {
                        "schedule": {"base_lr": 0.1, "T_0": 10, "T_mult": 2, "eta_min": 0.0001},
                        "steps": {"start": 0, "stop": 150, "stride": 1},
                    },
                },
                "list": {
                    "summary": "Some steps",
                    "value": {"schedule": {"base_lr": 0.1, "T_0": 10}, "steps": [0, 5, 9.5, 10]},
                },
            }
        ),
    ],
) -> Response:
    """The learning rates at up to 100,000 listed steps, or at a range of up to a million."""
    chosen = wanted.steps
    steps = (
        np.arange(chosen.start, chosen.stop, chosen.stride)
        if isinstance(chosen, StepRange)
        else np.array(chosen)
    )
    listed = steps.tolist() if isinstance(chosen, StepRange) else chosen
    return Response(
        to_json({"steps": listed, "lr": _rates(wanted.schedule.made(), steps, listed)}),
        media_type="application/json",
    )


def _rates(made: WarmRestarts, steps: NDArray[Any], listed: Sequence[float]) -> list[float]:
    """The rates at these steps, which are given in both forms. Raises a problem for many that are far."""
    last = steps.max().item()
    far = FAR_CYCLE if made.T_mult == 1 else CYCLES_IN_FLOATS
    if last < FAR_STEP and cycles_of(made.T_0, made.T_mult).locate(last)[0] < far:
        rates: list[float] = made(steps).tolist()
        return rates
    if len(listed) > MOST_FAR:
        raise problems.invalid(
            "body.steps",
            f"steps go up to {last!r}, where at most {MOST_FAR:,} are answered at once; lower them, raise "
            "T_0, or ask for fewer",
        )
    return [made(step) for step in listed]


@router.get(
    "/restarts", response_model=Restarts, responses=problems.responses(422), summary="Restarts and troughs"
)
def restarts(
    request: Request,
    base_lr: BaseLr,
    T_0: T0,
    until: Annotated[Step, Query(description="Restarts before it, troughs up to it.", examples=[100])],
    T_mult: TMult = 1,
    eta_min: EtaMin = 0.0,
) -> Response:
    """The steps at which cycles begin and end, at most 100,000 of them. The answer never changes."""
    made = schedule("query.eta_min", base_lr=base_lr, T_0=T_0, T_mult=T_mult, eta_min=eta_min)
    count = made.cycle(until).index
    if count > MOST_CYCLES:
        raise problems.invalid(
            "query.until", f"until={until!r} holds more than {MOST_CYCLES:,} cycles; lower it, or raise T_0"
        )
    troughs = made.troughs(budget=until)
    return pure(
        request, to_json({"restarts": [step for step in troughs if step < until], "troughs": troughs})
    )
