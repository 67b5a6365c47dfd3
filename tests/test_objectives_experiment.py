"""`python -m experiments.objectives` on a workload that trains in no time."""

from types import ModuleType

from experiments.objectives.__main__ import table
from experiments.objectives.measure import measured
from sgdr import search


def test_every_schedule_with_restarts_is_beside_every_control(tiny: ModuleType) -> None:
    rows = measured(tiny.predicting, 15, (0.1, 0.3), 2, 3, search.Callback())
    assert [row.objective for row in rows] == ["ensemble"] * 4 + ["anytime"] * 2
    for row in rows:
        assert set(row.peaks) <= {0.1, 0.3} and row.difference.seeds == 3
        assert abs(row.difference.mean - (row.means[0] - row.means[1])) < 1e-6
        assert (row.verdict == "undecided") is (row.difference.low <= 0 <= row.difference.high)
    assert table(rows).count("one cosine") == 4 and table(rows).count("trained apart") == 2
