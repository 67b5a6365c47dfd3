"""Several studies side by side."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from fastapi.concurrency import run_in_threadpool
from nicegui import ui

from sgdr.schedule import FIELDS
from sgdr.search.study.study import Study
from sgdr_service.dashboard.context import Here
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.history import compared
from sgdr_service.dashboard.layout import as_page, compare_url, frame, readdress, remark
from sgdr_service.dashboard.table import Table, column
from sgdr_service.problems import Problem

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
    *(column(name) for name in FIELDS),
    column("budget"),
    column("objective"),
    column("pruner"),
    column("sampler"),
    column("seed"),
)


@as_page
async def page(here: Here, study: Annotated[list[str], Query()] = []) -> None:  # noqa: B006
    """The page; the query names the studies."""
    names = [each.name for each in await run_in_threadpool(here.library.all)]
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
            readdress(compare_url(*chosen.value))
            box.clear()
            with box:
                await _draw(here, chosen.value, by_epochs.value, log.value)

        for control in (chosen, by_epochs, log):
            control.on_value_change(draw)
        with box:
            await _draw(here, known[:MOST], by_epochs=False, log=False)


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
    metrics = {(each.attributes["metric"], each.attributes["direction"]) for each in studies}
    if len(metrics) > 1:
        remark(
            "These studies measure different things: their values do not compare.",
            "warning",
        )
    elif len({(each.attributes["workload"], each.attributes["budget"]) for each in studies}) > 1:
        remark("Workloads or budgets differ between these studies.", "warning")
    if len(metrics) == 1:
        metric, direction = metrics.pop()
        figure = await run_in_threadpool(_drawn, studies, direction, metric, by_epochs, log)
        Figure("Best so far", "compared", height="28rem").show(figure)
    table = await run_in_threadpool(lambda: [compared_row(each) for each in studies])
    Table("Studies", "compared-studies", COLUMNS, table, key="study")


def _drawn(studies: list[Study], direction: str, metric: str, by_epochs: bool, log: bool) -> dict[str, Any]:
    rows = {each.name: each.rows for each in studies}
    return compared(rows, direction, metric, by="epochs" if by_epochs else "trials", log=log)


def compared_row(study: Study) -> dict[str, Any]:
    """A study as a row."""
    kept = study.attributes
    best = next(iter(study.top(1)), None)
    again = best.confirmed if best else None
    return {
        "study": study.name,
        **{
            name: kept.get(name)
            for name in ("workload", "metric", "budget", "objective", "pruner", "sampler", "seed")
        },
        "finished": study.finished,
        "value": best and best.value,
        "mean": again and again.mean,
        "low": again and again.low,
        "high": again and again.high,
        "verdict": study.verdict.decision if study.verdict else None,
        "trial": best and best.number,
        "arm": best and best.arm,
        **{name: best and getattr(best.schedule, name, None) for name in FIELDS},
    }
