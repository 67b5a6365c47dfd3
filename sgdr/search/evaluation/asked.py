"""Schedules that a comparison is asked for: said as a start of a search is, or trials of the study."""

from __future__ import annotations

from typing import Any

from sgdr.errors import ArgumentError
from sgdr.search.evaluation.records import Record
from sgdr.search.problem.starts import parts, said, start_of
from sgdr.search.study.study import Study

NAME = "schedules"
"""The argument that takes them."""
TRIAL = "trial:"
"""What a text begins with that names a trial of the study."""


def asked(study: Study, schedules: Any) -> list[Record]:
    """The schedules, with what the workload takes further, as records without a run.

    Raises ArgumentError for what is of no shape, does not fit the study's budget, lacks a value or has an
    unknown one, and for a trial that is not complete; ValueError for a trial that there is not.
    """
    return [
        _of_trial(study, part) if isinstance(part, str) and part.startswith(TRIAL) else _stated(study, part)
        for part in parts(schedules, NAME)
    ]


def _of_trial(study: Study, text: str) -> Record:
    number = text.removeprefix(TRIAL)
    if not (number.isascii() and number.isdecimal()):
        raise ArgumentError(NAME, text, "must name a trial by its number", f"give e.g. {TRIAL}12")
    study.schedule(int(number))  # so that one that there is not is told from one that is not complete
    best = study.completed(int(number))
    if best is None:
        row = study.row(int(number)) or {}
        reason = f"is no completed trial of study {study.name!r}: its state is {row.get('state')}"
        raise ArgumentError(NAME, text, reason, "give a completed one, see `sgdr best`")
    return Record(best.schedule, best.hparams, best.budget, best.number)


def _stated(study: Study, part: Any) -> Record:
    budget = study.stored.budget
    try:
        start = start_of(said(part, NAME), study.stored.hparams, budget)
    except ArgumentError as error:  # which names what starts are given as
        raise ArgumentError(NAME, error.value, error.reason, error.fix) from error
    return Record(start.schedule, start.hparams, budget)
