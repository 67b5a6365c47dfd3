"""The explorer of schedules."""

from __future__ import annotations

from nicegui import ui

from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.explorer.link import read
from sgdr_service.dashboard.explorer.view import View
from sgdr_service.dashboard.layout import as_page, frame, remark

MOST_TOLD = 10
"""Faults of a link."""


@as_page
async def page(here: Here) -> None:
    """The page; the query holds what it shows."""
    exploration, wrong = read(ui.context.client.request.url.query)
    with frame(here, "Explorer"):
        for words in wrong[:MOST_TOLD]:
            remark(f"In the link, {words}", "warning")
        if len(wrong) > MOST_TOLD:
            remark(f"In the link, {len(wrong) - MOST_TOLD:,} more parts are wrong.", "warning")
        View(exploration)
