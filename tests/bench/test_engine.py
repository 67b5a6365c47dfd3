from pathlib import Path

import pytest

from experiments.bench import engine
from experiments.bench.process import Finished

TIMING = {"imports": 1.0, "setup": 1.0, "compile": 2.0, "train": 5.0, "sampler": 0.5, "storage": 0.5}


def finished(wall, **report):
    return Finished(1000.0, wall, 300_000_000, report)


def test_sides_take_turns_and_ray_runs_once_a_round():
    turns = list(engine.schedule(["ours", "optuna", "ray"], [64, 256], repeats=2, ray_trials=32))
    one_round = [("ours", 64), ("optuna", 64), ("ray", 32), ("ours", 256), ("optuna", 256)]
    assert turns == one_round * 2


def test_extrapolates_what_grows():
    assert engine.extrapolated(40.0, fixed=8.0, measured=32, wanted=64) == 8.0 + 2 * 32.0
    assert engine.extrapolated(40.0, fixed=8.0, measured=32, wanted=32) == 40.0


def test_total_of_what_is_there():
    assert engine.total(TIMING, ("imports", "setup")) == 2.0
    assert engine.total({"setup": 1.0}, ("imports", "setup")) == 1.0
    assert engine.total({}, ("imports", "setup")) is None


def test_a_row_shows_the_median_run():
    runs = [finished(wall, timing=TIMING, compilations=1) for wall in (30.0, 10.0, 20.0)]
    cells = engine.Result("sgdr", runs, measured=64, trials=64).cells(ours=10.0)
    assert cells == [
        "sgdr", "20.0", "10.0–30.0", "2.00 ×", "10 %", "10 %", "25 %", "5 %", "1", "300 MB"
    ]  # fmt: skip


def test_imports_are_what_a_side_cannot_time_itself():
    assert engine.timing(finished(10.0, imported_at=1002.5))["imports"] == 2.5
    assert engine.timing(finished(10.0, timing={"wall": 7.0}))["imports"] == 3.0
    assert engine.timing(finished(10.0, timing=TIMING)) == TIMING
    assert engine.timing(finished(10.0)) == {}


def test_absent_keys_are_dashes():
    cells = engine.Result("sgdr", [finished(10.0)], measured=64, trials=64).cells(ours=None)
    assert cells[3:-1] == ["–"] * 6
    assert engine.steady(finished(10.0)) == ("Ours in steady state: – trial-steps/s in – slots on –.")


def test_tables_mark_what_is_extrapolated():
    runs = {
        ("ours", 64): [finished(10.0, timing=TIMING)],
        ("ray", 32): [finished(100.0, fixed=8.0, imported_at=1002.0, compilations=64)],
    }
    text = engine.markdown(runs, ["ours", "ray"], [64], ray_trials=32)
    assert "**64 trials**" in text
    row = next(line for line in text.splitlines() if "Ray" in line)
    assert "Ray Tune + OptunaSearch ¹" in row
    assert " 190 " in row
    assert " 19.0 × " in row
    assert " 128 " in row


@pytest.mark.parametrize("side", engine.SIDES)
def test_commands_say_how_many_trials(side):
    command = engine.SIDES[side].command(7, 5, Path("folder"))
    assert command[command.index("--trials") + 1] == "7"
    assert "5" in command
