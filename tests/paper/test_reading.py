"""What made-up curves say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.paper import grid, reading, tables
from experiments.paper.reading import Runs

EPOCHS, SEEDS = 40, 5


def runs_of(key: str, error: np.ndarray, select: np.ndarray | None = None) -> Runs:
    """Runs of one of the schedules, with these curves [seeds, epochs]."""
    setting = grid.settings(error.shape[1])[key]
    return Runs(setting, error, error if select is None else select, {})


def rising(seeds: int = SEEDS) -> np.ndarray:
    """Each epoch's error is its number in thousandths, and each seed's higher by a tenth."""
    return np.arange(1, EPOCHS + 1) / 1000 + np.arange(seeds)[:, None] / 10


def test_the_last_troughs_model_is_used_and_before_the_first_the_last() -> None:
    used = np.rint(1000 * reading.recommended(runs_of("t10-double", rising()))[0]).astype(int)
    assert used.tolist() == [1, 2, *[2] * 3, *[6] * 8, *[14] * 16, *[30] * 11]
    used = np.rint(1000 * reading.recommended(runs_of("t100", rising()))[0]).astype(int)
    assert used.tolist() == [*range(1, 21), *[20] * 19, 40]
    for key in ("decay-low", "constant"):
        np.testing.assert_array_equal(reading.recommended(runs_of(key, rising())), rising())


def test_readings() -> None:
    readings = reading.readings(runs_of("t10-double", rising()))
    epochs = {name: round(1000 * values[0]) for name, values in readings.items()}
    assert epochs == {"end": 30, "best epoch": 1, "after 1/4": 6, "after 1/2": 14, "last epoch": 40}
    for values in readings.values():
        np.testing.assert_allclose(values - values[0], np.arange(SEEDS) / 10)


def test_the_best_epoch_is_chosen_on_other_examples_than_it_is_read_on() -> None:
    error, select = np.full((2, EPOCHS), 0.5), np.full((2, EPOCHS), 0.5)
    error[:, 3], select[0, 7], select[1, 9] = 0.1, 0.2, 0.3
    error[0, 7], error[1, 9] = 0.4, 0.45
    assert reading.best(runs_of("t100", error, select)).tolist() == [0.4, 0.45]


def test_the_default_is_the_better_step_decay() -> None:
    high, low, other = (
        runs_of(key, rising() + add)
        for key, add in zip(("decay-high", "decay-low", "t200"), (0.1, 0.2, 0.0), strict=True)
    )
    runs = {error.setting.key: error for error in (low, other, high)}
    assert reading.default(runs) is high
    assert reading.default({"t200": other}) is None


def test_a_target_is_reached_by_the_mean() -> None:
    falling = np.linspace(1, 0.5, EPOCHS) + np.array([[-0.2], [0.2]])
    runs = runs_of("decay-low", falling)
    assert reading.reached(runs, 1.0) == 1
    assert reading.reached(runs, 0.75) == int(np.argmax(np.linspace(1, 0.5, EPOCHS) <= 0.75)) + 1
    assert reading.reached(runs, 0.49) is None


def test_a_diverged_run_counts_as_the_worst_value_of_any_other() -> None:
    error = rising()
    error[2] = np.nan
    runs = {"t50": runs_of("t50", error), "t100": runs_of("t100", rising() / 2)}
    runs["t50"] = replace(runs["t50"], ensembles={"ensemble of 3": np.array([0.1, 0.1, np.nan, 0.1, 0.1])})
    assert (runs["t50"].diverged, runs["t100"].diverged) == (1, 0)
    known = reading.filled(runs)
    worst = np.nanmax(error)
    assert set(known["t50"].error[2]) == set(known["t50"].select[2]) == {worst}
    assert known["t50"].ensembles["ensemble of 3"][2] == worst
    np.testing.assert_array_equal(known["t100"].error, rising() / 2)
    assert "T_0 = 50, T_mult = 1 (1 diverged)" in tables.tables(runs)
    with pytest.raises(ValueError, match="all runs have diverged"):
        reading.filled({"t50": runs_of("t50", np.full((2, EPOCHS), np.nan))})


@given(st.integers(2, 200), st.sampled_from(sorted(grid.settings(200))), st.integers(0, 2**32 - 1))
def test_what_is_used_is_always_an_earlier_epochs_and_changes_at_troughs_alone(
    epochs: int, key: str, seed: int
) -> None:
    error = np.random.default_rng(seed).permutation(epochs)[None] + 1.0
    runs = runs_of(key, error)
    used = reading.recommended(runs)
    places = np.array([int(np.flatnonzero(error[0] == value)[0]) for value in used[0]])
    assert (places <= np.arange(epochs)).all()
    first = runs.troughs[0] if runs.troughs else epochs
    changes = np.flatnonzero(np.diff(places)) + 2
    assert set(changes[changes > first]) <= set(runs.troughs)
    assert places[:first].tolist() == list(range(first))


def test_tables_of_made_up_runs() -> None:
    noise = np.random.default_rng(0).normal(0, 1e-3, size=(SEEDS, 1))
    base = np.linspace(0.5, 0.2, EPOCHS)[None] + noise
    runs = {key: runs_of(key, base + 0.01 * place) for place, key in enumerate(grid.settings(EPOCHS))}
    sizes = {
        "ensemble of 1": base[:, -1] + 0.02,
        "ensemble of 3": base[:, -1],
        "ensemble of all": base[:, -1],
    }
    runs["t10-double"] = replace(runs["t10-double"], ensembles=sizes)
    errors, differences, sooner, ensembles = map(rows_of, tables.tables(runs).split("\n\n"))
    assert list(errors) == list(differences) == list(sooner) == [run.setting.name for run in runs.values()]
    mean, half = (float(part) for part in errors["step decay, lr 0.1"][1].split(" ± "))
    assert mean == pytest.approx(100 * base[:, -1].mean(), abs=0.005)
    # The t quantile of 4 degrees of freedom is 2.776.
    assert half == pytest.approx(100 * 2.776 * noise.std(ddof=1) / SEEDS**0.5, abs=0.005)
    assert errors["step decay, lr 0.1"][6:] == ["4.24", "20.33"]
    assert errors["constant, lr 0.05"][6:] == ["–", "–"]
    assert errors["T_0 = 50, T_mult = 1"][0] == "10, 20, 30, 40"
    # Paired by seed: what all schedules have in common leaves no width. One cosine is the sixth.
    assert differences["step decay, lr 0.1"] == ["–", "-5.00 ± 0.00"] * 2
    assert differences["step decay, lr 0.05"][0] == "+1.00 ± 0.00"
    assert differences["T_0 = 200, T_mult = 1"] == ["+5.00 ± 0.00", "–"] * 2
    assert sooner["step decay, lr 0.1"] == ["39", "1.0", "40", "1.0"]
    assert sooner["T_0 = 10, T_mult = 2"] == ["–"] * 4
    assert ensembles["T_0 = 10, T_mult = 2"][4] == "-2.00 ± 0.00"
    assert [cells[4] for name, cells in ensembles.items() if "paper" in name] == ["-0.52", "-1.82"]


def rows_of(table: str) -> dict[str, list[str]]:
    """The cells of a table in Markdown, by the first of their row."""
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()[2:]]
    return {first: rest for first, *rest in rows}


def test_one_seed_has_no_interval() -> None:
    runs = {key: runs_of(key, rising(1)) for key in ("decay-low", "t50")}
    told = tables.tables(runs)
    assert "+0.00 | " in told and "±" not in told
