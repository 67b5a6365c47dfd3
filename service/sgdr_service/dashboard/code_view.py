"""A schedule as code for each framework, to be copied."""

from __future__ import annotations

from nicegui import ui

from sgdr import export
from sgdr.export.parity import report_of
from sgdr.search.problem.types import Schedule
from sgdr.stepping import Stepping
from sgdr_service.dashboard.layout import code_block, heading
from sgdr_service.presenters import code_of, jobs_of

FRAMEWORKS = {
    "torch": "PyTorch",
    "keras": "Keras",
    "optax": "optax",
    "braintools": "braintools",
    "transformers": "transformers",
}


def show_code(schedule: Schedule, stepping: Stepping, budget: int) -> None:
    """A tab for each framework, with what its own scheduler can do of warm restarts below the code."""
    heading("Code", 3)
    with ui.tabs().props('no-caps dense align=left aria-label="Frameworks"') as tabs:
        for target in export.TARGETS:
            ui.tab(target, FRAMEWORKS[target])
    with ui.tab_panels(tabs, value="torch").classes("code"):
        for target, job in jobs_of(schedule, stepping, budget).items():
            with ui.tab_panel(target):
                code_block(code_of(job))
                report = report_of(job)
                own = [] if report.nearest is None else [f"The framework's own scheduler: {report.nearest}"]
                for sentence in (*own, *report.cannot):
                    ui.label(sentence).classes("faint").style("overflow-wrap: anywhere")
