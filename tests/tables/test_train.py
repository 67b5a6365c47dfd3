"""Curves of a table: kept as they are trained, and trained once."""

import numpy as np
import pytest

from experiments.tables import train
from experiments.tables.grid import Entry
from sgdr import WarmRestarts
from sgdr.workloads import cache
from tests.tiny import Tiny


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Three schedules, of which one diverges; the cache in a folder of its own."""
    chosen = [Entry("cosine", str(peak), WarmRestarts(peak, 8)) for peak in (0.1, 0.5, 1e30)]
    monkeypatch.setattr(train, "entries", lambda base_lr, budget: chosen)
    monkeypatch.setattr(cache, "directory", lambda: tmp_path)
    return chosen


class Selecting(Tiny):
    base_lr = (0.01, 1.0)
    budget = 8


def test_a_seed_is_trained_once_and_read_back(small):
    counts: list[int] = []
    workload = Selecting()
    first = train.curves(workload, 3, counts.append)
    assert sum(counts) == 3 and first["value"].shape == (3, 8) and first["value"].dtype == np.float16
    assert np.isfinite(first["value"][:2]).all() and np.isnan(first["value"][2, -1])
    again = train.curves(workload, 3, counts.append)
    assert sum(counts) == 3
    np.testing.assert_array_equal(first["value"], again["value"])


def test_seeds_and_schedules_differ(small):
    workload = Selecting()
    one, two = (train.curves(workload, seed, lambda count: None)["value"] for seed in (0, 1))
    assert not np.array_equal(one[0], two[0]) and not np.array_equal(one[0], one[1])
