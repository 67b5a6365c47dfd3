"""`/v1/sweeps`: searches that the service runs, each in a process of its own, named as its study."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json

from sgdr.search.storage.connect import StorageError
from sgdr_service import auth, problems
from sgdr_service.events import Feeds
from sgdr_service.paging import Limit, Offset, Page, cut
from sgdr_service.problems import Problem
from sgdr_service.root_path import address
from sgdr_service.routes.studies import Name, Studies, answer
from sgdr_service.strict_params import StrictRoute
from sgdr_service.study_cache import RETRY_SECONDS, Library
from sgdr_service.sweeps.declarations import WorkloadUnavailable
from sgdr_service.sweeps.record import ACTIVE
from sgdr_service.sweeps.request import SweepRequest
from sgdr_service.sweeps.status import SweepStatus, status
from sgdr_service.sweeps.sweeps import Conflict, Full, Invalid, NotFound, NotOurs, Sweeps

State = Literal[
    "queued",
    "running",
    "confirming",
    "cancelling",
    "finished",
    "timed out",
    "cancelled",
    "interrupted",
    "failed",
    "dead",
]
RECONNECT_MILLISECONDS = 3000

Argument = TypeVar("Argument")

router = APIRouter(prefix="/v1/sweeps", tags=["sweeps"], route_class=StrictRoute)


class BestValue(BaseModel):
    """The best completed trial so far."""

    number: int
    value: float


class Sweep(BaseModel):
    """A sweep, and how far it is. Times are ISO 8601, in UTC."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "digits",
                    "study": "digits",
                    "workload": "digits",
                    "launched_by": "service",
                    "state": "running",
                    "resumable": False,
                    "trials": 64,
                    "finished": 21,
                    "running": 16,
                    "workers": 1,
                    "outcomes": {"complete": 2, "pruned": 19, "running": 16},
                    "arms": {"restarts": 5, "cosine": 8, "constant": 8},
                    "best": {"number": 6, "value": 0.01938},
                    "requested": "2026-11-22T09:12:40.120+00:00",
                    "started": "2026-11-22T09:12:40.502+00:00",
                    "ended": None,
                    "error": None,
                    "host": "trainer",
                    "pid": 4711,
                    "request": {"workload": "digits", "trials": 64},
                }
            ]
        }
    )
    id: str = Field(description="The name of its study, which is swept by one sweep at a time.")
    study: str
    workload: str
    launched_by: Literal["service", "command line"]
    state: State = Field(description="dead: its process is gone without a word.")
    resumable: bool = Field(description="Whether a POST with resume=true goes on with it.")
    trials: int | None = Field(description="Asked for; null where the command line was.")
    finished: int = Field(description="Trials complete or pruned, those of earlier runs included.")
    running: int
    workers: int = Field(description="That are at work now.")
    outcomes: dict[str, int]
    arms: dict[str, int] = Field(description="Finished trials by arm.")
    best: BestValue | None
    requested: str | None
    started: str | None
    ended: str | None
    error: str | None = Field(description="Why it failed.")
    host: str | None
    pid: int | None
    request: dict[str, Any] | None = Field(description="All its arguments.")


def sweeps_of(request: Request) -> Sweeps:
    """The app's sweeps."""
    found: Sweeps = request.app.state.sweeps
    return found


Launcher = Annotated[Sweeps, Depends(sweeps_of)]


@router.post(
    "",
    status_code=202,
    response_model=Sweep,
    dependencies=[Depends(auth.writing)],
    responses={
        202: {"headers": {"Location": {"description": "Of the sweep.", "schema": {"type": "string"}}}},
        **problems.responses(401, 403, 409, 413, 415, 422, 429, 503),
    },
    summary="Begin a sweep",
)
async def begin(
    request: Request,
    launcher: Launcher,
    wanted: Annotated[
        SweepRequest,
        Body(
            openapi_examples={
                "short": {"summary": "With defaults", "value": {"workload": "digits"}},
                "long": {
                    "summary": "A space of its own",
                    "value": {
                        "workload": "mnist1d",
                        "study": "mnist1d-short",
                        "trials": 128,
                        "budget": 60,
                        "base_lr": [0.01, 1.0],
                        "T_0": [5, 60],
                        "T_mult": [1, 2],
                        "eta_ratio": 0.0,
                        "timeout": 1800,
                        "confirm": True,
                    },
                },
                "ray": {
                    "summary": "Two workers on Ray, which share a GPU",
                    "value": {
                        "workload": "digits",
                        "study": "digits-ray",
                        "trials": 1024,
                        "engine": "ray",
                        "workers": 2,
                        "gpus_per_worker": 0.5,
                    },
                },
                "resume": {
                    "summary": "Go on",
                    "value": {"workload": "digits", "trials": 256, "resume": True},
                },
            }
        ),
    ],
) -> Response:
    """Checks everything, queues the sweep, and answers at once.

    It runs in a process of its own, which a restart of the service does not end. With a study that exists,
    `resume` goes on.
    """
    try:
        begun = await _written(request, launcher.submit, wanted)
    except Invalid as error:
        location = f"body.{error.field}" if error.field else "body"
        raise problems.invalid(location, str(error)) from None
    except Conflict as error:
        raise Problem(409, str(error)) from None
    except Full as error:
        raise Problem(429, str(error), headers={"Retry-After": "60"}) from None
    except WorkloadUnavailable as error:
        raise Problem(503, str(error)) from None
    except StorageError:
        raise _unreachable() from None
    made = answer(begun.to_dict())
    made.status_code = 202
    made.headers["Location"] = address(request.scope, f"/v1/sweeps/{quote(begun.id, safe='')}")
    return made


@router.get("", response_model=Page[Sweep], responses=problems.responses(422, 503), summary="All sweeps")
def sweeps(
    found: Studies,
    state: Annotated[list[State] | None, Query(description="One or several.", examples=[["running"]])] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """Every sweep, also those that `sgdr sweep` has begun, by the name of its study."""
    stand = [status(study) for study in found.all()]
    chosen = [each for each in stand if state is None or each.state in state]
    return answer(cut(chosen, limit, offset, lambda each: each.to_dict()))


@router.get(
    "/{study}", response_model=Sweep, responses=problems.responses(404, 422, 503), summary="One sweep"
)
def sweep(study: Name, found: Studies) -> Response:
    """How far a sweep is."""
    return answer(status(found.study(study)).to_dict())


async def state_now(study: Name, found: Studies) -> str:
    """The sweep's state as JSON, so that a sweep that is not there is refused before the stream begins."""
    return await run_in_threadpool(state_of, found, study)


@router.get(
    "/{study}/events",
    response_class=EventSourceResponse,
    responses={
        200: {
            "content": {
                "text/event-stream": {"example": 'event: progress\ndata: {"id":"digits","finished":21}\n\n'}
            }
        },
        **problems.responses(404, 422, 503),
    },
    summary="Its progress as it goes",
)
async def events(
    request: Request, study: Name, now: Annotated[str, Depends(state_now)]
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `progress` with the sweep as it stands, now and after every change, then `end`.

    The stream ends with the sweep.
    """
    feeds: Feeds[str] = request.app.state.feeds
    last = None
    async for state in feeds.follow(study):
        if state != last:
            last = state
            yield _event("progress", state)
        if not _goes_on(state):
            yield _event("end", state)
            return


@router.delete(
    "/{study}",
    status_code=202,
    response_model=Sweep,
    dependencies=[Depends(auth.writing)],
    responses=problems.responses(401, 403, 404, 409, 422, 503),
    summary="Cancel a sweep",
)
async def cancel(request: Request, study: Name, launcher: Launcher, found: Studies) -> Response:
    """Ends a sweep. Its finished trials stay, and `resume` goes on with it. What has ended stays as it is."""
    await run_in_threadpool(found.study, study)  # what is no study is refused as everywhere
    try:
        cancelled = await _written(request, launcher.cancel, study)
    except NotFound as error:
        raise Problem(404, str(error)) from None
    except NotOurs as error:
        raise Problem(409, str(error)) from None
    except StorageError:
        raise _unreachable() from None
    made = answer(cancelled.to_dict())
    made.status_code = 202
    return made


async def _written(request: Request, write: Callable[[Argument], SweepStatus], of: Argument) -> SweepStatus:
    """What writes, in one of a few threads of its own: a locked database must not stop all reading."""
    return await to_thread.run_sync(write, of, limiter=request.app.state.writers)


def state_of(found: Library, study: str) -> str:
    """How a study's sweep stands, as JSON. Raises a problem where there is none."""
    return to_json(status(found.study(study)).to_dict(), inf_nan_mode="null").decode()


def _goes_on(state: str) -> bool:
    return from_json(state)["state"] in ACTIVE


def _event(name: str, state: str) -> ServerSentEvent:
    return ServerSentEvent(raw_data=state, event=name, retry=RECONNECT_MILLISECONDS)


def _unreachable() -> Problem:
    return Problem(503, "the storage cannot be written at the moment", headers={"Retry-After": RETRY_SECONDS})
