"""The form with its dry run and its launch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from anyio import to_thread
from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.space import DEFAULT_BASE_LR
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.launching.commands import command_line, curl
from sgdr_service.dashboard.launching.estimate import Earlier, Estimate, estimate
from sgdr_service.dashboard.launching.fields import Fields
from sgdr_service.dashboard.launching.form import Values, as_json
from sgdr_service.dashboard.launching.prefill import free_name
from sgdr_service.dashboard.launching.refusals import REFUSALS, told
from sgdr_service.dashboard.launching.words import summary
from sgdr_service.dashboard.layout import code_block, facts, go, heading, link, remark, resume_url, study_url
from sgdr_service.dashboard.permission import token_field, why_not
from sgdr_service.problems import Problem
from sgdr_service.sweeps.refusals import Conflict
from sgdr_service.sweeps.request import SweepRequest
from sgdr_service.sweeps.status import SweepStatus
from sgdr_service.sweeps.sweeps import Possible

PAUSE_SECONDS = 0.5
"""Seconds after a change before all is checked again: somebody may still be typing."""
UNSAID = "# The command line has no option for further values of a workload."
UNCHOSEN = "Choose what is to be trained; it takes some seconds to load."


class DryRun(NamedTuple):
    """What would be launched."""

    possible: Possible
    estimate: Estimate
    ahead: int
    """Sweeps that it has to wait for."""


class Launcher:
    """Everything on the page."""

    def __init__(self, here: Here, workloads: list[str], values: Values) -> None:
        """`values`: what the form begins with."""
        self._here = here
        self._declared: Declaration | None = None
        self._suggested = ""
        """The name of a study that is filled in where nobody has typed one."""
        self._turn = 0
        """Counts checks: an answer that comes after another change is not shown."""
        self._launching = False
        self._told: list[str] = []
        """Errors of no field that are shown."""
        with ui.element("div").classes("launch"):
            with ui.element("div"):
                self._elsewhere = ui.element("div")
                self._fields = Fields(workloads, values, self._load, self._changed)
            with ui.element("aside").classes("dry-run").props('aria-label="Dry run and launch"'):
                heading("Dry run", 2)
                self._summary = ui.element("div").props("aria-live=polite")
                ui.button("Check", on_click=self._check_now).props("outline no-caps")
                self._token = token_field(here)
                self._trouble = ui.element("div")
                self._launch_button = ui.button("Launch", on_click=self._launch).props("no-caps")
                if self._token is not None:
                    self._token.props("hide-bottom-space").on("keydown.enter", self._launch)
        with ui.element("section") as self._commands:
            heading("The same elsewhere", 2)
            heading("On the command line, in the folder of the service", 3)
            self._command_line = code_block("", "On the command line").classes("wrapped")
            heading("Over HTTP", 3)
            self._curl = code_block("", "Over HTTP").classes("wrapped")
        self._service = _service()
        self._show_commands(None)
        self._say(["Choose a workload."])
        if values["workload"]:
            ui.timer(0.0, self._load, once=True)

    async def _load(self) -> None:
        """Asks the workload that was chosen what it declares."""
        name, about = self._fields.values["workload"], self._fields.about
        self._turn += 1
        self._declared = None
        self._fields.declare(None)
        self._show_faults({})
        self._trouble.clear()
        about.clear()
        if not name:
            return
        self._say([])
        with about, ui.element("div").classes("controls"):
            ui.spinner()
            ui.label(f"Loading {name}, which takes some seconds at first …")
        try:
            declared, studies = await run_in_threadpool(self._asked, name)
        except (ValueError, Problem) as refusal:
            if name == self._fields.values["workload"]:
                about.clear()
                self._refused(refusal)
            return
        if name != self._fields.values["workload"]:
            return  # another was chosen meanwhile
        about.clear()
        with about:
            _describe(declared)
        self._declared = declared
        self._fields.declare(declared)
        if self._fields.values["study"] == self._suggested:
            self._suggested = free_name(declared.name, studies)
            self._fields.set_study(self._suggested)
        await self._check()

    def _asked(self, workload: str) -> tuple[Declaration, set[str]]:
        """What it declares, and the names of all studies."""
        declared = self._here.declarations.get(workload)
        return declared, {study.name for study in self._here.library.all()}

    async def _changed(self) -> None:
        """Checks, unless there is another change in a moment."""
        self._turn += 1
        turn = self._turn
        await asyncio.sleep(PAUSE_SECONDS)
        if turn == self._turn:
            await self._check()

    async def _check(self) -> None:
        """Shows what would be launched, or what stands in its way."""
        self._turn += 1
        turn, declared = self._turn, self._declared
        if declared is None or self._launching:
            return
        self._fields.show_defaults(declared)
        asked = as_json(self._fields.values, declared)
        try:
            dry_run = await run_in_threadpool(self._dry_run, asked)
        except REFUSALS as refusal:
            if turn == self._turn:
                self._refused(refusal)
            return
        if turn == self._turn:
            self._trouble.clear()
            self._show_faults({})
            self._say(summary(dry_run.possible, dry_run.estimate, dry_run.ahead))
            self._show_commands(asked)

    async def _check_now(self) -> None:
        self._trouble.clear()
        if self._declared is None:
            self._fields.tell({"workload": UNCHOSEN})
        await self._check()
        self._point_at_faults("It cannot be launched yet")

    def _dry_run(self, asked: dict[str, Any]) -> DryRun:
        sweeps = self._here.sweeps
        possible = sweeps.check(SweepRequest.model_validate(asked))
        workload = possible.settings.workload.name
        earlier = [
            Earlier(study.name, study.attributes, study.rows)
            for study in self._here.library.all()
            if study.stored.workload == workload
        ]
        active = sum(record.active for record in sweeps.records().values())
        cost = estimate(possible.settings, possible.study, earlier)
        return DryRun(possible, cost, active if active >= sweeps.max_running else 0)

    async def _launch(self) -> None:
        """Launches once, however often it is asked to."""
        if self._launching:
            return
        self._trouble.clear()
        why = why_not(self._here, self._token)
        if self._token is not None:
            self._token.error = why
        elif why is not None:
            with self._trouble:
                remark(why, "error")
        if why is not None:
            return
        self._launching = True
        self._turn += 1
        self._launch_button.props("loading")
        try:
            self._launching = await self._submit()
        finally:
            self._launch_button.props(remove="loading")
        self._point_at_faults("It is not launched")

    async def _submit(self) -> bool:
        """Whether it is launched; then its page is shown."""
        declared = self._declared
        if declared is None:
            self._fields.tell({"workload": UNCHOSEN})
            return False
        asked = as_json(self._fields.values, declared)
        try:
            begun = await to_thread.run_sync(self._begun, asked, limiter=self._here.writers)
        except REFUSALS as refusal:
            self._refused(refusal)
            return False
        go(study_url(begun.study))
        return True

    def _begun(self, asked: dict[str, Any]) -> SweepStatus:
        return self._here.sweeps.submit(SweepRequest.model_validate(asked))

    def _refused(self, refusal: Exception) -> None:
        """Says what stands in the way, at the fields that are at fault."""
        self._show_faults(told(refusal, self._declared.hparams if self._declared else ()))
        self._say(["It cannot be launched as it is."])
        self._show_commands(None)
        study = self._fields.values["study"] or (self._declared.name if self._declared else "")
        if isinstance(refusal, Conflict):
            with self._summary, ui.element("p"):
                link(f"Study {study}", study_url(study))
                link("Fill in the form to go on with it", resume_url(study))

    def _show_faults(self, faults: Mapping[str, str]) -> None:
        left = self._fields.tell(faults)
        if left != self._told:  # else it would be announced again
            self._told = left
            self._elsewhere.clear()
            with self._elsewhere:
                for words in left:
                    remark(words[:1].upper() + words[1:], "error")

    def _point_at_faults(self, what: str) -> None:
        """Says where to look for faults, and leads there, after somebody has asked for it."""
        labels = self._fields.focus_fault()
        if labels or self._told:
            with self._trouble:
                remark(f"{what}: see {', '.join(labels) or 'above the form'}.", "error")

    def _say(self, sentences: Sequence[str]) -> None:
        self._summary.clear()
        with self._summary, ui.element("ul"):
            for sentence in sentences:
                with ui.element("li"):
                    ui.label(sentence)

    def _show_commands(self, asked: Mapping[str, Any] | None) -> None:
        """Shows the commands for what is asked; None: it cannot be."""
        self._commands.set_visibility(asked is not None)
        if asked is not None:
            sweeps = self._here.sweeps
            line = command_line(asked, sweeps.url, sweeps.ray_address, sweeps.checkpoints)
            self._command_line.show(line or UNSAID)
            self._curl.show(curl(asked, self._service))


def _describe(declared: Declaration) -> None:
    """What the workload says of itself."""
    steps = "" if declared.steps_per_epoch is None else f" of {declared.steps_per_epoch:,} steps"
    chosen_by = "" if declared.select_metric is None else f", chosen by {declared.select_metric}"
    facts(
        {
            "Metric": f"{declared.metric}, {declared.direction}d{chosen_by}",
            "Budget": f"{declared.budget:,} epochs{steps}",
            "base_lr": "{:g} to {:g}".format(*(declared.base_lr or DEFAULT_BASE_LR)),
            "Further values": ", ".join(declared.hparams) or "none",
        }
    )


def _service() -> str:
    """The URL by which the page's browser knows the service."""
    url = ui.context.client.request.url
    return f"{url.scheme}://{url.netloc}"
