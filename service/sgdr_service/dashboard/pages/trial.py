"""A trial's page."""

from __future__ import annotations

import re

from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.layout import api_url, as_page, frame, link, study_url, trial_url
from sgdr_service.dashboard.trial_view import show_trial
from sgdr_service.presenters import trial
from sgdr_service.problems import Problem

NUMBER = re.compile("[0-9]{1,18}")


@as_page
async def page(here: Here, name: str, number: str) -> None:
    """The page."""
    if not NUMBER.fullmatch(number):
        raise Problem(404, f"{number!r} is no number of a trial")
    study = await run_in_threadpool(here.library.study, name)
    place = int(number)
    row = await run_in_threadpool(trial, study, place)
    with frame(here, f"Trial {number} of {name}"):
        with ui.element("div").classes("controls"):
            link(f"Study {name}", study_url(name))
            if place > 0:
                link("Trial before", trial_url(name, place - 1))
            if place + 1 < len(study.rows):
                link("Trial after", trial_url(name, place + 1))
            link("As JSON", api_url(name, f"/trials/{number}"))
        show_trial(study, row)
