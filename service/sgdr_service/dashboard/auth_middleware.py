"""What every request for the dashboard passes first: where it comes from, and whether it may read.

The path below which pages are shown is a setting: a header that claims another would lead a browser away.

It is plain ASGI, because the pages talk over a websocket, which other middleware does not see.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sgdr_service.middleware import host_name
from sgdr_service.root_path import address, own_path
from sgdr_service.sessions import Sessions, session_of
from sgdr_service.settings import Settings

PREFIX = "/dashboard"
OPEN = (f"{PREFIX}/login", f"{PREFIX}/assets/")
"""Paths that nobody needs to sign in for."""
SOCKET = f"{PREFIX}/_nicegui_ws/"
ASSETS = (f"{PREFIX}/_nicegui/", f"{PREFIX}/assets/")
"""The beginnings of paths that browsers may keep for ever: they or their queries name a version."""
FORWARDED_PREFIX = b"x-forwarded-prefix"
"""The framework would put it before the addresses of its own scripts."""
FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")


class Gate:
    """The middleware."""

    def __init__(self, app: ASGIApp, settings: Settings, sessions: Sessions) -> None:
        self._app, self._sessions = app, sessions
        self._needs_session = settings.reading_needs_token
        self._hosts = frozenset(settings.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on what is no business of the dashboard's, or may pass."""
        path = own_path(scope)
        if scope["type"] not in ("http", "websocket") or not (path + "/").startswith(f"{PREFIX}/"):
            await self._app(scope, receive, send)
            return
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != FORWARDED_PREFIX]
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        socket = path.startswith(SOCKET)
        acts = socket or scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if acts and not self._is_own(headers):
            await _refuse(scope, receive, send, "this is not a page of the service's own")
        elif self._may_read(path, headers):
            await self._app(scope, receive, _cached(send) if path.startswith(ASSETS) else send)
        elif scope["type"] == "websocket" or socket:
            await _refuse(scope, receive, send, "sign in first")
        else:
            asked = quote(scope["path"] + ("?" + scope["query_string"].decode("latin-1")).rstrip("?"))
            signing_in = address(scope, f"{PREFIX}/login?next={asked}")
            await RedirectResponse(signing_in, 303)(scope, receive, send)

    def _is_own(self, headers: dict[bytes, str]) -> bool:
        """Whether a page of this very address asks: browsers say so, and let no other page claim it."""
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        if self._hosts and host_name(host) not in self._hosts:
            return False
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()

    def _may_read(self, path: str, headers: dict[bytes, str]) -> bool:
        if not self._needs_session or path.startswith(OPEN):
            return True
        return self._sessions.holds(session_of(headers.get(b"cookie", "")))


async def _refuse(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": why})
    else:
        await PlainTextResponse(f"{why}\n", 403)(scope, receive, send)


def _cached(send: Send) -> Send:
    """Tells browsers to keep the answer: a figure's script has some megabytes."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            headers = [pair for pair in message["headers"] if pair[0] != FOR_EVER[0]]
            message = {**message, "headers": [*headers, FOR_EVER]}
        await send(message)

    return marked
