"""The app: settings in, FastAPI out. Importing this starts nothing."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from sgdr.search.storage.connect import sqlite_file
from sgdr_service import auth, documentation, problems
from sgdr_service.events import Feeds
from sgdr_service.metrics import Metrics
from sgdr_service.middleware import Edge
from sgdr_service.root_path import RootPath, address
from sgdr_service.routes import best, operations, rates, studies, sweeps, workloads
from sgdr_service.sessions import Sessions
from sgdr_service.settings import Settings, read_settings
from sgdr_service.shutdown import closing_event
from sgdr_service.study_cache import Library
from sgdr_service.sweeps.declarations import Declarations
from sgdr_service.sweeps.dispatcher import Dispatcher
from sgdr_service.sweeps.status import status
from sgdr_service.sweeps.sweeps import Sweeps
from sgdr_service.tokens import kept_hash

DESCRIPTION = """
Learning rates of cosine annealing with warm restarts (SGDR) at any step, the best schedules that searches
have found, their trials and verdicts, and sweeps that search for new ones.

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem details. Reading is open on loopback;
writing needs the bearer token that `sgdr token` makes.
"""


WRITERS = 4
"""Requests that write at the same time; the others wait without a thread."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app for these settings; None: those of the environment. Raises ValueError as `check` does."""
    settings = read_settings() if settings is None else settings
    check(settings)
    app: FastAPI = FastAPIOffline(
        docs_url=None,
        redoc_url=None,
        static_url=documentation.STATIC,
        title="sgdr",
        version=importlib.metadata.version("sgdr"),
        summary="Warm-restart learning-rate schedules, served",
        description=DESCRIPTION,
        lifespan=_lifespan,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        responses={500: problems.responses(500)[500]},
    )
    app.openapi = partial(documentation.openapi, app)  # type: ignore[method-assign]
    library = Library(settings.storage)
    app.state.settings, app.state.library = settings, library
    app.state.sessions = Sessions(partial(auth.current_hash, settings))
    app.state.declarations = Declarations()
    app.state.writers = CapacityLimiter(WRITERS)
    app.state.sweeps = Sweeps(
        settings.storage,
        app.state.declarations,
        max_running=settings.max_running,
        max_queued=settings.max_queued,
        max_trials=settings.max_trials,
        max_budget=settings.max_budget,
        max_seconds=settings.max_seconds,
        max_workers=settings.max_workers,
        ray_address=settings.ray_address,
        checkpoints=settings.checkpoints,
    )
    app.state.metrics = Metrics(partial(_standing, library))
    problems.add_handlers(app)
    app.add_middleware(Edge, settings=settings, observe=app.state.metrics.observe)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "If-None-Match"),
            expose_headers=("ETag", "Location", "Retry-After", "X-Request-ID"),
        )
    may_read = [Depends(auth.reading)] if settings.reading_needs_token else []
    for router in (
        rates.router,
        best.router,
        studies.router,
        sweeps.router,
        workloads.router,
        operations.metrics_router,
    ):
        app.include_router(router, dependencies=may_read)
    app.include_router(operations.health_router)
    app.include_router(documentation.router)
    if settings.shows_dashboard:
        from sgdr_service.dashboard.mount import mount

        mount(app)
    else:
        app.add_api_route("/", _documentation, include_in_schema=False)
    if settings.root_path:
        app.add_middleware(RootPath, root_path=settings.root_path)  # the outermost
    return app


def check(settings: Settings) -> None:
    """Raises ValueError for settings that cannot be, such as an address that others reach and no token."""
    sqlite_file(settings.storage)
    if kept_hash(settings) is None and not settings.on_loopback:
        raise ValueError(
            f"host={settings.host!r} can be reached from elsewhere, and there is no token; "
            "run `sgdr token` first"
        )


async def _documentation(request: Request) -> RedirectResponse:
    return RedirectResponse(address(request.scope, "/docs"))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    dispatcher = Dispatcher(app.state.sweeps)
    with closing_event() as closing:
        app.state.feeds = Feeds(partial(sweeps.state_of, app.state.library), closing)
        if app.state.settings.shows_dashboard:
            from sgdr_service.dashboard.context import prepare

            prepare(app.state, closing)
        dispatcher.start()
        try:
            yield
        finally:
            await run_in_threadpool(dispatcher.stop)
            app.state.library.close()
            app.state.sweeps.close()


def _standing(library: Library) -> tuple[Counter[str], Counter[str]]:
    """Sweeps by state and trials by outcome, over all studies."""
    stand, trials = Counter[str](), Counter[str]()
    for study in library.all():
        sweep = status(study)
        stand[sweep.state] += 1
        trials.update(sweep.outcomes)
    return stand, trials
