"""What is known of a trial: its schedule, its curve, its cycles, and code to train with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from fastapi.concurrency import run_in_threadpool

from sgdr.choices import Direction, State
from sgdr.schedule import WarmRestarts
from sgdr.search.problem.types import Schedule
from sgdr.search.study.study import Study
from sgdr.warmup import flat_fields, unwarmed
from sgdr_service.dashboard.code_view import show_code
from sgdr_service.dashboard.explorer.link import explorer_url, is_explorable
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.curves import Drawn
from sgdr_service.dashboard.figures.trial import trial_figure
from sgdr_service.dashboard.layout import dialog, facts, link, remark, shown, told, trial_url, written
from sgdr_service.dashboard.table import CYCLE, Table, column
from sgdr_service.presenters import trial
from sgdr_service.problems import Problem

COLUMNS = (*CYCLE, column("value", "value at trough"), column("best", "best in cycle"))


async def show_in_drawer(study: Study, number: int) -> None:
    """All that is known of a trial, at the side of the page, beside what it was chosen in."""
    with dialog(f"Trial {number}", side=True):
        link("On a page of its own", trial_url(study.name, number))
        try:
            show_trial(study, await run_in_threadpool(trial, study, number))
        except Problem as problem:
            remark(problem.detail, "error")


def show_trial(study: Study, row: dict[str, Any]) -> None:
    """What is known of a trial, a `Trial` of the REST interface."""
    stored, number = study.stored, row["number"]
    budget, metric = stored.budget, stored.metric
    schedule, file = study.schedule(number), f"{study.name}-trial-{number}"
    fields = flat_fields(schedule) if schedule else {}
    own = {name: written(row["hparams"][name]) for name in stored.space["hparams"]}
    facts(
        told(
            {"State": row["state"], "Arm": row["arm"]},
            (metric, shown(row["value"]) if row["value"] is not None else None),
            own,  # its schedule has the others
            {
                **{field: written(value) for field, value in fields.items()},
                "Seed": row["seed"],
                "Epochs": f"{row['epochs'] or 0} of {budget}",
                "Duration": None if row["seconds"] is None else f"{row['seconds']:.3g} s",
                "Started": row["started"] and row["started"][:19].replace("T", " "),
                "Diverged at epoch": row["diverged_at"],
                "Retry of trial": row["retry_of"],
            },
        )
    )
    if row["error"]:
        remark(f"It failed: {row['error']}", "error")
    if row["foreign"]:
        remark("It is foreign: no sweep began it, and nothing is concluded from it.", "warning")
    if schedule is None:
        if not row["foreign"]:
            remark("It has no schedule yet: it was not begun.", "warning")
        return
    stepping = study.stepping(number)
    if is_explorable(schedule):
        link("In the explorer", explorer_url(schedule, budget, stepping.steps_per_epoch))
    curve = row["curve"].get(metric, [])
    if not curve:
        remark("Its curve is written when it ends." if row["state"] == State.RUNNING else "It has no curve.")
    drawn = Drawn(number, row["state"], row["arm"] or "restarts", schedule, curve)
    figure = trial_figure(drawn, row["curve"], metric, stored.select_metric, budget)
    Figure("Learning rate and validation curve", file, height="30rem").show(figure)
    if isinstance(unwarmed(schedule)[0], WarmRestarts):
        cycles = cycles_of(schedule, curve or [None] * budget, stored.direction)
        Table("Cycles", f"{file}-cycles", COLUMNS, cycles, key="cycle")
    show_code(schedule, stepping, budget)


def cycles_of(schedule: Schedule, curve: Sequence[float | None], direction: str) -> list[dict[str, Any]]:
    """A row a cycle that the epochs of the curve have reached; the last may be cut off, and has no trough.

    The first cycle begins after the warm-up.
    """
    epochs = len(curve)
    best_of = min if direction == Direction.MINIMIZE else max
    begin = unwarmed(schedule)[1]
    starts = [begin, *schedule.restarts(until=epochs), epochs] if begin < epochs else []
    rows = []
    for index, (start, end) in enumerate(pairwise(starts)):
        values = [value for value in curve[start:end] if value is not None]
        length = schedule.cycle(start).length
        whole = end in schedule.troughs(budget=end)[-1:]
        rows.append(
            {
                "cycle": index,
                "start": start,
                "length": length,
                "trough": end if whole else None,
                "value": curve[end - 1] if whole else None,
                "best": best_of(values) if values else None,
            }
        )
    return rows
