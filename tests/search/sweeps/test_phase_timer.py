"""Time by phase, with a clock that the test moves."""

import pytest

from sgdr.search.sweeps import phase_timer


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def perf_counter(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(phase_timer, "time", clock)
    return clock


def test_an_inner_phase_does_not_count_for_the_outer(clock):
    watch = phase_timer.PhaseTimer()
    clock.now += 1
    with watch.phase("train"):
        clock.now += 2
        with watch.phase("storage"):
            clock.now += 4
        clock.now += 8
        with watch.phase("storage"):
            clock.now += 16
    clock.now += 32
    with watch.phase("train"):
        clock.now += 64
    assert watch.seconds == {"train": 2 + 8 + 64, "storage": 4 + 16}
    assert watch.wall() == 1 + 2 + 4 + 8 + 16 + 32 + 64


def test_a_phase_that_fails_is_counted_and_ended(clock):
    watch = phase_timer.PhaseTimer()
    with pytest.raises(KeyError), watch.phase("train"), watch.phase("storage"):
        clock.now += 3
        raise KeyError
    clock.now += 5
    with watch.phase("setup"):
        clock.now += 7
    assert watch.seconds == {"storage": 3, "train": 0, "setup": 7}
