"""Chooses which of the schedules is set, and adds and removes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nicegui import ui

from sgdr_service.dashboard.explorer.state import MOST, Exploration
from sgdr_service.dashboard.layout import heading


class Chooser:
    """`on_change` is called with what the user has made of the exploration."""

    def __init__(self, now: Exploration, on_change: Callable[[Exploration], None]) -> None:
        self._now, self._on_change = now, on_change
        heading(f"Schedules, at most {MOST}")
        self._radio = ui.radio(_names(now), value=now.edited, on_change=self._chosen)
        self._radio.props('inline aria-label="The schedule that is set"')
        with ui.element("div").classes("controls"):
            self._add = ui.button("Add a copy", on_click=lambda: on_change(self._now.with_copy()))
            self._remove = ui.button("Remove", on_click=lambda: on_change(self._now.without_current()))
            for button in (self._add, self._remove):
                button.props("outline no-caps dense")
        self._enable()

    def show(self, now: Exploration) -> None:
        """Shows the schedules of the exploration as it is now."""
        before, self._now = self._now, now
        if _names(before) != _names(now) or before.edited != now.edited:
            self._radio.set_options(_names(now), value=now.edited)
            self._enable()

    def _chosen(self) -> None:
        place = self._radio.value
        if place is not None and place != self._now.edited:
            self._on_change(replace(self._now, edited=place))

    def _enable(self) -> None:
        self._add.set_enabled(len(self._now.schedules) < MOST)
        self._remove.set_enabled(len(self._now.schedules) > 1)


def _names(exploration: Exploration) -> dict[int, str]:
    return {place: explored.name for place, explored in enumerate(exploration.schedules)}
