"""Studies and trials as the plain values that routes answer with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sgdr import export
from sgdr.errors import ArgumentError
from sgdr.export.parity import Job, report_of
from sgdr.search.problem.types import Schedule
from sgdr.search.study.listing import cells
from sgdr.search.study.study import Best, Study
from sgdr.stepping import Stepping
from sgdr_service.problems import Problem, invalid
from sgdr_service.schemas import BestTrial, CodedBest, StudyDetails, StudySummary

DECLARED = ("workload", "budget", "objective", "metric", "direction", "steps_per_epoch")
SETTINGS = ("space", "select_metric", "pruner", "sampler", "controls", "margin", "seed", "versions")
"""The attributes of a study of which its summary and its details tell."""


def summary(study: Study) -> StudySummary:
    """A study in short."""
    top = study.top(1)
    return StudySummary(
        study=study.name,
        **{name: getattr(study.stored, name) for name in DECLARED},
        trials=study.counts,
        spent=study.spent,
        outcomes=study.outcomes,
        arms=study.arms,
        best=BestTrial(**top[0].to_dict()) if top else None,
        verdict=study.verdict.decision if study.verdict else None,
        started=study.started.astimezone().isoformat() if study.started else None,
    )


def details(study: Study) -> StudyDetails:
    """A study, with what it was made with."""
    settings: dict[str, Any] = {name: getattr(study.stored, name) for name in SETTINGS}
    return StudyDetails(**vars(summary(study)), **settings, last_error=study.last_error)


def column(study: Study, name: str) -> Callable[[Mapping[str, Any]], Any]:
    """What gives a row's cell in that column. Raises a problem where there is none."""
    try:
        return cells(study.stored, name)
    except ArgumentError as error:
        raise invalid("query.sort", str(error)) from error


def trial(study: Study, number: int) -> dict[str, Any]:
    """A `Trial`. Raises a problem, 404, where there is none."""
    row = study.row(number)
    if row is None:
        raise Problem(404, f"study {study.name!r} has no trial {number}; it has {len(study.rows)}")
    schedule = study.schedule(number)
    cycles: dict[str, list[int]] = {"restarts": [], "troughs": []}
    if schedule is not None:
        cycles = cycles_within(schedule, row["epochs"] or 0)
    return {**row, "curve": study.curve(number), **cycles}


def cycles_within(schedule: Schedule, epochs: int) -> dict[str, list[int]]:
    """Restarts and troughs of so many epochs."""
    return {"restarts": schedule.restarts(until=epochs), "troughs": schedule.troughs(budget=epochs)}


def coded(best: Best, stepping: Stepping) -> CodedBest:
    """A trial with code that changes the rate in that way."""
    jobs = jobs_of(best.schedule, stepping, best.budget)
    return CodedBest(
        **best.to_dict(),
        steps_per_epoch=stepping.steps_per_epoch,
        interval=stepping.interval,
        code={target: code_of(job) for target, job in jobs.items()},
        parity={target: report_of(job) for target, job in jobs.items()},
    )


def jobs_of(schedule: Schedule, stepping: Stepping, budget: int) -> dict[str, Job]:
    """What is exported of a schedule in epochs to each target, whose rates change in that way."""
    steps, interval = stepping.steps_per_epoch, stepping.interval
    return {target: Job(schedule, target, steps, budget, interval) for target in export.TARGETS}


def code_of(job: Job) -> str:
    """The exported code; a comment that says why, where that framework has none for the schedule."""
    try:
        return job.code
    except ValueError as error:  # float32 has no 1e30; or it is not known how many updates an epoch has
        return f"# {error}\n"
