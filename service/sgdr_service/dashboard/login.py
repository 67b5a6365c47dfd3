"""Signing in: a plain form, since pages with scripts are for those who may read."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from sgdr_service.auth import current_hash
from sgdr_service.dashboard.auth_middleware import PREFIX
from sgdr_service.root_path import address
from sgdr_service.sessions import COOKIE, SECONDS, Sessions, session_of
from sgdr_service.tokens import matches

router = APIRouter(prefix=PREFIX, include_in_schema=False)

PAGE = """<!doctype html>
<html lang="en-US">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="referrer" content="same-origin">
<title>{title} – sgdr</title>
<link rel="stylesheet" href="{prefix}/assets/login.css">
<link rel="icon" href="{prefix}/assets/favicon.svg">
</head>
<body><main>
{body}
</main></body>
</html>
"""
FORM = """<h1>sgdr</h1>
<form method="post" action="{prefix}/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password"
 aria-describedby="help error">
<p id="help"><code>sgdr token</code> has printed it to whoever runs this service.</p>
<p id="error" role="alert">{error}</p>
<input type="hidden" name="next" value="{next}">
<button>Sign in</button>
</form>"""


def plain_page(prefix: str, title: str, body: str, status: int) -> HTMLResponse:
    """A page without scripts, whose addresses begin with `prefix`."""
    return HTMLResponse(PAGE.format(prefix=prefix, title=title, body=body), status)


@router.get("/login")
async def form(request: Request, next: str = "") -> HTMLResponse:
    """The form."""
    return _page(request, next)


@router.post("/login")
async def sign_in(request: Request) -> Response:
    """Begins a session, and leads to the page that was asked for."""
    fields = parse_qs((await request.body()).decode(errors="replace"))
    token, asked = fields.get("token", [""])[0], fields.get("next", [""])[0]
    token_hash = current_hash(request.app.state.settings)
    if token_hash is None:
        return _page(request, asked, "This service has no token: run `sgdr token`, then start it again.", 403)
    if not matches(token.strip(), token_hash):
        return _page(request, asked, "That is not the token.", 403)
    sessions: Sessions = request.app.state.sessions
    answer = RedirectResponse(_own(request, asked), 303)
    answer.set_cookie(
        COOKIE,
        sessions.begin(),
        max_age=int(SECONDS),
        path=address(request.scope, "") or "/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """Ends the session."""
    sessions: Sessions = request.app.state.sessions
    sessions.end(session_of(request.headers.get("cookie", "")))
    answer = RedirectResponse(address(request.scope, f"{PREFIX}/login"), 303)
    answer.delete_cookie(COOKIE, path=address(request.scope, "") or "/")
    return answer


def _page(request: Request, asked: str, error: str = "", status: int = 200) -> HTMLResponse:
    prefix, page = address(request.scope, PREFIX), escape(_own(request, asked))
    return plain_page(prefix, "Sign in", FORM.format(prefix=prefix, error=error, next=page), status)


def _own(request: Request, asked: str) -> str:
    """The page of the dashboard that was asked for; its first where that is none of its own."""
    first = address(request.scope, f"{PREFIX}/")
    safe = asked.startswith(first) and asked.isprintable() and "\\" not in asked
    return asked if safe else first
