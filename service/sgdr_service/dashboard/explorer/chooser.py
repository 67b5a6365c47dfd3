"""Chooses which of the schedules is set, and adds and removes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nicegui import ui

from sgdr_service.dashboard.explorer.state import MOST, Exploration, Now
from sgdr_service.dashboard.layout import heading


class Chooser:
    """`on_change` is called with what the user has made of the exploration."""

    def __init__(self, now: Now, on_change: Callable[[Exploration], None]) -> None:
        self._now, self._on_change = now, on_change
        heading(f"Schedules, at most {MOST}")
        self._radio = ui.radio(_names(now()), value=now().edited, on_change=self._chosen)
        self._radio.props('inline aria-label="The schedule that is set"')
        with ui.element("div").classes("controls"):
            self._add = ui.button("Add a copy", on_click=lambda: on_change(now().with_copy()))
            self._remove = ui.button("Remove", on_click=lambda: on_change(now().without_current()))
            for button in (self._add, self._remove):
                button.props("outline no-caps dense")
        self._enable()

    def show(self) -> None:
        """Shows the schedules, where others are there or another is set."""
        names, edited = _names(self._now()), self._now().edited
        if (self._radio.options, self._radio.value) != (names, edited):
            self._radio.set_options(names, value=edited)
            self._enable()

    def _chosen(self) -> None:
        place = self._radio.value
        if place is not None and place != self._now().edited:
            self._on_change(replace(self._now(), edited=place))

    def _enable(self) -> None:
        self._add.set_enabled(len(self._now().schedules) < MOST)
        self._remove.set_enabled(len(self._now().schedules) > 1)


def _names(exploration: Exploration) -> dict[int, str]:
    return {place: explored.name for place, explored in enumerate(exploration.schedules)}
