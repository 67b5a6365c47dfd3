"""The paper's schedules, in its own epochs and in fewer."""

import numpy as np
import pytest

from experiments.paper import grid, published
from sgdr.schedule import WarmRestarts


def test_in_the_papers_epochs_they_are_the_papers() -> None:
    settings = grid.settings(200)
    epochs = np.array([0, 59.9, 60, 119.9, 120, 159.9, 160, 199.9])
    for key, rate in (("decay-high", 0.1), ("decay-low", 0.05)):
        rates = settings[key].schedule(epochs)
        np.testing.assert_allclose(rates, rate * 0.2 ** np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    assert set(settings["constant"].schedule(epochs).tolist()) == {0.05}
    troughs = {
        key: setting.schedule.troughs(budget=200)
        for key, setting in settings.items()
        if isinstance(setting.schedule, WarmRestarts)
    }
    assert troughs == {
        "t50": [50, 100, 150, 200],
        "t100": [100, 200],
        "t200": [200],
        "t1-double": [1, 3, 7, 15, 31, 63, 127],
        "t10-double": [10, 30, 70, 150],
    }


@pytest.mark.parametrize("budget", [2, 3, 20, 40, 100])
def test_other_budgets_keep_the_shares_in_whole_epochs(budget: int) -> None:
    settings = grid.settings(budget, (0.02, 0.01), 0.01)
    assert settings.keys() == grid.settings(200).keys()
    for key, T_0 in (("t50", 50), ("t100", 100), ("t200", 200), ("t1-double", 1), ("t10-double", 10)):
        schedule = settings[key].schedule
        assert isinstance(schedule.T_0, int) and schedule.T_0 >= 1
        assert abs(schedule.T_0 - T_0 * budget / 200) <= 0.5 or schedule.T_0 == 1
        assert (schedule.base_lr, schedule.eta_min) == (0.01, 0)
    assert [settings[key].schedule.base_lr for key in ("decay-high", "decay-low")] == [0.02, 0.01]
    assert settings["t200"].schedule.troughs(budget=budget) == [budget]
    if budget >= 10:
        np.testing.assert_allclose(
            settings["decay-low"].schedule.milestones, np.array([0.3, 0.6, 0.8]) * budget, atol=0.5
        )


def test_the_published_numbers_belong_to_settings() -> None:
    keys = grid.settings(200).keys()
    assert published.WRN_28_10.keys() == keys - {"constant"}
    assert published.ENSEMBLES[1][0] == published.WRN_28_10["t10-double"][0]
