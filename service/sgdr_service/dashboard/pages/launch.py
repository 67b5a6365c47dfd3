"""New sweep."""

from __future__ import annotations

from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr.search.problem.lookup import ENTRY_POINTS, registered
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.launching.form import empty
from sgdr_service.dashboard.launching.launcher import Launcher
from sgdr_service.dashboard.launching.prefill import Prefilled, to_resume
from sgdr_service.dashboard.layout import as_page, code_block, frame, heading, remark
from sgdr_service.dashboard.permission import NO_TOKEN

OWN = f"""[project.entry-points."{ENTRY_POINTS}"]
mine = "my_package.my_workload:workload\""""


@as_page
async def page(here: Here, resume: str | None = None, workload: str | None = None) -> None:
    """The page. `resume`: a study that is to be gone on with; `workload`: what is to be trained."""
    workloads = list(await run_in_threadpool(registered))
    filled = Prefilled(empty(), [])
    if resume is not None:
        filled = await run_in_threadpool(_resumed, here, resume, workloads)
    elif workload in workloads:
        filled.values["workload"] = workload
    elif workload is not None:
        filled.remarks.append(f"There is no workload {workload!r}; choose among those below.")
    with frame(here, "New sweep"):
        if not here.has_token:
            remark(NO_TOKEN, "warning")
        if not workloads:
            _none_installed()
            return
        for words in filled.remarks:
            remark(words, "warning")
        Launcher(here, workloads, filled.values)


def _resumed(here: Here, name: str, workloads: list[str]) -> Prefilled:
    """Raises a problem where there is no study of that name."""
    study = here.library.study(name)
    return to_resume(name, study.attributes, study.finished, workloads)


def _none_installed() -> None:
    with ui.element("div").classes("empty"):
        heading("No workload is installed", 2)
        ui.label("A workload is what a sweep trains. Some come with sgdr; in its folder:")
        code_block("pip install '.[workloads]'")
        ui.label(
            "A package of your own has one (README, Your own model), and registers it in its pyproject.toml:"
        )
        code_block(OWN)
        ui.label("Then start the service again.")
