"""A study, live while it is swept."""

from __future__ import annotations

from collections.abc import Callable

from anyio import to_thread
from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr.search.storage.connect import StorageError
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.follow import follow
from sgdr_service.dashboard.layout import (
    api_url,
    as_page,
    compare_url,
    dialog,
    facts,
    frame,
    link,
    progress,
    remark,
    resume_url,
    shown,
    state_chip,
)
from sgdr_service.dashboard.permission import token_field, why_not
from sgdr_service.dashboard.render_cache import Seen
from sgdr_service.dashboard.study import arms, curves, overview, space, trials
from sgdr_service.dashboard.study.part import Part
from sgdr_service.sweeps.refusals import NotFound, NotOurs
from sgdr_service.sweeps.status import SERVICE, SweepStatus, status

CANCELLABLE = ("queued", "running", "confirming")


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
        head = ui.element("div").classes("study-head")
        parts: dict[str, Part] = {}
        latest = seen

        async def show(now: Seen) -> None:
            nonlocal latest
            latest = now
            _draw_head(here, head, now)
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
        _draw_head(here, head, seen)
        await turn()
        follow(here, name, show, trouble)


def _draw_head(here: Here, head: ui.element, seen: Seen) -> None:
    """How it stands, in words, and what can be done with it; only what has changed is drawn again."""
    study, stands = seen.study, status(seen.study)
    stored, best = study.stored, study.best if stands.best else None
    asked = f"{stands.finished}" if stands.trials is None else f"{stands.finished} of {stands.trials}"
    cost = f"{stands.spent:.1f} full trainings" if stands.cost is None else stands.so_far
    shown_facts = {
        "Workload": stored.workload,
        "Trials": asked,
        "Cost": cost,
        "Running": stands.running or None,
        "Workers": stands.workers if stands.workers > 1 else None,
        "Outcomes": ", ".join(f"{count} {outcome}" for outcome, count in stands.outcomes.items()),
        "Budget": f"{stored.budget} epochs",
        "Objective": f"{stored.metric}, {stored.direction}d, {stored.objective}",
        "Best": None if best is None else f"{shown(best.value)} (trial {best.number})",
    }
    verdict = study.verdict.words if study.verdict else None
    now = (shown_facts, stands.state, stands.error, verdict, stands.resumable)
    if getattr(head, "drawn", None) == now:
        return
    head.drawn = now  # type: ignore[attr-defined]
    head.clear()
    with head:
        with ui.element("div").classes("controls"):
            state_chip(stands.state)
            bar = progress(stands.share, stands.so_far, 8)
            if bar is not None:
                bar.classes("wide")
            for table in ("trials", "curves"):
                download = link(f"{table.title()} as CSV", api_url(study.name, f"/{table}.csv"))
                download.props["download"] = f"{study.name}-{table}.csv"
            link("Compare", compare_url(study.name))
            if stands.launched_by == SERVICE and stands.state in CANCELLABLE:
                cancel = ui.button("Cancel", on_click=lambda: _ask_to_cancel(here, study.name))
                cancel.props("outline no-caps dense color=negative")
            elif stands.resumable:
                link("Resume", resume_url(study.name))
        _tell(stands, verdict)
        facts(shown_facts)


def _tell(stands: SweepStatus, verdict: str | None) -> None:
    if verdict:
        remark(verdict[0].upper() + verdict[1:] + ".")
    if stands.error:
        remark(f"The sweep failed: {stands.error}", "error")
    elif stands.state == "dead":
        remark("The process of this sweep is gone without a word; what it has finished is kept.", "warning")
    elif stands.state == "queued":
        remark("It begins when those before it have ended.")


def _ask_to_cancel(here: Here, name: str) -> None:
    with dialog("Cancel the sweep?") as asked:
        ui.label(f"The finished trials of {name} are kept, and the sweep can be resumed.")
        field = token_field(here)
        trouble = ui.element("div")

        async def cancel() -> None:
            trouble.clear()
            why = why_not(here, field)
            if why is None:
                try:
                    await to_thread.run_sync(here.sweeps.cancel, name, limiter=here.writers)
                    asked.close()
                    return
                except (NotFound, NotOurs, StorageError) as error:
                    why = str(error)
            with trouble:
                remark(why, "error")

        with ui.element("div").classes("controls"):
            ui.button("Cancel the sweep", on_click=cancel).props("no-caps color=negative")
            ui.button("Let it run", on_click=asked.close).props("no-caps flat")
