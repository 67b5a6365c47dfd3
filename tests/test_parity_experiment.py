"""`python -m experiments.parity`: its judge, how wrong points are told apart, a corner and a part of it."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.parity import compare, page
from experiments.parity.judge import PEAK, Fields, Setting, grid
from experiments.parity.tally import EARLY, LATE, OTHER, RESUMED, ROUNDED, Way
from sgdr import WarmRestarts

ROOT = Path(__file__).parents[1]
MANY = ("--T-0", "1:5", "--T-mult", "1:4", "--steps", "30000")


@pytest.mark.parametrize("fields", [Fields(1, 1), Fields(7, 1), Fields(1, 2), Fields(5, 3), Fields(100, 10)])
def test_the_judge_and_our_schedule_agree_though_they_share_nothing(fields):
    setting, schedule = Setting(fields, 20, 3000), WarmRestarts(PEAK, *fields)
    restarts = schedule.restarts(until=setting.length)
    assert setting.length == min(3000, 20 * fields.T_0 if fields.T_mult == 1 else 3000)
    assert setting.starts[1 : len(restarts) + 1].tolist() == restarts
    exact = setting.rates(setting.steps)
    assert np.abs(exact - schedule(setting.steps)).max() < 1e-15
    around = {step for b in restarts for step in (b - 1, b, b + 1) if step < setting.length}
    assert set(setting.boundaries.tolist()) - {setting.length - 1} == around - {setting.length - 1}


def test_wrong_rates_are_told_apart():
    setting = Setting(Fields(10, 2), 20, 200)
    steps, exact = setting.steps, setting.rates(setting.steps)
    rates = exact.copy()
    rates[30] = 0.0  # a restart
    rates[69] = PEAK  # before one
    rates[40] += 5e-4 * PEAK
    rates[75] = 0.3 * PEAK
    way = Way("torch", "step()")
    way.look(setting, steps, rates, exact)
    assert way.by_kind() == {LATE: 1, EARLY: 1, ROUNDED: 1, OTHER: 1}
    worst = {kind: (wrong.worst.step, wrong.first) for (_, kind), wrong in way.wrong.items()}
    assert worst == {LATE: (30, [30]), EARLY: (69, [69]), ROUNDED: (40, [40]), OTHER: (75, [75])}
    assert (way.points, way.settings, way.largest) == (200, 1, 0.0)
    rates[5] = np.nan
    way = Way("torch", "again", resumes=True)
    way.look(setting, steps, rates, exact)
    assert way.by_kind() == {RESUMED: 5}
    text = page.points([way])
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["points"], row["worst_step"], row["rate"]) == ("5", "5", "nan")


def test_a_corner(monkeypatch):
    # Keras reads its backend when it is imported, and other tests may have done that.
    there = [peer for peer in compare.installed() if peer != "keras"]
    monkeypatch.setattr(compare, "installed", lambda: there)
    settings = grid(range(1, 4), range(1, 4), 20, 400)
    seen = []
    ways = {(way.peer, way.name): way for way in compare.compared(settings, seen.append)}
    assert sum(seen) == (18 if "braintools" in there else 9)
    for (peer, name), way in ways.items():
        right = peer == compare.OWN or name.startswith("step()")
        assert (not way.wrong) >= right and way.points > 100 * right
        assert way.largest < 1e-6
    if "torch" in there:
        wrong = ways["torch", "step(epoch)"].wrong
        assert wrong[Fields(1, 3), LATE].first == [121] and wrong[Fields(3, 3), LATE].first == [363]
        assert not any(fields.T_mult == 1 for fields, _ in ways["torch", compare.RESUMED].wrong)
        assert any(fields.T_mult == 2 for fields, _ in ways["torch", compare.RESUMED].wrong)
    text = page.page(list(ways.values()), settings, 400, "the command", "1 minute", compare.SAMPLED)
    assert "9 schedules: T_0 1 to 3, T_mult 1 to 3" in text and "the command" in text
    assert ("1, 3, 121: 0 for 0.1" in text) == ("torch" in there)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_part_of_it_by_the_command(tmp_path):
    """All of it, a million steps of 1,000 schedules, takes minutes: the command makes the page by hand."""
    for name in ("torch", "keras", "braintools"):
        if name not in compare.installed():
            pytest.skip(f"{name} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "experiments.parity", *MANY, "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "README.md").read_text() + "\n"
    with (tmp_path / "points.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["peer"] for row in rows} == {"torch", "keras", "braintools"}
    assert not any(row["way"].startswith("step()") for row in rows)
    late = [row for row in rows if row["peer"] == "torch" and row["way"] == "step(epoch)"]
    assert late and {row["kind"] for row in late} == {LATE}
