"""Puts the dashboard on the service's app."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from nicegui import core, ui
from starlette.types import ASGIApp, Receive, Scope, Send

from sgdr_service.dashboard import login
from sgdr_service.dashboard.auth_middleware import PREFIX, Gate
from sgdr_service.dashboard.context import KEY, ROOT
from sgdr_service.dashboard.pages import compare, explorer, launch, studies, study, trial
from sgdr_service.root_path import address

ASSETS = Path(__file__).with_name("assets")
PAGES: dict[str, Callable[..., Any]] = {
    "/": studies.page,
    "/study/{name}": study.page,
    "/study/{name}/trial/{number}": trial.page,
    "/explorer": explorer.page,
    "/sweep": launch.page,
    "/compare": compare.page,
}
BODY = """<h1>{title}</h1><p>{words}</p>
<p><a href="{prefix}/">All studies</a></p>"""
RESPONSE_SECONDS = 60.0
"""Seconds that a page may take to be built: a large study may have to be read first."""


def mount(app: FastAPI) -> None:
    """Adds the pages under `/dashboard`, to which `/` leads, and what guards them.

    The framework that makes the pages is one a process: of several apps, the latest has them.
    """
    core.app.user_middleware.clear()  # of an earlier app, which has ended
    core.app.middleware_stack = None
    app.include_router(login.router)
    for path in ("/", PREFIX):
        app.add_api_route(path, _first, include_in_schema=False)
    app.mount(f"{PREFIX}/assets", StaticFiles(directory=ASSETS))
    for path, page in PAGES.items():
        ui.page(path, response_timeout=RESPONSE_SECONDS)(page)
    core.app.add_exception_handler(Exception, _broken)
    core.app.add_exception_handler(404, _missing)
    # Of every request in the background; to those who hear the page it has no name.
    core.app.config.quasar_config["loadingBar"]["skipHijack"] = True
    ui.run_with(
        app,
        mount_path=PREFIX,
        title="sgdr",
        favicon=ASSETS / "favicon.svg",
        dark=None,
        language="en-US",
        binding_refresh_interval=None,
        reconnect_timeout=30.0,
        gzip_middleware_factory=lambda inner: GZipMiddleware(inner, minimum_size=1000, compresslevel=4),
        tailwind=False,
        show_welcome_message=False,
    )
    app.add_middleware(_Marked, app=app)
    app.add_middleware(Gate, settings=app.state.settings, sessions=app.state.sessions)


async def _first(request: Request) -> RedirectResponse:
    return RedirectResponse(address(request.scope, f"{PREFIX}/"))


async def _broken(request: Request, error: Exception) -> HTMLResponse:
    """The answer in place of the framework's page, which tells everybody what went wrong inside."""
    del error  # it is raised again, into the log
    words = f"The service's log has it under the request id {request.scope['request_id']}."
    return _plain(request, "Internal error", words, 500)


async def _missing(request: Request, error: Exception) -> HTMLResponse:
    del error
    return _plain(request, "Not found", "The dashboard has no such page.", 404)


def _plain(request: Request, title: str, words: str, status: int) -> HTMLResponse:
    prefix = request.scope[ROOT] + PREFIX
    body = BODY.format(prefix=prefix, title=title, words=words)
    return login.plain_page(prefix, title, body, status)


class _Marked:
    """Tells pages whose app they are of, and where: inside, a request knows the framework's app alone."""

    def __init__(self, inner: ASGIApp, app: FastAPI) -> None:
        self._inner, self._state = inner, app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on the request."""
        scope[KEY], scope[ROOT] = self._state, scope.get("root_path", "")
        await self._inner(scope, receive, send)
