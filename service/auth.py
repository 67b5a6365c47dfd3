"""Who may read and who may write."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.problems import Problem
from service.tokens import matches

bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="The token that `sgdr token` has printed."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def writing(request: Request, credentials: Credentials) -> None:
    """Lets a request through that has the token. Raises 401, or 403 where the service has none."""
    kept: str | None = request.app.state.token_hash
    if kept is None:
        raise Problem(
            403, "this service has no token, so nothing can be written; run `sgdr token`, then start it again"
        )
    _check(credentials, kept)


async def reading(request: Request, credentials: Credentials) -> None:
    """Lets a request through that has the token, where reading needs one. Raises 401."""
    kept: str | None = request.app.state.token_hash
    assert kept is not None, "the service does not start on such an address without one"
    _check(credentials, kept)


def _check(credentials: HTTPAuthorizationCredentials | None, kept: str) -> None:
    if credentials is None:
        raise Problem(
            401,
            "give the token, as the header Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if not matches(credentials.credentials, kept):
        raise Problem(
            401, "that is not the token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
        )
