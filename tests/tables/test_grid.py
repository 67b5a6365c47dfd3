"""The schedules of the tables of curves."""

import numpy as np
import pytest

from experiments.tables.grid import PEAKS, entries, peaks
from sgdr.shapes import SHAPES

RANGE = (1e-3, 1.0)


@pytest.mark.parametrize("budget", [40, 60])
def test_every_shape_stands_at_every_peak_once(budget):
    grid = entries(RANGE, budget)
    assert len({(entry.shape, entry.variant, entry.schedule.base_lr) for entry in grid}) == len(grid)
    by_variant = {(entry.shape, entry.variant): [] for entry in grid}
    for entry in grid:
        by_variant[entry.shape, entry.variant].append(entry.schedule.base_lr)
    assert all(rates == peaks(RANGE) and len(rates) == PEAKS for rates in by_variant.values())
    assert {shape for shape, _ in by_variant} == set(SHAPES)


@pytest.mark.parametrize("budget", [40, 60])
def test_rates_stay_between_nothing_and_the_peak(budget):
    epochs = np.arange(0, budget, 0.25)
    for entry in entries(RANGE, budget):
        rates = entry.schedule(epochs)
        assert (rates >= 0).all() and (rates <= entry.schedule.base_lr * (1 + 1e-12)).all(), entry


def test_most_restarts_end_a_cycle_with_the_budget_and_some_do_not():
    restarts = [entry.schedule for entry in entries(RANGE, 60) if entry.shape == "restarts"]
    closed = [60 - schedule.troughs(60)[-1] <= 4 for schedule in restarts]
    assert 0.5 < np.mean(closed) < 0.8
