"""`/v1/sweeps`: searches that the service runs, each in a process of its own, named as its study."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, TypeVar
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
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
from sgdr_service.sweeps.refusals import Conflict, Full, Invalid, NotFound, NotOurs
from sgdr_service.sweeps.request import SweepRequest
from sgdr_service.sweeps.status import State, SweepStatus, status
from sgdr_service.sweeps.sweeps import Sweeps

RECONNECT_MILLISECONDS = 3000

Argument = TypeVar("Argument")

router = APIRouter(prefix="/v1/sweeps", tags=["sweeps"], route_class=StrictRoute)


def sweeps_of(request: Request) -> Sweeps:
    """The app's sweeps."""
    sweeps: Sweeps = request.app.state.sweeps
    return sweeps


Launcher = Annotated[Sweeps, Depends(sweeps_of)]


@router.post(
    "",
    status_code=202,
    response_model=SweepStatus,
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
                "cost": {"summary": "16 full trainings", "value": {"workload": "digits", "cost": 16}},
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
    return answer(begun, 202, Location=address(request.scope, f"/v1/sweeps/{quote(begun.id, safe='')}"))


@router.get(
    "", response_model=Page[SweepStatus], responses=problems.responses(422, 503), summary="All sweeps"
)
def sweeps(
    studies: Studies,
    state: Annotated[list[State] | None, Query(description="One or several.", examples=[["running"]])] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """Every sweep, also those that `sgdr sweep` has begun, by the name of its study."""
    statuses = map(status, studies.all())
    chosen = [sweep for sweep in statuses if state is None or sweep.state in state]
    return answer(cut(chosen, limit, offset, lambda sweep: sweep))


@router.get(
    "/{study}", response_model=SweepStatus, responses=problems.responses(404, 422, 503), summary="One sweep"
)
def sweep(study: Name, studies: Studies) -> Response:
    """How far a sweep is."""
    return answer(status(studies.study(study)))


async def state_now(study: Name, studies: Studies) -> str:
    """The sweep's state as JSON, so that a sweep that is not there is refused before the stream begins."""
    return await run_in_threadpool(state_of, studies, study)


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
    response_model=SweepStatus,
    dependencies=[Depends(auth.writing)],
    responses=problems.responses(401, 403, 404, 409, 422, 503),
    summary="Cancel a sweep",
)
async def cancel(request: Request, study: Name, launcher: Launcher, studies: Studies) -> Response:
    """Ends a sweep. Its finished trials stay, and `resume` goes on with it. What has ended stays as it is."""
    await run_in_threadpool(studies.study, study)  # what is no study is refused as everywhere
    try:
        cancelled = await _written(request, launcher.cancel, study)
    except NotFound as error:
        raise Problem(404, str(error)) from None
    except NotOurs as error:
        raise Problem(409, str(error)) from None
    except StorageError:
        raise _unreachable() from None
    return answer(cancelled, 202)


async def _written(request: Request, write: Callable[[Argument], SweepStatus], of: Argument) -> SweepStatus:
    """What writes, in one of a few threads of its own: a locked database must not stop all reading."""
    return await to_thread.run_sync(write, of, limiter=request.app.state.writers)


def state_of(studies: Library, study: str) -> str:
    """How a study's sweep stands, as JSON. Raises a problem where there is none."""
    return to_json(status(studies.study(study)), inf_nan_mode="null").decode()


def _goes_on(state: str) -> bool:
    return from_json(state)["state"] in ACTIVE


def _event(name: str, state: str) -> ServerSentEvent:
    return ServerSentEvent(raw_data=state, event=name, retry=RECONNECT_MILLISECONDS)


def _unreachable() -> Problem:
    return Problem(503, "the storage cannot be written at the moment", headers={"Retry-After": RETRY_SECONDS})
