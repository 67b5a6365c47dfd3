"""Label noise: a share of the labels is drawn anew, always the same ones."""

from __future__ import annotations

import numpy as np
import pytest

from sgdr.workloads.noise import redrawn

LABELS = np.arange(5000, dtype=np.int32) % 10


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_a_share_of_the_labels_is_drawn_anew_among_all_classes(share: float) -> None:
    changed = redrawn(LABELS, share, 10, seed=1)
    # One in ten is drawn as it was.
    assert np.mean(changed != LABELS) == pytest.approx(0.9 * share, abs=0.01)
    assert set(changed[changed != LABELS]) == set(range(10))
    assert changed.dtype == LABELS.dtype


def test_without_a_share_nothing_is_changed() -> None:
    np.testing.assert_array_equal(redrawn(LABELS, 0.0, 10, seed=1), LABELS)


def test_the_labels_that_are_given_stay_as_they_are() -> None:
    labels = LABELS.copy()
    redrawn(labels, 0.5, 10, seed=1)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.slow
def test_a_seed_names_the_noise() -> None:
    first, again, other = (redrawn(LABELS, 0.3, 10, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert ((first != LABELS) != (other != LABELS)).any()
