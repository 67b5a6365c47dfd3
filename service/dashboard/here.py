"""What a page knows of the app that it belongs to, and of who looks at it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request
from starlette.datastructures import State

from service.auth import current_hash
from service.dashboard.shared import Seen, Shared
from service.events import Feeds
from service.library import Library
from service.sessions import Sessions, session_of
from service.settings import Settings
from service.sweeps.declarations import Declarations
from service.sweeps.sweeps import Sweeps
from service.tokens import matches

KEY = "sgdr.app"
"""Of the app's state in a request's scope."""
DARK = "sgdr_dark"
"""The cookie that says whether pages are dark: yes, no; without it, as the browser is."""


@dataclass(frozen=True)
class Here:
    """The app, and the browser that asks."""

    state: State
    session: str | None
    dark: bool | None

    @classmethod
    def of(cls, request: Request) -> Here:
        """Where that request came to."""
        dark = {"yes": True, "no": False}.get(request.cookies.get(DARK, ""))
        return cls(request.scope[KEY], session_of(request.headers.get("cookie", "")), dark)

    @property
    def library(self) -> Library:
        """The studies."""
        found: Library = self.state.library
        return found

    @property
    def sweeps(self) -> Sweeps:
        """What the service runs."""
        found: Sweeps = self.state.sweeps
        return found

    @property
    def declarations(self) -> Declarations:
        """What workloads declare."""
        found: Declarations = self.state.declarations
        return found

    @property
    def watched(self) -> Feeds[Seen]:
        """Studies that somebody looks at."""
        found: Feeds[Seen] = self.state.watched
        return found

    @property
    def shared(self) -> Shared:
        """Figures of studies."""
        found: Shared = self.state.shared
        return found

    @property
    def cards(self) -> Shared:
        """What the cards of studies show."""
        found: Shared = self.state.cards
        return found

    @property
    def writers(self) -> Any:
        """The threads that may write at once."""
        return self.state.writers

    @property
    def has_token(self) -> bool:
        """Whether anybody may write at all."""
        return current_hash(self._settings) is not None

    @property
    def signed_in(self) -> bool:
        """Whether the browser may write without giving the token again."""
        sessions: Sessions = self.state.sessions
        return sessions.holds(self.session)

    @property
    def needs_session(self) -> bool:
        """Whether also reading needs one."""
        return self._settings.reading_needs_token

    def may_write(self, token: str) -> bool:
        """Whether it has signed in, or that is the token."""
        kept = current_hash(self._settings)
        return self.signed_in or (kept is not None and matches(token.strip(), kept))

    @property
    def _settings(self) -> Settings:
        found: Settings = self.state.settings
        return found


def prepare(state: State, closing: asyncio.Event) -> None:
    """Gives an app what its pages share, in its event loop."""
    state.watched = Feeds(partial(Seen.now, state.library), closing)
    state.shared, state.cards = Shared(32), Shared(1000)  # a figure has megabytes, a card hardly anything
