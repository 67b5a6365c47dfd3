"""Waiting for a storage that is away: how long, how often, and what is said of it."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdr.search.storage import retry
from sgdr.search.storage.retry import LONGEST_PAUSE, RETRY_SECONDS, Retrying
from tests.faults import Away


class World:
    """A clock that goes on while somebody sleeps, and a storage that is away until then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None, back: float = 0.0) -> None:
        self.now, self.back = 0.0, back
        self.pauses: list[float] = []
        self.told: list[bool] = []
        self.remarks: list[str] = []
        self.returns = 0
        if monkeypatch is not None:
            monkeypatch.setattr(retry.time, "monotonic", lambda: self.now)

    def retrying(self, **options: Any) -> Retrying:
        return Retrying(self.remarks.append, self.returned, sleep=self.sleep, **options)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def returned(self) -> None:
        self.returns += 1

    def act(self, maybe_applied: bool) -> str:
        self.told.append(maybe_applied)
        if self.now < self.back:
            raise Away(f"at {self.now}")
        return "done"


def test_what_goes_well_is_done_once():
    world = World()
    assert world.retrying()(world.act) == "done"
    assert world.told == [False] and world.pauses == world.remarks == [] and world.returns == 0


@pytest.mark.parametrize("back", [0.05, 0.5, 60.0, 600.0])
def test_what_fails_is_done_again_until_the_storage_is_back(monkeypatch, back):
    world = World(monkeypatch, back)
    assert world.retrying()(world.act) == "done"
    assert world.told == [False] + [True] * len(world.pauses)
    assert world.returns == 1
    assert back <= world.now <= back + LONGEST_PAUSE
    assert all(1 <= after / before <= 2 for before, after in itertools.pairwise(world.pauses))
    assert world.pauses[0] == 0.1 and max(world.pauses) <= LONGEST_PAUSE
    assert len(world.remarks) == (back > 10)  # of a deadlock nobody needs to know


def test_every_outage_is_remarked_once(monkeypatch):
    world = World(monkeypatch, 100.0)
    retrying = world.retrying()
    retrying(world.act)
    retrying(world.act)
    world.back = world.now + 100
    retrying(world.act)
    assert len(world.remarks) == 2 and "the storage is away" in world.remarks[0]
    assert world.returns == 2


@pytest.mark.parametrize("seconds", [0.0, 30.0, RETRY_SECONDS])
def test_retrying_ends(monkeypatch, seconds):
    world = World(monkeypatch, float("inf"))
    with pytest.raises(Away, match=f"at {world.now}"):
        world.retrying(seconds=-1.0)(world.act)
    with pytest.raises(Away):
        world.retrying(seconds=seconds)(world.act)
    assert seconds < world.now <= seconds + LONGEST_PAUSE
    assert world.returns == 0


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("wrong"), KeyboardInterrupt()])
def test_other_errors_are_raised_at_once_also_after_an_outage(error):
    world = World()
    errors = iter([error, Away(), error])

    def fail(maybe_applied: bool) -> None:
        raise next(errors)

    for pauses in (0, 1):
        with pytest.raises(type(error)):
            world.retrying()(fail)
        assert len(world.pauses) == pauses
    assert world.returns == 0


@given(st.lists(st.booleans(), max_size=12))
def test_it_is_unsure_of_all_but_the_first_attempt(failures):
    world, left = World(), iter([*failures, False])
    told = []

    def act(maybe_applied: bool) -> int:
        told.append(maybe_applied)
        if next(left):
            raise Away
        return 3

    assert world.retrying()(act) == 3
    tries = 1 + [*failures, False].index(False)
    assert told == [False] + [True] * (tries - 1)
