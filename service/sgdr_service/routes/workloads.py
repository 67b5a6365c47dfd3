"""`/v1/workloads`: what can be swept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sgdr.choices import Direction
from sgdr.search.problem.lookup import registered
from sgdr_service import problems
from sgdr_service.problems import Problem
from sgdr_service.routes.studies import answer
from sgdr_service.strict_params import StrictRoute
from sgdr_service.sweeps.declarations import Declarations, WorkloadUnavailable

router = APIRouter(prefix="/v1/workloads", tags=["workloads"], route_class=StrictRoute)


class WorkloadNames(BaseModel):
    """The workloads that are installed here."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": ["digits", "mnist1d"], "total": 2}]})
    items: list[str]
    total: int


class WorkloadDetails(BaseModel):
    """What a workload declares."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "digits",
                    "kind": "arrays",
                    "metric": "error",
                    "select_metric": "select_error",
                    "direction": "minimize",
                    "budget": 100,
                    "steps_per_epoch": 20,
                    "base_lr": [0.001, 1.0],
                    "hparams": {},
                }
            ]
        }
    )
    name: str
    kind: Literal["arrays", "callable"] = Field(
        description="Pure functions of arrays, or any training function."
    )
    metric: str
    select_metric: str | None = Field(description="By which the epoch is chosen at which the metric is read.")
    direction: Direction
    budget: int = Field(description="Epochs of one trial, unless the sweep says otherwise.")
    steps_per_epoch: int | None
    base_lr: list[float] | None = Field(description="The range in which a sweep searches it.")
    hparams: dict[str, Any] = Field(description="Further values that it takes, as Optuna's distributions.")


@router.get("", responses=problems.responses(422), summary="All workloads")
def workloads() -> WorkloadNames:
    """The names that a sweep may give."""
    names = list(registered())
    return WorkloadNames(items=names, total=len(names))


@router.get(
    "/{workload}",
    response_model=WorkloadDetails,
    responses=problems.responses(404, 422, 503),
    summary="One workload",
)
def workload(
    request: Request, workload: Annotated[str, Path(description="Its name.", examples=["digits"])]
) -> Response:
    """What a workload declares. The first answer takes the seconds that its data take to load."""
    declarations: Declarations = request.app.state.declarations
    if workload not in registered():
        raise Problem(404, f"there is no workload {workload!r}; GET /v1/workloads lists them")
    try:
        declared = declarations.get(workload).to_dict()
    except WorkloadUnavailable as error:
        raise Problem(503, str(error)) from None
    return answer({name: declared[name] for name in WorkloadDetails.model_fields})
