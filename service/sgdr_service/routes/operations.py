"""What those who run the service ask: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict

from sgdr_service import problems
from sgdr_service.metrics import Metrics
from sgdr_service.strict_params import StrictRoute
from sgdr_service.study_cache import Library

health_router = APIRouter(tags=["operations"], route_class=StrictRoute)
metrics_router = APIRouter(tags=["operations"], route_class=StrictRoute)


class Health(BaseModel):
    """Well."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})
    status: Literal["ok"]


@health_router.get(
    "/healthz", response_model=Health, responses=problems.responses(422), summary="Is it alive?"
)
async def healthz() -> Health:
    """Answers as long as the process does."""
    return Health(status="ok")


@health_router.get(
    "/readyz", response_model=Health, responses=problems.responses(422, 503), summary="Is it ready?"
)
def readyz(request: Request) -> Health:
    """Answers when the storage can be read, else 503."""
    library: Library = request.app.state.library
    library.check()
    return Health(status="ok")


@metrics_router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"example": 'sgdr_sweeps{state="running"} 1.0'}}},
        **problems.responses(422),
    },
    summary="For Prometheus",
)
def metrics(request: Request) -> Response:
    """Requests and latencies since the start, sweeps by state and trials by outcome as they are now."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
