"""The rates of any schedule, worked out on the host for the next call."""

from typing import Any

import numpy as np
import pytest

from sgdr import WarmRestarts
from sgdr.relatives import OneCycle
from sgdr.search.backend.rate_table import RateTable, Schedules, rates
from sgdr.search.backend.slots import LONGEST_CALL


def test_every_slot_has_the_rates_of_its_own_steps() -> None:
    restarts, cycle = WarmRestarts(0.1, 2, 2), OneCycle(0.2, 8)
    schedules = Schedules(4, steps_per_epoch=3)
    for slot, schedule in enumerate((restarts, cycle, lambda epoch: 0.1 / (1 + epoch))):
        schedules.fill(slot, schedule, budget=8)
    rates = schedules.table(np.array([0, 3, 5, 1], np.int32), epochs=2)
    assert rates.rates.shape == (4, 3 * LONGEST_CALL) and rates.rates.dtype == np.float32
    assert rates.first.tolist() == [0, 9, 15, 3] and rates.first.dtype == np.int32
    for slot, schedule in enumerate((restarts.scaled(3), cycle.scaled(3))):
        steps = rates.first[slot] + np.arange(6)
        assert rates.rates[slot, :6].tolist() == schedule(steps).astype(np.float32).tolist()
    assert rates.rates[2, :6] == pytest.approx(0.1 / (1 + np.arange(15, 21) / 3), rel=1e-7)
    assert not rates.rates[3].any() and not rates.rates[:3, 6:].any()
    slot_0 = RateTable(rates.first[0], rates.rates[0])
    assert slot_0(4) == rates.rates[0, 4]


def test_a_schedule_is_asked_for_no_step_beyond_its_budget() -> None:
    asked: list[np.ndarray[Any, Any]] = []

    def schedule(epochs: Any) -> Any:
        asked.append(epochs)
        return 0.1 + 0 * epochs

    schedules = Schedules(1, steps_per_epoch=3)
    schedules.fill(0, schedule, budget=4)
    for epoch, epochs in ((0, 3), (3, 2), (5, 5)):
        rates = schedules.table(np.array([epoch], np.int32), epochs)
        assert np.count_nonzero(rates.rates) == 3 * max(0, min(epochs, 4 - epoch))
    assert np.concatenate(asked).tolist() == (np.arange(12) / 3).tolist()


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (lambda epochs: [0.1], r"must give a rate for each of 6 steps, got float64\[1\]; "),
        (lambda epochs: "high", r"must give a rate for each of 6 steps, got <U4\[\]; "),
        (
            lambda epochs: np.where(epochs > 0.5, np.nan, 0.1),
            "must give numbers of float32, got nan at step 2; ",
        ),
        (lambda epochs: 1e300, r"must give numbers of float32, got 1e\+300 at step 0; "),
        (
            lambda epochs: 0.1 if epochs < 3 else 0.01,
            r"fails for a NumPy array of steps \(ValueError: .*\); ",
        ),
    ],
)
def test_what_gives_no_rates_is_refused(schedule: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^schedule=.* {said}") as raised:
        rates(schedule, budget=2, steps_per_epoch=3)
    assert "\n" not in str(raised.value)
