"""The workloads that are functions: what holds for both, in the processes in which a sweep trains them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sgdr import WarmRestarts, search
from sgdr.search.backend.processes import ProcessSlots
from sgdr.search.problem.workload import CallableWorkload, check_declaration
from sgdr.workloads import growing_batches, torch_digits

pytest.importorskip("sklearn")

EPOCHS = 7
SCHEDULE = WarmRestarts(0.1, 1, 2, 0.001)
STEPS = {"digits-torch": [20] * EPOCHS, "digits-growing-batches": [40, 20, 20, 10, 10, 10, 10]}
"""The steps of each epoch under that schedule, whose cycles have 1, 2 and 4 epochs."""


@pytest.fixture(scope="module", params=STEPS)
def workload(request: pytest.FixtureRequest) -> CallableWorkload:
    if request.param == "digits-torch":
        pytest.importorskip("torch")
    registered = search.find(request.param)
    assert isinstance(registered, CallableWorkload)
    return registered


@pytest.fixture(scope="module")
def slots(workload: CallableWorkload) -> Iterator[ProcessSlots]:
    processes = ProcessSlots(workload, 1, 2)
    yield processes
    processes.close()


def trained(slots: ProcessSlots, schedule: WarmRestarts, seed: int, epochs: int = EPOCHS) -> list[float]:
    """The errors after every epoch."""
    slots.fill(0, schedule, epochs, seed, {})
    reports = slots.advance(epochs)
    errors = reports.read()["error"][:, 0].tolist()
    assert reports.failed() == {}
    return errors


class Recorded:
    """A run in this process, which notes where the schedule is asked for a rate, and what is reported."""

    budget, seed, hparams = EPOCHS, 5, {}

    def __init__(self) -> None:
        self.schedule = self
        self.base_lr, self.cycle = SCHEDULE.base_lr, SCHEDULE.cycle
        self.asked: list[float] = []
        self.reported: list[float] = []

    def __call__(self, position: float) -> float:
        self.asked.append(position)
        return SCHEDULE(position)

    def report(self, epoch: int, value: float) -> None:
        self.reported.append(value)
        assert epoch == len(self.reported)


def test_it_declares_itself(workload: CallableWorkload) -> None:
    check_declaration(workload)
    assert workload.name in STEPS
    assert (workload.metric, workload.direction) == ("error", "minimize")
    assert workload.base_lr == (1e-3, 1.0)


def test_it_learns_and_a_seed_names_a_trial(workload: CallableWorkload, slots: ProcessSlots) -> None:
    """Far below the error of guessing, 0.9; the slot's process trains one trial after another."""
    first, other, again = (trained(slots, SCHEDULE, seed) for seed in (3, 4, 3))
    assert first == again
    assert first != other
    for errors in (first, other):
        assert errors[-1] < min(0.08, errors[0])


def test_a_rate_that_is_too_high_ends_in_no_number(slots: ProcessSlots) -> None:
    assert np.isnan(trained(slots, WarmRestarts(1e30, 3), seed=0, epochs=2)).any()


def test_every_step_has_the_rate_of_its_place(workload: CallableWorkload, slots: ProcessSlots) -> None:
    run = Recorded()
    workload(run)
    expected = [
        epoch + step / steps for epoch, steps in enumerate(STEPS[workload.name]) for step in range(steps)
    ]
    assert run.asked == expected
    assert run.reported == pytest.approx(trained(slots, SCHEDULE, run.seed), abs=0.01)


def test_batches_double_at_each_restart_and_are_whole() -> None:
    sizes = [growing_batches.batch_size(cycle) for cycle in (0, 1, 2, 3, 4, 100, 10_000)]
    assert sizes == [32, 64, 128, 256, 256, 256, 256]
    assert not any(1280 % size for size in sizes)


def test_each_size_of_batch_is_compiled_once() -> None:
    before = growing_batches._epoch._cache_size()
    for _ in range(2):
        growing_batches.train(Recorded())
    assert growing_batches._epoch._cache_size() - before <= 3


def test_pytorch_is_imported_where_it_trains_alone() -> None:
    code = (
        "import sys; from importlib import machinery, util; find = util.find_spec\n"
        "def there(name, *rest):  # as where it is installed\n"
        "    return machinery.ModuleSpec(name, None) if name == 'torch' else find(name, *rest)\n"
        "util.find_spec = there\n"
        "from sgdr import search; search.find('digits-torch'); "
        "assert not {'torch', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_missing_pytorch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without_torch(name: str, *rest: Any) -> Any:
        return None if name == "torch" else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without_torch)
    with pytest.raises(ValueError, match=r"PyTorch.*pip install '\.\[torch\]'"):
        torch_digits.digits_torch()
