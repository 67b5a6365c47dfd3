"""A study, live while it is swept."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.follow import follow
from sgdr_service.dashboard.layout import as_page, frame
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.study import arms, curves, overview, space, trials
from sgdr_service.dashboard.study.head import Head
from sgdr_service.dashboard.study.part import Part

PARTS: dict[str, Callable[[Here, Seen], Part]] = {
    "Overview": overview.Overview,
    "Curves": curves.CurvesPart,
    "Search space": space.SpacePart,
    "Arms": arms.ArmsPart,
    "Trials": trials.TrialsPart,
}


@as_page
async def page(here: Here, name: str) -> None:
    """The page."""
    seen = Seen.of(await run_in_threadpool(here.library.study, name))
    with frame(here, name):
        trouble = ui.element("div").props("aria-live=polite")
        head = Head(here)
        parts: dict[str, Part] = {}
        latest = seen

        async def show(now: Seen) -> None:
            nonlocal latest
            latest = now
            head.show(now)
            await parts[str(tabs.value)].show(now)

        async def turn() -> None:
            name = str(tabs.value)
            with panels[name]:
                if name not in parts:
                    parts[name] = PARTS[name](here, latest)
                await parts[name].show(latest)

        with ui.tabs().props('no-caps align=left outside-arrows mobile-arrows aria-label="Views"') as tabs:
            for part in PARTS:
                ui.tab(part)
        panels = {}
        with ui.tab_panels(tabs, value="Overview", animated=False, keep_alive=True).classes("panels"):
            for part in PARTS:
                panels[part] = ui.tab_panel(part)
        tabs.on_value_change(turn)
        head.show(seen)
        await turn()
        follow(here, name, show, trouble)
