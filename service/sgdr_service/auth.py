"""The checks of who may read and who may write."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sgdr_service.problems import Problem
from sgdr_service.sessions import Sessions, session_of
from sgdr_service.settings import Settings
from sgdr_service.tokens import kept_hash, matches

log = logging.getLogger(__name__)

bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="The token that `sgdr token` has printed."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def writing(request: Request, credentials: Credentials) -> None:
    """Lets a request through that has the token. Raises 401, or 403 where the service has none."""
    token_hash = _token_hash(request)
    if token_hash is None:
        raise Problem(
            403, "this service has no token, so nothing can be written; run `sgdr token`, then start it again"
        )
    _check(credentials, token_hash)


async def reading(request: Request, credentials: Credentials) -> None:
    """Lets a request through that has the token, or comes from a browser that has signed in with it.

    Raises 401.
    """
    sessions: Sessions = request.app.state.sessions
    if sessions.holds(session_of(request.headers.get("cookie", ""))):
        return
    token_hash = _token_hash(request)
    if token_hash is None:  # the service did not start without one
        raise Problem(403, "the token was taken away; run `sgdr token`")
    _check(credentials, token_hash)


def current_hash(settings: Settings) -> str | None:
    """The token's hash as it is now, None without one: a token that leaked is replaced without a restart."""
    try:
        return kept_hash(settings)
    except ValueError as error:
        log.error("%s", error)
        return None


def _token_hash(request: Request) -> str | None:
    return current_hash(request.app.state.settings)


def _check(credentials: HTTPAuthorizationCredentials | None, token_hash: str) -> None:
    if credentials is None:
        raise Problem(
            401,
            "give the token, as the header Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if not matches(credentials.credentials, token_hash):
        raise Problem(
            401, "that is not the token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
        )
