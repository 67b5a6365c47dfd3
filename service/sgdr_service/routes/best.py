"""The best schedules: of a study, and over all studies of a workload."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sgdr.search.study.study import Best, Study
from sgdr.stepping import Interval
from sgdr_service import problems
from sgdr_service.parameter_types import Step
from sgdr_service.presenters import coded
from sgdr_service.problems import Problem
from sgdr_service.routes.studies import Name, Studies, answer
from sgdr_service.schemas import CODED, OVERALL, BestOverall, BestRate, CodedBest
from sgdr_service.shapes import cycle_at
from sgdr_service.strict_params import StrictRoute

MOST_BEST = 100
LARGEST_EPOCH = 10**9

router = APIRouter(prefix="/v1", tags=["best"], route_class=StrictRoute)

K = Annotated[int, Query(ge=1, le=MOST_BEST, description="How many.", examples=[3])]
StepsPerEpoch = Annotated[
    int | None,
    Query(
        ge=1,
        le=LARGEST_EPOCH,
        description="Of your own training, where it is another than the study's: T_0 counts epochs.",
        examples=[391],
    ),
]
Asked = Annotated[
    Interval | None,
    Query(
        description="Of your own training, where it is another than the study's: whether the rate changes at "
        "every step or once an epoch.",
        examples=["step"],
    ),
]


class BestList(BaseModel):
    """The best first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [CODED], "total": 9}]})
    items: list[CodedBest]
    total: int = Field(description="Completed trials.")


class OverallList(BaseModel):
    """The best first: confirmed ones by their means, then the others by what the search found."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [OVERALL]}]})
    items: list[BestOverall]


@router.get(
    "/studies/{study}/best",
    response_model=BestList,
    responses=problems.responses(404, 422, 503),
    summary="A study's best schedules",
)
def best(
    study: Name,
    found: Studies,
    k: K = 1,
    steps_per_epoch: StepsPerEpoch = None,
    interval: Asked = None,
) -> Response:
    """The k best schedules with code for every framework; the confirmed ones first.

    Parity says in words what the framework's own scheduler cannot do of the schedule, and the nearest that
    it can.

    Code changes the rate as the trial did: at every step, or once an epoch. Where a study does not know how
    many steps an epoch has, the code that needs it is a comment that says so: give `steps_per_epoch`, or, for
    torch and braintools, `interval=epoch` where the rate changed once an epoch.
    """
    read = found.study(study)
    items = [coded(each, each.stepping.with_given(steps_per_epoch, interval)) for each in read.top(k)]
    return answer({"items": items, "total": read.counts.get("COMPLETE", 0)})


@router.get(
    "/studies/{study}/best/lr",
    response_model=BestRate,
    responses=problems.responses(404, 422, 503),
    summary="Its best schedule's rate at a step",
)
def best_lr(
    study: Name,
    found: Studies,
    step: Annotated[
        Step, Query(description="Optimizer steps done; epochs for a workload without steps.", examples=[370])
    ],
    steps_per_epoch: StepsPerEpoch = None,
    interval: Asked = None,
) -> Response:
    """The rate at a step of the schedule that is best now. Another may be best tomorrow."""
    read = found.study(study)
    top = read.top(1)
    if not top:
        raise Problem(404, f"study {study!r} has no completed trial yet; {read.why_none()}")
    stepping = top[0].stepping.with_given(steps_per_epoch, interval)
    steps = stepping.steps_per_epoch
    schedule = top[0].schedule if steps is None else top[0].schedule.scaled(steps)
    return answer(
        {
            "study": study,
            "number": top[0].number,
            "step": step,
            "unit": "epoch" if steps is None else "batch",
            "steps_per_epoch": steps,
            "lr": stepping.rate(top[0].schedule, step),
            "cycle": cycle_at(schedule, step),
        }
    )


@router.get(
    "/best",
    response_model=OverallList,
    responses=problems.responses(404, 422, 503),
    summary="The best over all studies of a workload",
)
def best_overall(
    found: Studies,
    workload: Annotated[str, Query(min_length=1, description="Its name.", examples=["digits"])],
    budget: Annotated[
        int | None,
        Query(ge=1, le=LARGEST_EPOCH, description="Of studies with this budget only.", examples=[100]),
    ] = None,
    k: K = 1,
    steps_per_epoch: StepsPerEpoch = None,
    interval: Asked = None,
) -> Response:
    """The best schedules of every study of a workload; confirmed ones before all others.

    Studies that measure another metric than the latest are left out: their values do not compare. Code and
    parity are as in a study's own best schedules.
    """
    studies = [
        each
        for each in found.all()
        if each.attributes["workload"] == workload and budget in (None, each.attributes["budget"])
    ]
    if not studies:
        of = "" if budget is None else f" with a budget of {budget}"
        raise Problem(404, f"there is no study of workload {workload!r}{of}; GET /v1/studies lists them")
    latest = max(studies, key=lambda each: (each.started is not None, each.started))
    measured = _measure(latest)
    ranked = [(each, best) for each in studies if _measure(each) == measured for best in each.top(k)]
    ranked.sort(key=lambda pair: _place(pair[1], measured[1]))
    items = [
        {
            **coded(best, best.stepping.with_given(steps_per_epoch, interval)),
            "study": each.name,
            "metric": measured[0],
            "direction": measured[1],
        }
        for each, best in ranked[:k]
    ]
    return answer({"items": items})


def _measure(study: Study) -> tuple[str, str]:
    return study.attributes["metric"], study.attributes["direction"]


def _place(best: Best, direction: str) -> tuple[int, float]:
    """Confirmed ones, then unconfirmed ones, then those that failed on other seeds; the best first."""
    sign = 1.0 if direction == "minimize" else -1.0
    again = best.confirmed
    if again is None:
        return 1, sign * best.value
    if again.failed is not None or again.mean is None:
        return 2, sign * best.value
    return 0, sign * again.mean
