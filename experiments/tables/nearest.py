"""The schedules of a table that are nearest to any other."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from experiments.tables.grid import Schedule
from experiments.tables.table import Table
from sgdr.formula import Formula
from sgdr.schedule import WarmRestarts

Floats = np.ndarray[Any, np.dtype[np.float64]]


def nearest(table: Table, schedule: Schedule) -> list[int]:
    """All rows of the schedule's family, the nearest first.

    Nearest is by the logarithm of the peak first. At one peak it is, of restarts, one cosine and a constant
    rate, by T_mult, then by the logarithm of T_0, then by eta_min as a share of the peak, where a T_0 that
    fills the budget has any T_mult; of another family, whose formula is the same, by the mean distance of the
    rates.
    """
    if isinstance(schedule, WarmRestarts):
        rows, known = _restarts(table)
        asked = _described(schedule, table.about.budget)
        far = np.abs(known - asked)
        far[(known[:, 2] == 0) | (asked[2] == 0), 1] = 0
        return _ordered(rows, far)
    rows, peaks, forms = _formulas(table, schedule.kind)
    peak, form = _form(schedule, table.about.budget)
    return _ordered(rows, np.column_stack([np.abs(peaks - peak), np.abs(forms - form).mean(1)]))


def _ordered(rows: np.ndarray, far: Floats) -> list[int]:
    """The rows by the first column of the distances [rows, columns], those that are equal by the next."""
    ordered: list[int] = rows[np.lexsort(np.round(far.T[::-1], 9))].tolist()
    return ordered


def _described(schedule: WarmRestarts, budget: int) -> Floats:
    """The logarithms of the peak, T_mult, and T_0 as a share of the budget, and the share of eta_min."""
    return np.array(
        [
            np.log(schedule.base_lr),
            np.log(schedule.T_mult),
            np.log(min(schedule.T_0, budget) / budget),
            schedule.eta_min / schedule.base_lr,
        ]
    )


@functools.cache
def _restarts(table: Table) -> tuple[np.ndarray, Floats]:
    """The rows of restarts, one cosine and a constant rate, and what describes them, [rows, 4]."""
    found = {
        row: _described(entry.schedule, table.about.budget)
        for row, entry in enumerate(table.entries)
        if isinstance(entry.schedule, WarmRestarts)
    }
    return np.array(list(found)), np.array(list(found.values()))


@functools.cache
def _formulas(table: Table, kind: str) -> tuple[np.ndarray, Floats, Floats]:
    """The rows of a kind, the logarithms of their peaks, and their forms, [rows, epochs].

    Raises ValueError where the table has none of the kind.
    """
    found = {
        row: _form(entry.schedule, table.about.budget)
        for row, entry in enumerate(table.entries)
        if isinstance(entry.schedule, Formula) and entry.schedule.kind == kind
    }
    if not found:
        raise ValueError(f"the table {table.about.name} has no schedule of kind {kind}")
    peaks, forms = zip(*found.values(), strict=True)
    return np.array(list(found)), np.array(peaks), np.array(forms)


def _form(schedule: Any, budget: int) -> tuple[float, Floats]:
    """The logarithm of a schedule's peak, and its rates as shares of the peak, [epochs]."""
    return float(np.log(schedule.base_lr)), np.asarray(schedule(np.arange(budget)) / schedule.base_lr)
