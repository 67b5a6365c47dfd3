"""The nearest schedules of a table."""

import pytest

from experiments.tables.nearest import nearest
from sgdr.decays import Linear, StableDecay
from sgdr.relatives import Joined, OneCycle
from sgdr.schedule import WarmRestarts
from tests.tables.planted import BEST, table

TABLE = table("")


def test_every_schedule_of_the_table_is_nearest_to_itself():
    for row, entry in enumerate(TABLE.entries):
        assert TABLE.entries[nearest(TABLE, entry.schedule)[0]].schedule == TABLE.entries[row].schedule


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (WarmRestarts(BEST * 1.2, 58, 1), WarmRestarts(BEST, 60, 1)),
        (WarmRestarts(BEST, 58, 3), WarmRestarts(BEST, 60, 1)),
        (WarmRestarts(BEST, 60, 2, BEST), WarmRestarts(BEST, 60, 1, BEST)),
        (WarmRestarts(BEST, 60, 2, 0.04 * BEST), WarmRestarts(BEST, 60, 1)),
        (WarmRestarts(BEST, 4, 2, 0.09 * BEST), WarmRestarts(BEST, 4, 2, 0.1 * BEST)),
        (WarmRestarts(BEST, 5, 3, 0.09 * BEST), WarmRestarts(BEST, 4, 3, 0.1 * BEST)),
        (WarmRestarts(BEST, 3, 3, 0.09 * BEST), WarmRestarts(BEST, 4, 3, 0.1 * BEST)),
        (Linear(0.9 * BEST, 60), Linear(BEST, 60)),
        (StableDecay(BEST, 60, 0.3, fall="sqrt"), StableDecay(BEST, 60, 0.2, fall="sqrt")),
        (OneCycle(BEST, 60, 0.4), OneCycle(BEST, 60, 0.3)),
    ],
)
def test_another_is_nearest_to_one_of_its_family(asked, found):
    assert TABLE.entries[nearest(TABLE, asked)[0]].schedule == found


def test_the_second_nearest_lies_at_the_same_peak():
    rows = nearest(TABLE, WarmRestarts(BEST, 6, 1))
    schedules = [TABLE.entries[row].schedule for row in rows[:3]]
    assert [schedule.base_lr for schedule in schedules] == [BEST] * 3
    assert schedules[0].T_0 == 6 and len(set(rows)) == len(rows)


def test_a_family_that_the_table_lacks_is_named():
    with pytest.raises(ValueError, match="planted has no schedule of kind joined"):
        nearest(TABLE, Joined((Linear(BEST, 10), Linear(BEST, 50)), (10,)))
