"""The best schedules: of a study, and over all studies of a workload."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from sgdr.choices import State
from sgdr.search.problem.objective import sign
from sgdr.search.study.study import Best, Study
from sgdr.stepping import Interval
from sgdr_service import problems
from sgdr_service.parameter_types import Step
from sgdr_service.presenters import coded
from sgdr_service.problems import Problem
from sgdr_service.routes.studies import Name, Studies, answer
from sgdr_service.schemas import BestList, BestOverall, BestRate, OverallList
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


@router.get(
    "/studies/{study}/best",
    response_model=BestList,
    responses=problems.responses(404, 422, 503),
    summary="A study's best schedules",
)
def best(
    study: Name,
    studies: Studies,
    k: K = 1,
    steps_per_epoch: StepsPerEpoch = None,
    interval: Asked = None,
) -> Response:
    """The k best schedules with code for every framework; the confirmed ones first.

    Parity says in words what the framework's own scheduler cannot do of warm restarts, and the nearest that
    it can; nothing of other shapes.

    Code changes the rate as the trial did: at every step, or once an epoch. Where a study does not know how
    many steps an epoch has, the code that needs it is a comment that says so: give `steps_per_epoch`, or, for
    torch and braintools, `interval=epoch` where the rate changed once an epoch.
    """
    read = studies.study(study)
    items = [coded(one, one.stepping.with_given(steps_per_epoch, interval)) for one in read.top(k)]
    return answer(BestList(items, total=read.counts.get(State.COMPLETE, 0)))


@router.get(
    "/studies/{study}/best/lr",
    response_model=BestRate,
    responses=problems.responses(404, 422, 503),
    summary="Its best schedule's rate at a step",
)
def best_lr(
    study: Name,
    studies: Studies,
    step: Annotated[
        Step, Query(description="Optimizer steps done; epochs for a workload without steps.", examples=[370])
    ],
    steps_per_epoch: StepsPerEpoch = None,
    interval: Asked = None,
) -> Response:
    """The rate at a step of the schedule that is best now. Another may be best tomorrow."""
    read = studies.study(study)
    first = next(iter(read.top(1)), None)
    if first is None:
        raise Problem(404, f"study {study!r} has no completed trial yet; {read.why_none()}")
    stepping = first.stepping.with_given(steps_per_epoch, interval)
    steps = stepping.steps_per_epoch
    return answer(
        BestRate(
            study=study,
            number=first.number,
            step=step,
            unit="epoch" if steps is None else "batch",
            steps_per_epoch=steps,
            lr=stepping.rate(first.schedule, step),
            cycle=cycle_at(first.schedule if steps is None else first.schedule.scaled(steps), step),
        )
    )


@router.get(
    "/best",
    response_model=OverallList,
    responses=problems.responses(404, 422, 503),
    summary="The best over all studies of a workload",
)
def best_overall(
    studies: Studies,
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
    of_workload = [
        study
        for study in studies.all()
        if study.stored.workload == workload and budget in (None, study.stored.budget)
    ]
    if not of_workload:
        of = "" if budget is None else f" with a budget of {budget}"
        raise Problem(404, f"there is no study of workload {workload!r}{of}; GET /v1/studies lists them")
    measured = _measure(max(of_workload, key=lambda study: (study.started is not None, study.started)))
    ranked = [(study, best) for study in of_workload if _measure(study) == measured for best in study.top(k)]
    ranked.sort(key=lambda pair: _place(pair[1], measured["direction"]))
    items = [
        BestOverall(
            **vars(coded(best, best.stepping.with_given(steps_per_epoch, interval))),
            study=study.name,
            **measured,
        )
        for study, best in ranked[:k]
    ]
    return answer(OverallList(items))


def _measure(study: Study) -> dict[str, Any]:
    return {name: getattr(study.stored, name) for name in ("metric", "direction")}


def _place(best: Best, direction: str) -> tuple[int, float]:
    """Confirmed ones, then unconfirmed ones, then those that failed on other seeds; the best first."""
    factor, confirmed = sign(direction), best.confirmed
    if confirmed is None:
        return 1, factor * best.value
    if confirmed.failed is not None or confirmed.mean is None:
        return 2, factor * best.value
    return 0, factor * confirmed.mean
