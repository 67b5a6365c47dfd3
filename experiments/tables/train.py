"""Trains the tables, seed by seed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from experiments.bench import tables
from experiments.tables.grid import Schedule, entries
from sgdr.search.backend.devices import local_devices
from sgdr.search.backend.population import Population
from sgdr.search.problem.supervised import Supervised
from sgdr.workloads.cache import Arrays, cached

SLOTS = 16
VERSION = 1
"""The version of what the workloads and the grid are: another number trains anew."""


def curves(workload: Supervised, seed: int, advanced: Callable[[float], None]) -> Arrays:
    """The curves of all schedules of the workload's grid on one seed, from the cache or trained now.

    `value` and `select` are float16 [schedules, epochs], NaN from where a trial has diverged.
    """
    schedules = [entry.schedule for entry in entries(workload.base_lr, workload.budget)]
    key = f"table-{VERSION}-{workload.name}-{seed}"
    return cached(key, lambda: _train(workload, schedules, seed, advanced))


def _train(
    workload: Supervised, schedules: Sequence[Schedule], seed: int, advanced: Callable[[float], None]
) -> Arrays:
    names = {"value": workload.metric, "select": workload.select_metric}
    trained = tables.curves(
        _population(workload), schedules, workload.budget, seed, list(names.values()), advanced
    )
    return {key: _halves(trained[name]) for key, name in names.items()}


def _halves(values: np.ndarray) -> np.ndarray:
    largest = np.finfo(np.float16).max
    return np.asarray(np.clip(values, -largest, largest), np.float16)


@functools.cache
def _population(workload: Supervised) -> Population:
    population = Population(workload, SLOTS, local_devices()[0], any_schedule=True)
    population.compile()
    return population
