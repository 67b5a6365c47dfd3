"""A build keeps the seeds of tables that have been written."""

import sys

import numpy as np
import pytest

from experiments.tables import __main__ as build
from experiments.tables import train
from experiments.tables.grid import Entry
from experiments.tables.table import read, stored, write
from sgdr import WarmRestarts
from tests.tiny import Tiny


class Small(Tiny):
    base_lr = (0.01, 1.0)
    budget = 8


@pytest.fixture
def built(monkeypatch, tmp_path):
    """Builds the table of two schedules with so many seeds; and the seeds that have been trained."""
    chosen = [Entry("cosine", str(peak), WarmRestarts(peak, 8)) for peak in (0.1, 0.5)]
    monkeypatch.setattr(build, "WORKLOADS", {"tiny": Small})
    for module in (build, train):
        monkeypatch.setattr(module, "entries", lambda base_lr, budget: chosen)
    trained = []

    def curves(workload, seed, advanced):
        trained.append(seed)
        values = np.full((2, 8), seed + 0.5, np.float16)
        return {"value": values, "select": values}

    monkeypatch.setattr(train, "curves", curves)

    def run(seeds):
        monkeypatch.setattr(sys, "argv", ["build", "--seeds", str(seeds), "--folder", str(tmp_path)])
        build.main()
        return read("tiny", tmp_path)

    return run, trained


def test_a_table_is_extended_without_training_its_seeds_again(built):
    run, trained = built
    assert run(2).losses.shape == (2, 2, 8) and trained == [0, 1]
    assert run(4).losses[0, :, 0].tolist() == [0.5, 1.5, 2.5, 3.5] and trained == [0, 1, 2, 3]


def test_no_seed_is_dropped(built):
    run, trained = built
    run(3)
    assert run(1).losses.shape == (2, 3, 8) and trained == [0, 1, 2]


def test_a_table_of_another_version_is_trained_anew(built, monkeypatch):
    run, trained = built
    run(1)
    monkeypatch.setattr(train, "VERSION", train.VERSION + 1)
    run(1)
    assert trained == [0, 0]


def test_a_table_of_other_schedules_is_trained_anew(built, tmp_path):
    run, trained = built
    run(1)
    about, arrays = stored("tiny", tmp_path)
    write(about, arrays["value"][:1], arrays["select"][:1], tmp_path)
    run(1)
    assert trained == [0, 0]
