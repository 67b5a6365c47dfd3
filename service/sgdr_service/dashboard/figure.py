"""A figure with its heading, to be looked at and taken away."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

from nicegui import ui

from sgdr_service.dashboard.figures.style import empty
from sgdr_service.dashboard.layout import titled

FORMATS = ("png", "svg")
TRIAL_OF = "{ const trial = e.points?.[0]?.customdata; if (Number.isInteger(trial)) emit(trial); }"
"""What the browser does with a click."""


class Figure:
    """A Plotly figure on the page, at first with nothing in it."""

    def __init__(
        self,
        title: str,
        file: str,
        height: str = "22rem",
        *,
        on_trial: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """`file`: the name of its downloads, without the ending.

        `on_trial` is called with the number of a trial that is clicked on, which is its custom data.
        """
        self._title = title
        with ui.element("section").classes("figure") as self.section:
            with titled(title):
                buttons = [ui.button(kind.upper()).props("flat dense no-caps") for kind in FORMATS]
            with ui.element("div").props("role=figure") as self._frame:
                self._plot = ui.plotly(empty("Drawing …")).style(f"height: {height}").classes("plot")
        for button, kind in zip(buttons, FORMATS, strict=True):
            button.props["aria-label"] = f"{title} as {kind.upper()}"
            what = f"{self._plot.id}, {json.dumps(kind)}, {json.dumps(file)}"
            button.on("click", js_handler=f"() => sgdr.download({what})")
        if on_trial is not None:
            chosen = on_trial
            self._plot.on(
                "plotly_click", lambda event: chosen(int(event.args)), js_handler=f"(e) => {TRIAL_OF}"
            )

    def show(self, figure: dict[str, Any]) -> Self:
        """Draws another one in its place, where it is another."""
        if figure is not self._plot.figure:
            self._plot.update_figure(figure)
            self._frame.props["aria-label"] = f"{self._title}. {figure['layout']['meta']['summary']}"
        return self
