"""The epochs at which the restarts of a schedule are said to be."""

import pytest

from sgdr import WarmRestarts, Warmup
from sgdr.relatives import Linear
from sgdr.search.study.restarts import restart_epochs


@pytest.mark.parametrize(
    ("schedule", "budget", "epochs"),
    [
        (WarmRestarts(0.1, T_0=2.5), 10, "2.5, 5, 7.5"),
        (WarmRestarts(0.1, T_0=10, T_mult=2), 100, "10, 30, 70"),
        (Warmup(WarmRestarts(0.1, T_0=10 / 3), 2), 10, "5.33, 8.67"),
        (WarmRestarts(0.1, T_0=10), 10, ""),
        (Linear(0.1, 10), 10, ""),
    ],
)
def test_they_are_where_cycles_begin(schedule, budget, epochs):
    assert ", ".join(map(str, restart_epochs(schedule, budget))) == epochs
