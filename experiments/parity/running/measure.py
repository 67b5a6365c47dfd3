"""How far exported code, and a framework's own scheduler with its nearest settings, are from a schedule."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import numpy as np

from experiments.parity.running.difference import CODE, Difference, compared
from sgdr.cycles import Cycles, FloatArray
from sgdr.export.parity import Job
from sgdr.export.parity.looked import MOST_STEPS, Looked
from sgdr.export.parity.own import Steps
from sgdr.export.plan import LAST_STEP

MOST_RESTARTS = 1_000
"""Beyond the steps that are looked at one after the other, those before, at and after so many restarts are
looked at; the last one comes on top."""


def measure(job: Job) -> list[Difference]:
    """The differences of the exported code, and of the framework's own scheduler in every way to step it."""
    plan, own = job.plan, job.own
    running = importlib.import_module(f"experiments.parity.running.{job.target}")

    def difference(of: str, steps: Steps, rates: Callable[[Steps], FloatArray]) -> Difference:
        return compared(of, plan, steps, rates)

    code = difference(CODE, steps_around(job.looked, plan.cycles), partial(running.code, job.code, plan))
    steps = steps_around(job.looked, *filter(None, (plan.cycles, own.cycles)))
    steps = steps[steps < own_until(job)]
    return [code, *(difference(way, steps, partial(rates, plan, own)) for way, rates in running.WAYS.items())]


def own_until(job: Job) -> int:
    """The first step at which the framework's own scheduler is not looked at any more."""
    if job.target == "optax" and job.own.settings["cycles"] != job.plan.schedule.cycles:
        end = next(islice(job.plan.cycles.first_steps(), job.own.settings["cycles"] - 1, None))
        return min(end, LAST_STEP)
    return MOST_STEPS if job.own.cycles is None else LAST_STEP


def steps_around(looked: Looked, *cycles: Cycles) -> Steps:
    """The steps in order: at first every one, then those around the restarts of these cycles."""
    around = {
        step
        for arithmetic in cycles
        for restart in _restarts(arithmetic, looked.every, looked.steps)
        for step in (restart - 1, restart, restart + 1)
        if looked.every <= step < looked.steps
    }
    return np.concatenate([np.arange(looked.every), np.array(sorted(around), np.int64)])


def _restarts(cycles: Cycles, after: int, until: int) -> Iterator[int]:
    """The first whole steps of cycles from `after` on and before `until`: the first ones, and the last."""
    step, count = after, 0
    while count < MOST_RESTARTS:
        _, start, length, _ = cycles.locate(step)
        step = max(step + 1, math.ceil(start + length))
        if step >= until:
            return
        yield step
        count += 1
    yield math.ceil(cycles.locate(until - 1)[1])
