"""Why a sweep cannot be launched, by the field of the form that is at fault."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import ValidationError

from sgdr.search.storage.connect import StorageError
from sgdr_service.dashboard.launching.form import HPARAMS, LISTS, RANGES, ends
from sgdr_service.problems import Problem
from sgdr_service.sweeps.declarations import WorkloadUnavailable
from sgdr_service.sweeps.refusals import Conflict, Full, Invalid

REFUSALS = (ValidationError, Invalid, Conflict, Full, WorkloadUnavailable, StorageError, Problem)
ELSEWHERE = ""
"""Stands for the field where it is none's fault."""
LONGEST_SHOWN = 100
"""Characters of a bad value."""


def told(refusal: Exception, hparams: Collection[str]) -> dict[str, str]:
    """What one of `REFUSALS` says, by field, of a sweep whose workload takes those further values."""
    words = str(refusal)
    if isinstance(refusal, ValidationError):
        return _faults(refusal)
    if isinstance(refusal, Invalid):
        return {_field(refusal, hparams): words}
    if isinstance(refusal, Conflict):
        return {"study": words}
    if isinstance(refusal, StorageError):
        return {ELSEWHERE: "the storage cannot be used at the moment; try again"}
    # A workload that is not registered, or cannot be loaded.
    return {"workload" if isinstance(refusal, ValueError) else ELSEWHERE: words}


def _faults(refused: ValidationError) -> dict[str, str]:
    faults: dict[str, str] = {}
    for fault in refused.errors():
        name, *path = map(str, fault["loc"]) if fault["loc"] else [ELSEWHERE]
        if name in (*RANGES, *LISTS) and path in (["float"], ["int"]):
            continue  # pydantic's word for: it might have been one number
        place = ends(name)[path[-1] == "1"] if name in RANGES and path else name
        if name == "hparams" and path:
            place = f"{HPARAMS}{path[0]}"
        words = fault["msg"].removeprefix("Value error, ")
        if fault["type"] != "value_error":
            must = words.replace("Input should be", "must be").replace("a valid integer", "a whole number")
            shown = repr(fault["input"])
            words = f"{name}={shown[:LONGEST_SHOWN]} {must.replace('a valid number', 'a number')}"
        kind = words.partition("must be")[2]
        if place not in faults:
            faults[place] = words
        elif kind not in faults[place]:
            faults[place] += f" or{kind}"  # it might have been of several kinds
    return faults


def _field(refused: Invalid, hparams: Collection[str]) -> str:
    if refused.field in RANGES:
        return ends(refused.field)[0]
    if refused.field == "hparams":
        return f"{HPARAMS}{refused.hparam}" if refused.hparam in hparams else ELSEWHERE
    return refused.field or ELSEWHERE
