"""Asks for the token before something is written, unless the browser has signed in."""

from __future__ import annotations

from nicegui import ui

from sgdr_service.dashboard.context import Here

NO_TOKEN = "This service has no token, so nothing can be started or cancelled: run `sgdr token`."


def token_field(here: Here) -> ui.input | None:
    """The field where the token is typed; None where none is needed."""
    if here.signed_in:
        return None
    field = ui.input("Token", password=True, password_toggle_button=True).props(
        "dense outlined autocomplete=off"
    )
    return field.tooltip("As `sgdr token` has printed it")


def why_not(here: Here, field: ui.input | None) -> str | None:
    """Why the browser may not write; None where it may."""
    if not here.has_token:
        return NO_TOKEN
    token = "" if field is None else field.value or ""
    if here.may_write(token):
        return None
    return "That is not the token." if token else "Give the token, as `sgdr token` has printed it."
