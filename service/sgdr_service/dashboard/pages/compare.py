"""Several studies side by side."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr.schedule import FIELDS
from sgdr.search.study.study import Study
from sgdr.warmup import flat_fields
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.history import compared
from sgdr_service.dashboard.layout import as_page, compare_url, frame, readdress, remark
from sgdr_service.dashboard.table import Table, column
from sgdr_service.problems import Problem

STATED = ("workload", "metric", "budget", "objective", "pruner", "sampler", "seed")
"""What a row has of the attributes of its study."""
MOST = 8
"""Studies: so many colours can be told apart."""
COLUMNS = (
    column("study", pinned="left"),
    column("workload"),
    column("finished", "finished trials"),
    column("metric"),
    column("value", "best value"),
    column("mean", "mean on fresh seeds"),
    column("low", "95 % from"),
    column("high", "95 % to"),
    column("verdict"),
    column("trial", "best trial"),
    column("arm"),
    *map(column, FIELDS),
    *map(column, ("budget", "objective", "pruner", "sampler", "seed")),
)


@as_page
async def page(here: Here, study: Annotated[list[str], Query()] = []) -> None:  # noqa: B006
    """The page; the query names the studies."""
    names = [known.name for known in await run_in_threadpool(here.library.all)]
    with frame(here, "Compare"):
        known = [name for name in dict.fromkeys(study) if name in names]
        for name in study:
            if name not in names:
                remark(f"There is no study {name!r}; choose among those below.", "warning")
        with ui.element("div").classes("controls"):
            chosen = ui.select(names, value=known[:MOST], multiple=True, label=f"Studies, at most {MOST}")
            chosen.props(f"use-chips dense outlined max-values={MOST}").classes("wide")
            by_epochs = ui.switch("Over epochs trained, not trials")
            log = ui.switch("Logarithmic values")
        box = ui.element("div")

        async def draw() -> None:
            box.clear()
            with box:
                await _draw(here, chosen.value, by_epochs.value, log.value)

        async def change() -> None:
            readdress(compare_url(*chosen.value))
            await draw()

        for control in (chosen, by_epochs, log):
            control.on_value_change(change)
        await draw()


async def _draw(here: Here, names: list[str], by_epochs: bool, log: bool) -> None:
    if len(names) < 2:
        remark("Choose two studies or more.")
    if not names:
        return
    try:
        studies = [await run_in_threadpool(here.library.study, name) for name in names]
    except Problem as problem:
        remark(problem.detail, "error")
        return
    metrics = {(study.stored.metric, study.stored.direction) for study in studies}
    if len(metrics) > 1:
        remark("These studies measure different things: their values do not compare.", "warning")
    elif len({(study.stored.workload, study.stored.budget) for study in studies}) > 1:
        remark("Workloads or budgets differ between these studies.", "warning")
    if len(metrics) == 1:
        metric, direction = metrics.pop()
        by: Literal["epochs", "trials"] = "epochs" if by_epochs else "trials"
        figure = await run_in_threadpool(
            lambda: compared({study.name: study.rows for study in studies}, direction, metric, by=by, log=log)
        )
        Figure("Best so far", "compared", height="28rem").show(figure)
    table = await run_in_threadpool(lambda: list(map(compared_row, studies)))
    Table("Studies", "compared-studies", COLUMNS, table, key="study")


def compared_row(study: Study) -> dict[str, Any]:
    """A study as a row."""
    best = next(iter(study.top(1)), None)
    row = {
        "study": study.name,
        **{name: getattr(study.stored, name) for name in STATED},
        "finished": study.finished,
        "verdict": study.verdict.decision if study.verdict else None,
    }
    if best is not None:
        row |= {"value": best.value, "trial": best.number, "arm": best.arm}
        fields = flat_fields(best.schedule)
        row |= {name: fields.get(name) for name in FIELDS}
        if best.confirmed is not None:
            row |= {name: getattr(best.confirmed, name) for name in ("mean", "low", "high")}
    return row
