"""What a page knows of the app that it belongs to, and of who looks at it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields

from anyio import CapacityLimiter
from fastapi import Request
from starlette.datastructures import State

from sgdr_service.auth import current_hash
from sgdr_service.dashboard.render_cache import Seen, Shared
from sgdr_service.events import Feeds
from sgdr_service.sessions import Sessions, session_of
from sgdr_service.settings import Settings
from sgdr_service.study_cache import Library
from sgdr_service.sweeps.declarations import Declarations
from sgdr_service.sweeps.sweeps import Sweeps
from sgdr_service.tokens import matches

KEY = "sgdr.app"
"""The key of the app's state in a request's scope."""
ROOT = "sgdr.root_path"
"""The key, in a request's scope, of the path below which browsers see the app."""
DARK = "sgdr_dark"
"""The cookie that says whether pages are dark: yes, no; without it, as the browser is."""
COLOURS = {"yes": True, "no": False}


@dataclass(frozen=True)
class Here:
    """The app, and the browser that asks."""

    settings: Settings
    library: Library
    sweeps: Sweeps
    declarations: Declarations
    writers: CapacityLimiter
    """The threads that may write at once."""
    watched: Feeds[Seen]
    """Studies that somebody looks at."""
    shared: Shared
    """Figures of studies."""
    cards: Shared
    """What the cards of studies show."""
    sessions: Sessions
    session: str | None
    """The session of the browser."""
    dark: bool | None

    @classmethod
    def of(cls, request: Request) -> Here:
        """The app that the request came to, and the browser that it is from."""
        state: State = request.scope[KEY]
        of_app = {name: getattr(state, name) for name in OF_APP}
        session = session_of(request.headers.get("cookie", ""))
        return cls(**of_app, session=session, dark=COLOURS.get(request.cookies.get(DARK, "")))

    @property
    def has_token(self) -> bool:
        """Whether anybody may write at all."""
        return current_hash(self.settings) is not None

    @property
    def signed_in(self) -> bool:
        """Whether the browser may write without giving the token again."""
        return self.sessions.holds(self.session)

    def may_write(self, token: str) -> bool:
        """Whether it has signed in, or that is the token."""
        token_hash = current_hash(self.settings)
        return self.signed_in or (token_hash is not None and matches(token.strip(), token_hash))


OF_APP = tuple(field.name for field in fields(Here) if field.name not in ("session", "dark"))
"""Fields that are of the app's state."""


def prepare(state: State, closing: asyncio.Event) -> None:
    """Gives an app what its pages share, in its event loop."""
    state.watched = Feeds(lambda name: Seen.of(state.library.study(name)), closing)
    state.shared, state.cards = Shared(32), Shared(1000)  # a figure has megabytes, a card hardly anything
