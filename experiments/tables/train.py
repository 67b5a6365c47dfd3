"""Trains the tables, seed by seed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from experiments.tables.grid import Entry, entries
from sgdr.search.backend.devices import local_devices
from sgdr.search.backend.population import Population
from sgdr.search.backend.slots import FINITE, LONGEST_CALL
from sgdr.search.problem.supervised import Supervised
from sgdr.workloads.cache import Arrays, cached

SLOTS = 16
VERSION = 1
"""The version of what the workloads and the grid are: another number trains anew."""


def curves(workload: Supervised, seed: int, advanced: Callable[[int], None]) -> Arrays:
    """The curves of all schedules of the workload's grid on one seed, from the cache or trained now.

    `value` and `select` are float16 [schedules, epochs], NaN from where a trial has diverged.
    """
    chosen = entries(workload.base_lr, workload.budget)
    key = f"table-{VERSION}-{workload.name}-{seed}"
    return cached(key, lambda: _train(workload, chosen, seed, advanced))


def _train(
    workload: Supervised, chosen: Sequence[Entry], seed: int, advanced: Callable[[int], None]
) -> Arrays:
    population = _population(workload)
    rounds: list[Arrays] = []
    for first in range(0, len(chosen), population.slots):
        part = chosen[first : first + population.slots]
        for slot, entry in enumerate(part):
            population.fill(slot, entry.schedule, workload.budget, seed, {})
        calls, left = [], workload.budget
        while left:
            calls.append(population.advance(min(left, LONGEST_CALL)).read())
            left -= len(calls[-1][FINITE])
        finite = np.cumprod(np.concatenate([call[FINITE] for call in calls]), axis=0) > 0
        names = {"value": workload.metric, "select": workload.select_metric}
        rounds.append(
            {
                key: _halves(np.where(finite, np.concatenate([call[name] for call in calls]), np.nan)).T[
                    : len(part)
                ]
                for key, name in names.items()
            }
        )
        advanced(len(part))
    return {name: np.concatenate([one[name] for one in rounds]) for name in rounds[0]}


def _halves(values: np.ndarray) -> np.ndarray:
    largest = np.finfo(np.float16).max
    return np.asarray(np.clip(values, -largest, largest), np.float16)


@functools.cache
def _population(workload: Supervised) -> Population:
    population = Population(workload, SLOTS, local_devices()[0], any_schedule=True)
    population.compile()
    return population
