"""What the tabs of a study have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.trial_view import show_in_drawer


class Part(ABC):
    """What is behind a tab; it is built where its panel is open."""

    def __init__(self, here: Here, seen: Seen) -> None:
        """`seen`: the study as it stands when the tab is opened."""
        self._here, self._seen = here, seen

    async def show(self, seen: Seen) -> None:
        """Draws the study as it stands."""
        self._seen = seen
        await self._draw(seen)

    @abstractmethod
    async def _draw(self, seen: Seen) -> None:
        """Draws it."""

    async def _again(self) -> None:
        """Draws the study again after a control has changed."""
        await self._draw(self._seen)

    async def _open(self, number: int) -> None:
        """Shows a trial at the side."""
        await show_in_drawer(self._seen.study, number)
