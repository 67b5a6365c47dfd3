"""`/v1/lr` and `/v1/restarts`: pure functions of a schedule. Nothing here touches JAX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
from fastapi import APIRouter, Body, Request, Response
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, model_validator
from pydantic_core import to_json

from sgdr.cycles import Cycle
from sgdr.schedule import WarmRestarts
from sgdr.shapes import Schedule
from sgdr_service import problems
from sgdr_service.documented import documented
from sgdr_service.etag import pure
from sgdr_service.extent import cycles_until, is_far, parts
from sgdr_service.parameter_types import LARGEST_STEP, MOST_PARTS, Step, Whole
from sgdr_service.routes.studies import answer
from sgdr_service.shape_query import ScheduleQuery
from sgdr_service.shapes import AnyShape, cycle_at
from sgdr_service.strict_params import StrictRoute

MOST_IN_RANGE = 1_000_000
MOST_LISTED = 100_000
MOST_CYCLES = 100_000
"""Cycles that are listed at once."""
MOST_FAR = 1000
"""Steps at once that floats do not tell apart: each is worked out alone, slowly."""
MOST_WORK = 10_000_000
"""Steps times parts of a schedule at once."""

router = APIRouter(prefix="/v1", tags=["rates"], route_class=StrictRoute)

AT_STEP = ScheduleQuery("step", "From 0; may be fractional.", 37)
UNTIL = ScheduleQuery("until", "Restarts before it, troughs up to it.", 100)


@documented(
    {
        "step": 37,
        "lr": 0.09263937620948691,
        "cycle": {"index": 2, "start": 30, "length": 40, "position": 7},
    }
)
@dataclass
class StepRate:
    """The learning rate at a step."""

    step: int | float
    lr: float
    cycle: Cycle | None
    """null for a shape without cycles."""


STEP_RATE = TypeAdapter(StepRate)
"""What makes JSON of one, in half the time that it takes where the types are not known beforehand."""


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
    """The form of steps that is meant, list or range, so that only its faults are told."""
    return "list" if isinstance(steps, list) else "range"


class RatesRequest(BaseModel):
    """A schedule, and the steps at which its rate is wanted."""

    model_config = ConfigDict(extra="forbid", strict=True)
    schedule: AnyShape
    steps: Annotated[
        Annotated[list[Step], Field(min_length=1, max_length=MOST_LISTED), Tag("list")]
        | Annotated[StepRange, Tag("range")],
        Discriminator(_kind),
    ]


@documented({"steps": [0, 10, 20], "lr": [0.1, 0.1, 0.05]})
@dataclass
class Rates:
    """Learning rates by step."""

    steps: Sequence[int | float]
    lr: list[float]


@documented({"restarts": [10, 30, 70], "troughs": [10, 30, 70]})
@dataclass
class Restarts:
    """The steps at which cycles begin and end."""

    restarts: list[int]
    """Steps below `until` at which the rate is back at its peak."""
    troughs: list[int]
    """Ends of cycles up to `until`: completed steps."""


@router.get(
    "/lr",
    response_model=StepRate,
    responses=problems.responses(422),
    openapi_extra={"parameters": AT_STEP.parameters},
    summary="The rate at a step",
)
async def lr(request: Request) -> Response:
    """The learning rate at one step of a schedule of any shape, and the cycle that the step belongs to.

    The fields are those of `POST /v1/lr`; each shape has its own. The answer never changes: it has a strong
    ETag and may be kept for ever.
    """
    schedule, step = AT_STEP.read(request.query_params)
    if isinstance(schedule, WarmRestarts) and isinstance(schedule.T_mult, int):
        return pure(request, _at(schedule, step))
    # A table of cycles, or many parts, may take milliseconds, in which others are answered.
    return pure(request, await run_in_threadpool(_at, schedule, step))


def _at(schedule: Schedule, step: float) -> bytes:
    """A `StepRate` as JSON."""
    _check_parts(schedule, "query")
    (rate,) = _finite([_one(schedule, step)], "query.step")
    return STEP_RATE.dump_json(StepRate(step, rate, cycle_at(schedule, step)))


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
                "shape": {
                    "summary": "One cycle after a warm-up",
                    "value": {
                        "schedule": {"shape": "one-cycle", "base_lr": 0.1, "length": 90, "warmup": 10},
                        "steps": {"stop": 100},
                    },
                },
                "joined": {
                    "summary": "One schedule after another",
                    "value": {
                        "schedule": {
                            "shape": "joined",
                            "schedules": [
                                {"base_lr": 0.1, "T_0": 10},
                                {"shape": "step-decay", "base_lr": 0.01, "milestones": [20]},
                            ],
                            "milestones": [30],
                        },
                        "steps": [0, 30, 50],
                    },
                },
            }
        ),
    ],
) -> Response:
    """The learning rates at up to 100,000 listed steps, or at a range of up to a million.

    A schedule without the name of a shape is one of warm restarts. `kind` is taken for `shape`, so that the
    schedule of a study's best trial can be sent as it stands.
    """
    chosen = wanted.steps
    steps = (
        np.arange(chosen.start, chosen.stop, chosen.stride)
        if isinstance(chosen, StepRange)
        else np.array(chosen)
    )
    listed = steps.tolist() if isinstance(chosen, StepRange) else chosen
    schedule = wanted.schedule.to_schedule("body.schedule")
    return answer(Rates(listed, _rates(schedule, steps, listed)))


def _rates(schedule: Schedule, steps: NDArray[Any], listed: Sequence[float]) -> list[float]:
    """The rates at these steps, which are given in both forms. Raises a problem for more than can be done."""
    _check_parts(schedule, "body.schedule")
    most = MOST_WORK // parts(schedule)
    if len(listed) > most:
        raise problems.invalid(
            "body.steps",
            f"of a schedule of {parts(schedule)} parts at most {most:,} steps are answered at once, "
            f"these are {len(listed):,}; ask for fewer",
        )
    last = steps.max().item()
    if not is_far(schedule, last):
        with np.errstate(all="ignore"):
            rates: list[float] = schedule(steps).tolist()
        return _finite(rates, "body.schedule.base_lr")
    if len(listed) > MOST_FAR:
        raise problems.invalid(
            "body.steps",
            f"steps go up to {last!r}, where at most {MOST_FAR:,} are answered at once; lower them, raise "
            "T_0, or ask for fewer",
        )
    return _finite([_one(schedule, step) for step in listed], "body.schedule.base_lr")


def _one(schedule: Schedule, step: float) -> float:
    with np.errstate(all="ignore"):
        return schedule(step)


def _finite(rates: list[float], location: str) -> list[float]:
    """The rates. Raises a problem for one that is beyond floats: JSON has neither infinity nor NaN."""
    if not all(map(math.isfinite, rates)):
        raise problems.invalid(location, "a rate is beyond what floats can hold; lower base_lr")
    return rates


def _check_parts(schedule: Schedule, location: str) -> None:
    if parts(schedule) > MOST_PARTS:
        raise problems.invalid(
            location,
            f"a schedule may have at most {MOST_PARTS} parts, schedules and milestones, this one has "
            f"{parts(schedule):,}",
        )


@router.get(
    "/restarts",
    response_model=Restarts,
    responses=problems.responses(422),
    openapi_extra={"parameters": UNTIL.parameters},
    summary="Restarts and troughs",
)
def restarts(request: Request) -> Response:
    """The steps at which cycles of a schedule of any shape begin and end, at most 100,000 of them.

    The fields are those of `POST /v1/lr`. The answer never changes.
    """
    schedule, until = UNTIL.read(request.query_params)
    _check_parts(schedule, "query")
    if cycles_until(schedule, until) > MOST_CYCLES:
        raise problems.invalid(
            "query.until",
            f"until={until!r} holds more than {MOST_CYCLES:,} cycles; lower it, or lengthen the cycles",
        )
    return pure(request, to_json(Restarts(schedule.restarts(until), schedule.troughs(until))))
