"""Searches by hand, replayed on a table whose best schedule is known."""

import numpy as np
import pytest

from experiments.tables.grid import entries, peaks
from experiments.tables.peers import Replay, by_hand, rows_of, staged, staged_variants
from experiments.tables.table import About, Table

ABOUT = About("planted", "error", "minimize", 60, (1e-3, 1.0))
BEST = peaks(ABOUT.base_lr)[7]


def table(helps: str, noise: float = 0.0) -> Table:
    """The loss is a parabola of the peak's logarithm, and lower by 0.05 for the variant that helps."""
    grid = entries(ABOUT.base_lr, ABOUT.budget)
    losses = np.array(
        [
            0.3
            + 0.05 * np.log10(entry.schedule.base_lr / BEST) ** 2
            - 0.05 * (f"{entry.shape}/{entry.variant}" == helps)
            for entry in grid
        ]
    )
    seeds = losses[:, None] + noise * np.random.default_rng(0).standard_normal((len(grid), 8))
    curves = np.repeat(seeds[..., None], ABOUT.budget, axis=2).astype(np.float32)
    return Table(ABOUT, curves, curves)


def test_the_hand_finds_the_best_peak_of_one_cosine_and_no_restarts():
    planted = table("restarts/4x2 0")
    replay = Replay(planted, [0])
    row = by_hand(replay, 13)
    assert planted.entries[row].shape == "cosine" and planted.entries[row].schedule.base_lr == BEST
    assert replay.cost == 13


@pytest.mark.parametrize(("helps", "shape"), [("restarts/4x2 0", "restarts"), ("linear/0", "cosine")])
def test_staging_finds_the_restarts_that_it_tries(helps, shape):
    planted = table(helps)
    replay = Replay(planted, [0, 1, 2, 3])
    row = staged(replay, 13)
    assert planted.entries[row].shape == shape and planted.entries[row].schedule.base_lr == BEST
    assert replay.cost == 13 + len(staged_variants(planted)) + 9


def test_more_seeds_choose_better_where_luck_is_large():
    planted = table("", noise=0.02)
    truth = planted.losses[:, :, 0].mean(1)
    orders = [np.random.default_rng(number).permutation(8).tolist() for number in range(60)]
    once = [truth[by_hand(Replay(planted, order), 6)] for order in orders]
    thrice = [truth[by_hand(Replay(planted, order), 6, seeds=3)] for order in orders]
    assert np.mean(thrice) < np.mean(once)


def test_a_trial_that_diverges_costs_what_it_was_trained():
    planted = table("")
    planted.losses[0, 0, 5:] = np.nan
    replay = Replay(planted, [0])
    replay.train(0)
    assert replay.cost == pytest.approx(6 / 60)
    with pytest.raises(ValueError, match="has had all 1 seeds"):
        replay.train(0)


def test_few_peaks_lie_in_the_middle():
    rows = rows_of(table(""), "cosine", "0")
    replay = Replay(table(""), [0])
    assert by_hand(replay, 1) == rows[6]
