"""The form that goes on with a study."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from itertools import count
from typing import Any, NamedTuple

from optuna.distributions import json_to_distribution

from sgdr.search.storage.schema import StudyAttributes
from sgdr.search.strategy.named import PRUNERS, named_pruner
from sgdr_service.dashboard.launching.form import CHOICES, DEFAULTS, FORM, Values, short_form, values_of
from sgdr_service.sweeps.record import read_record
from sgdr_service.sweeps.request import OF_RAY
from sgdr_service.sweeps.sweeps import engines

PRUNER_NAMES = {type(named_pruner(name, 2, "best-epoch")).__name__: name for name in PRUNERS}
KEPT = tuple(part.name for part in fields(StudyAttributes) if part.name in FORM and part.name != "start")
"""The options that a study keeps as they were asked for, but for the pruner, the space and the starts, with
which it goes on by itself."""
MORE_TRIALS = 64
"""Trials beyond the finished ones, for a study that does not say how many were asked for."""


class Prefilled(NamedTuple):
    """The form, and what is to be known of it."""

    values: Values
    remarks: list[str]


def to_resume(
    study: str, attributes: Mapping[str, Any], finished: int, registered: Collection[str]
) -> Prefilled:
    """The form for a study with these attributes and so many finished trials.

    It is filled as the study's last sweep was asked for; where the command line has swept it, as its
    attributes say.
    """
    record = read_record(attributes)
    if record is None:
        request, remarks = _of_attributes(attributes, finished)
    else:
        request, remarks = dict(record.request), []
        if request.get("engine", DEFAULTS["engine"]) not in engines():
            request |= {name: DEFAULTS[name] for name in ("engine", *OF_RAY)}
            remarks.append(
                "It was swept on Ray, which is not installed here: one worker on this host goes on."
            )
    if request["workload"] not in registered:
        remarks = [
            f"The workload {request['workload']!r} of study {study!r} is not registered here, so the service "
            "cannot go on with it: install the package that registers it, or use the command line, which "
            "takes package.module:object as well."
        ]
        request["workload"] = ""
    return Prefilled(values_of({**request, "study": study, "resume": True}), remarks)


def free_name(name: str, taken: Collection[str]) -> str:
    """A study's name that is not taken: empty where `name` is that, else with a number after it."""
    if name not in taken:
        return ""
    return next(free for number in count(2) if (free := f"{name}-{number}") not in taken)


def _of_attributes(attributes: Mapping[str, Any], finished: int) -> tuple[dict[str, Any], list[str]]:
    space = attributes["space"]
    request = {
        "workload": attributes["workload"],
        **{name: attributes.get(name, DEFAULTS[name]) for name in KEPT},
        "pruner": PRUNER_NAMES.get(attributes.get("pruner", ""), attributes.get("pruner")),
        **{name: value for name, value in space.items() if name in FORM},
        "trials": finished + MORE_TRIALS,
    }
    remarks = [
        "It was swept on the command line, which does not keep how many trials were asked for: "
        f"{finished:,} are finished, and {MORE_TRIALS} more are filled in."
    ]
    for name, known in CHOICES.items():
        if request.get(name, DEFAULTS[name]) not in known:
            remarks.append(
                f"Its {name}, {request[name]}, cannot be asked for here; {DEFAULTS[name]} goes on."
            )
            request[name] = DEFAULTS[name]
    hparams = {name: short_form(json_to_distribution(stored)) for name, stored in space["hparams"].items()}
    for name in [name for name, short in hparams.items() if short is None]:
        remarks.append(
            f"The steps, or the choices, of {name} cannot be asked for here: it goes on as its workload "
            "declares it."
        )
        del hparams[name]
    return {**request, "hparams": hparams}, remarks
