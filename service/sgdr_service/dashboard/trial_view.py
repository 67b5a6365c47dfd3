"""What is known of a trial: its schedule, its curve, its cycles, and code to train with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sgdr.schedule import WarmRestarts
from sgdr.search.study.study import Study
from sgdr_service.dashboard.code_view import show_code
from sgdr_service.dashboard.explorer.link import explorer_url
from sgdr_service.dashboard.figure import Figure
from sgdr_service.dashboard.figures.curves import Drawn
from sgdr_service.dashboard.figures.trial import trial_figure
from sgdr_service.dashboard.layout import facts, link, remark, shown, told
from sgdr_service.dashboard.table import Table, column

COLUMNS = (
    column("cycle"),
    column("start", "start (epoch)"),
    column("length", "length (epochs)"),
    column("trough", "trough (epoch)"),
    column("value", "value at trough"),
    column("best", "best in cycle"),
)


def show_trial(study: Study, found: dict[str, Any]) -> None:
    """What is known of a trial, a `Trial` of the REST interface."""
    kept, name = study.attributes, study.name
    schedule, file = study.schedule(found["number"]), f"{name}-trial-{found['number']}"
    stepping = study.stepping(found["number"])
    own = {name: found["hparams"][name] for name in kept["space"]["hparams"]}  # its schedule has the others
    facts(
        told(
            {"State": found["state"], "Arm": found["arm"]},
            (kept["metric"], shown(found["value"]) if found["value"] is not None else None),
            {name: _plain(value) for name, value in own.items()},
            {
                **{field: _plain(value) for field, value in (schedule.to_dict() if schedule else {}).items()},
                "Seed": found["seed"],
                "Epochs": f"{found['epochs'] or 0} of {kept['budget']}",
                "Duration": None if found["seconds"] is None else f"{found['seconds']:.3g} s",
                "Started": found["started"] and found["started"][:19].replace("T", " "),
                "Diverged at epoch": found["diverged_at"],
                "Retry of trial": found["retry_of"],
            },
        )
    )
    if found["error"]:
        remark(f"It failed: {found['error']}", "error")
    if found["foreign"]:
        remark("It is foreign: no sweep began it, and nothing is concluded from it.", "warning")
    if schedule is None:
        if not found["foreign"]:
            remark("It has no schedule yet: it was not begun.", "warning")
        return
    if isinstance(schedule, WarmRestarts):
        link("In the explorer", explorer_url(schedule, kept["budget"], stepping.steps_per_epoch))
    curve = found["curve"].get(kept["metric"], [])
    if not curve:
        remark("Its curve is written when it ends." if found["state"] == "RUNNING" else "It has no curve.")
    drawn = Drawn(found["number"], found["state"], found["arm"] or "restarts", schedule, curve)
    figure = trial_figure(drawn, found["curve"], kept["metric"], kept["select_metric"], kept["budget"])
    Figure("Learning rate and validation curve", file, height="30rem").show(figure)
    if not isinstance(schedule, WarmRestarts):
        return
    rows = cycles_of(schedule, curve or [None] * kept["budget"], kept["direction"])
    Table("Cycles", f"{file}-cycles", COLUMNS, rows, key="cycle")
    show_code(schedule, stepping, kept["budget"])


def cycles_of(schedule: WarmRestarts, curve: Sequence[float | None], direction: str) -> list[dict[str, Any]]:
    """A row a cycle that the epochs of the curve have reached; the last may be cut off, and has no trough."""
    epochs = len(curve)
    best_of = min if direction == "minimize" else max
    starts = [0, *schedule.restarts(until=epochs), epochs]
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


def _plain(value: Any) -> str | None:
    """The value as one would type it."""
    return None if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
