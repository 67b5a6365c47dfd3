"""A number that is set: a field to type it and, in step with it, a slider."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from sgdr_service.dashboard.explorer.fields import Field, plain

TYPING_MILLISECONDS = 300
"""Milliseconds without a key before what is typed is read."""


class _Slider(ui.slider):
    """One that follows the hand, not the answers of the service, which come later."""

    LOOPBACK = False


class Setting:
    """`on_change` is called when the user has changed the text."""

    def __init__(self, field: Field, text: str, on_change: Callable[[], None]) -> None:
        self.field, self.text = field, text
        self._on_change = on_change
        with ui.element("div").classes("setting"):
            self._input = ui.input(field.label, value=text, on_change=self._typed).props(
                f"dense outlined hide-bottom-space autocomplete=off debounce={TYPING_MILLISECONDS}"
            )
            self._input.without_auto_validation()
            if field.stops:
                self._input.props("inputmode=decimal")
                self._slider = _Slider(min=0, max=len(field.stops) - 1, value=0, on_change=self._slid)
                self._slider.props["aria-label"] = f"{field.label}, by slider"
                self._move()

    def show(self, text: str) -> None:
        """Puts the text in the field; that is no change of the user's."""
        self.text = text
        self._input.value = text
        self._move()

    def tell(self, fault: str | None) -> None:
        """Says at the field what is wrong with it."""
        self._input.error = fault

    def _typed(self) -> None:
        text = self._input.value or ""
        if text != self.text:
            self.text = text
            self._move()
            self._on_change()

    def _slid(self) -> None:
        place = int(self._slider.value or 0)
        if place != self._place():
            self.show(plain(self.field.stops[place]))
            self._on_change()

    def _move(self) -> None:
        """Puts the slider where the text is."""
        place = self._place()
        if place is not None:
            self._slider.props["aria-valuetext"] = self.text
            self._slider.value = place

    def _place(self) -> int | None:
        """The place of the stop nearest to the text; None where that is no value, or there are no stops."""
        try:
            return self.field.nearest(self.field.read(self.text)) if self.field.stops else None
        except ValueError:
            return None
