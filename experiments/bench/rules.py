"""Rules of pruning that were tried: what is compared, at which rungs, and what becomes of the true value.

The product's rule is `sgdr/search/strategy/restart_aware.py`; here it is one row among others.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from experiments.bench.replay import SLOTS, worths_of
from experiments.bench.tables import Table
from sgdr.search.strategy.restart_aware import to_fall

WINDOW = 3


class Rule(NamedTuple):
    """A rule: at rungs, in percent of the budget, the best share by `compared` goes on.

    `credit` is that of `restart_aware.credited`, in interquartile ranges.
    """

    compared: str
    rungs: tuple[int, ...]
    share: float
    credit: float = 0.0


WIDE, DENSE = (1, 25, 50), (3, 6, 12, 25, 50)
THIRD = 1 / 3
RULES = (
    *(Rule("lowest mean of 3", WIDE, THIRD, credit) for credit in (2.0, 0.0, 1.0, 3.0)),
    Rule("lowest mean of 3", WIDE, 1 / 4, 2.0),
    Rule("lowest mean of 3", WIDE, 1 / 2, 2.0),
    Rule("lowest mean of 3", (3, 25, 50), THIRD, 2.0),
    Rule("lowest mean of 3", (1, 16, 50), THIRD, 2.0),
    Rule("lowest mean of 3", (1, 33), 1 / 4, 2.0),
    Rule("raw", WIDE, THIRD),
    Rule("mean of 3", WIDE, THIRD),
    Rule("lowest", WIDE, THIRD),
    Rule("last trough or now", WIDE, THIRD),
    Rule("corrected for the phase", WIDE, THIRD),
    Rule("raw", DENSE, 1 / 2),
    Rule("mean of 3", DENSE, 1 / 2),
    Rule("lowest", DENSE, 1 / 2),
    Rule("last trough or now", DENSE, 1 / 2),
    Rule("lowest mean of 3", DENSE, 1 / 2, 2.0),
    Rule("raw", (2, 6, 18, 54), THIRD),
    Rule("mean of 3", (4, 11, 33), THIRD),
)
"""The product's own first."""


def running_mean(curves: np.ndarray) -> np.ndarray:
    """The mean of the last three epochs, or of as many as there are."""
    padded = np.cumsum(np.pad(curves, ((0, 0), (1, 0))), axis=1)
    ends = np.arange(1, curves.shape[1] + 1)
    starts = np.maximum(0, ends - WINDOW)
    means: np.ndarray = (padded[:, ends] - padded[:, starts]) / (ends - starts)
    return means


def at_last_trough(table: Table, curves: np.ndarray) -> np.ndarray:
    """The mean of the last three epochs of the last whole cycle; infinite before there is one."""
    means = np.full_like(curves, np.inf)
    for row, schedule in enumerate(table.schedules):
        start = 0
        for trough in schedule.troughs(budget=table.budget):
            means[row, trough - 1 :] = curves[row, max(start, trough - WINDOW) : trough].mean()
            start = trough
    return means


def phases(table: Table) -> np.ndarray:
    """How far the rate is above its minimum, from 0 to 1, after each epoch."""
    epochs = np.arange(1, table.budget + 1)
    heights = np.zeros((len(table.schedules), table.budget))
    for row, schedule in enumerate(table.schedules):
        if schedule.eta_min < schedule.base_lr:
            rates = np.array([_before(schedule, epoch) for epoch in epochs.tolist()])
            heights[row] = (rates - schedule.eta_min) / (schedule.base_lr - schedule.eta_min)
    return heights


def _before(schedule: Callable[[float], float], epoch: int) -> float:
    return float(schedule(math.nextafter(epoch, 0)))


def compared(table: Table, column: int) -> dict[str, np.ndarray]:
    """What may be compared after every epoch, float [schedules, epochs], by name; lower is better."""
    curves = np.nan_to_num(table.curves["error"][:, column].astype(float), nan=1.0)
    now = running_mean(curves)
    spread = np.quantile(now, 0.75, axis=0) - np.quantile(now, 0.25, axis=0)
    return {
        "raw": curves,
        "mean of 3": now,
        "lowest": np.minimum.accumulate(curves, axis=1),
        "lowest mean of 3": np.minimum.accumulate(now, axis=1),
        "last trough or now": np.minimum(now, at_last_trough(table, curves)),
        "corrected for the phase": now - spread / 2 * phases(table),
    }


@functools.cache
def _compared(table: Table, column: int) -> dict[str, np.ndarray]:
    return compared(table, column)


@functools.cache
def _falls(table: Table) -> np.ndarray:
    """What `pruning.to_fall` gives after every epoch."""
    epochs = range(1, table.budget + 1)
    return np.array([[to_fall(schedule, epoch) for epoch in epochs] for schedule in table.schedules])


def follow(table: Table, column: int, rows: Sequence[int], rule: Rule) -> tuple[float, list[int]]:
    """(cost in full trials, the rows that were trained to the end), with 16 trials in lockstep."""
    values, falls = _compared(table, column)[rule.compared], _falls(table)
    rungs = sorted({max(1, round(table.budget * percent / 100)) for percent in rule.rungs})
    ends = [*rungs, table.budget]
    reached: dict[int, list[int]] = {rung: [] for rung in rungs}
    left, training, cost, done = list(rows), dict[int, tuple[int, int]](), 0, list[int]()
    while left or training:
        for slot in range(SLOTS):
            if slot not in training and left:
                training[slot] = left.pop(0), 0
        targets = {slot: next(end for end in ends if end > at) for slot, (_, at) in training.items()}
        step = min(targets[slot] - at for slot, (_, at) in training.items())
        cost += step * len(training)
        training = {slot: (row, at + step) for slot, (row, at) in training.items()}
        due = [slot for slot, (_, at) in training.items() if at == targets[slot]]
        for slot in due:
            row, at = training[slot]
            if at < table.budget:
                reached[at].append(row)
        for slot in due:
            row, at = training[slot]
            if at == table.budget:
                done.append(row)
                del training[slot]
            elif not _goes_on(values[:, at - 1], falls[:, at - 1], reached[at], row, rule):
                del training[slot]
    return cost / table.budget, done


def _goes_on(values: np.ndarray, falls: np.ndarray, reached: list[int], row: int, rule: Rule) -> bool:
    low, high = np.quantile(values[reached], [0.25, 0.75])
    worth = values - rule.credit * (high - low) * falls
    return int(np.sum(worth[reached] < worth[row])) < math.ceil(rule.share * len(reached))


def tried(
    table: Table, searched: int, true: Sequence[int], rows: Sequence[int]
) -> dict[Rule, tuple[float, float]]:
    """(true value minus that of the unpruned search, cost) by rule."""
    worth = worths_of(table)

    def truth(ended: Sequence[int]) -> float:
        return float(worth[min(ended, key=lambda row: worth[row, searched])][true].mean())

    results = {}
    for rule in RULES:
        cost, done = follow(table, searched, rows, rule)
        results[rule] = truth(done) - truth(rows), cost
    return results
