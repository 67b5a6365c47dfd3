"""The product's search on tables, and what it learns from them."""

import pytest

from experiments.tables import learn, staged
from experiments.tables.trials import Replay, course
from sgdr.search.model.prior import PRIOR
from tests.tables.planted import BEST, table


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(staged, "names", list)
    monkeypatch.setattr(staged, "learned", lambda others: PRIOR)


def test_it_begins_with_one_cosine_and_finds_the_best(known):
    planted = table("cosine/0", noise=0.003)
    named = course(staged.search, Replay(planted, [0, 1, 2, 3], 24))
    assert len(named) == 24
    first, last = (planted.entries[row] for row in (named[4][1], named[-1][1]))
    assert first.shape == "cosine"
    assert (last.shape, last.variant) == ("cosine", "0")
    assert 0.3 < last.schedule.base_lr / BEST < 3


def test_the_same_tables_teach_the_same_and_where_noise_is_larger_more_of_it():
    quiet, again, loud = (learn.learned([table("", noise=noise)], rounds=2) for noise in (0.003, 0.003, 0.03))
    assert quiet == again
    assert quiet != loud
