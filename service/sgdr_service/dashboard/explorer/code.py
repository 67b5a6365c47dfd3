"""A schedule as code: for this library, and for the frameworks."""

from __future__ import annotations

from sgdr.export.parity import Job
from sgdr.stepping import Interval
from sgdr_service.dashboard.explorer.fields import plain
from sgdr_service.dashboard.explorer.state import Explored
from sgdr_service.presenters import code_of

OWN = "sgdr"
"""What code for this library is called; other targets are those of `sgdr.export`."""


def code(explored: Explored, target: str, steps_per_epoch: int | None, budget: int) -> str:
    """The schedule for that target."""
    if target != OWN:
        interval: Interval = "epoch" if steps_per_epoch is None else "step"
        return code_of(Job(explored.schedule, target, steps_per_epoch, budget, interval))
    listed = ", ".join(f"{name}={plain(value)}" for name, value in explored.restarts.to_dict().items())
    restarts = f"WarmRestarts({listed})"
    names, schedule = "WarmRestarts", restarts
    if explored.warmup:
        names, schedule = "Warmup, WarmRestarts", f"Warmup({restarts}, {explored.warmup})"
    lines = [f"from sgdr import {names}", "", f"schedule = {schedule}  # in epochs"]
    unit, count = "epoch", budget
    if steps_per_epoch is not None:
        lines.append(f"schedule = schedule.scaled({steps_per_epoch})  # in optimizer steps")
        unit, count = "step", budget * steps_per_epoch
    lines += ["", f"for {unit} in range({count}):", f"    learning_rate = schedule({unit})"]
    return "\n".join(lines) + "\n"
