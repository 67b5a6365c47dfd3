"""Browsers that have signed in with the token: what the dashboard shows them, the routes let them read."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

COOKIE = "sgdr_session"
SECONDS = 12 * 3600.0
MOST = 10_000
"""The most sessions that are remembered; the oldest is forgotten first."""


class Sessions:
    """The sessions, in memory alone: a restart of the service ends them, and so does another token."""

    def __init__(
        self, kept_hash: Callable[[], str | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept_hash, self._clock = kept_hash, clock
        self._known: dict[str, tuple[float, str]] = {}

    def begin(self) -> str:
        """The value of the cookie of a new session. Raises ValueError where there is no token."""
        token_hash = self._kept_hash()
        if token_hash is None:
            raise ValueError("there is no token to sign in with; `sgdr token` makes one")
        while len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        session = secrets.token_urlsafe(32)
        self._known[session] = (self._clock() + SECONDS, token_hash)
        return session

    def holds(self, session: str | None) -> bool:
        """Whether it was begun with the token that is valid now, and has not ended."""
        until, token_hash = self._known.get(session or "", (0.0, ""))
        return self._clock() < until and token_hash == self._kept_hash()

    def end(self, session: str | None) -> None:
        """Forgets it."""
        self._known.pop(session or "", None)


def session_of(cookies: str) -> str | None:
    """The session in a Cookie header."""
    try:
        cookie = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return None
    return None if cookie is None else cookie.value
