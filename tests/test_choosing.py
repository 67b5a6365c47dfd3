"""The measurements behind the page on T_0 and T_mult: what they compare, and how they are read."""

import numpy as np
import pandas as pd
import pytest

from experiments.choosing import grid, reading, tables
from experiments.choosing.__main__ import main, put


def test_closed_schedules_are_at_their_lowest_rate_at_the_end():
    for cycles in grid.CYCLES:
        for T_mult in grid.FACTORS:
            if grid.fits(24, cycles, T_mult):
                schedule = grid.closed(24, cycles, T_mult, 0.1)
                assert len(schedule.troughs(budget=24)) == cycles
                assert schedule(24) == pytest.approx(0.001)


def test_a_peak_is_chosen_on_other_seeds_than_it_is_read_on():
    values = pd.DataFrame({"low": [0.1, 0.9, 0.1, 0.9], "high": [0.9, 0.1, 0.9, 0.1]})
    assert reading.cross_fitted(values).tolist() == [0.9] * 4, "each half prefers what is bad on the other"
    same = pd.DataFrame({"low": [0.1, 0.2, 0.3, 0.4], "high": [0.9] * 4})
    assert reading.cross_fitted(same).tolist() == [0.1, 0.2, 0.3, 0.4]


def test_every_schedule_has_its_place_in_the_tables():
    worth = {
        name: reading.Worth(0.1 + place / 1000, None) for place, name in enumerate(grid.schedules(48, [0.1]))
    }
    text = tables.of(reading.Found(worth, worth), 48)
    for value in worth.values():
        assert text.count(f"{value.mean:.4f}") == 2
    assert np.isfinite([value.mean for value in worth.values()]).all()


def test_the_tables_of_a_workload_are_put_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- digits -->\nold\n<!-- /digits -->\nafter\n")
    put(page, "digits", "new")
    assert page.read_text() == "before\n<!-- digits -->\nnew\n<!-- /digits -->\nafter\n"
    with pytest.raises(ValueError, match="no marks <!-- mnist1d -->"):
        put(page, "mnist1d", "new")


@pytest.mark.slow
def test_the_command_prints_them(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["choosing", "--workload", "digits", "--budget", "12", "--seeds", "2"])
    main()
    out = capsys.readouterr().out
    assert out.startswith("## digits\n") and "| T_0 = 6 " in out and "Without restarts: one cosine" in out
