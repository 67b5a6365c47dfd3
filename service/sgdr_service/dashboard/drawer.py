"""A trial beside what it was chosen in."""

from __future__ import annotations

from fastapi.concurrency import run_in_threadpool

from sgdr.search.study.study import Study
from sgdr_service.dashboard.layout import dialog, link, remark, trial_url
from sgdr_service.dashboard.trial_view import show_trial
from sgdr_service.presenters import trial
from sgdr_service.problems import Problem


async def show_in_drawer(study: Study, number: int) -> None:
    """All that is known of it, at the side of the page."""
    with dialog(f"Trial {number}", side=True):
        link("On a page of its own", trial_url(study.name, number))
        try:
            show_trial(study, await run_in_threadpool(trial, study, number))
        except Problem as problem:
            remark(problem.detail, "error")
