"""Label noise, under which networks overfit and schedules differ more."""

from __future__ import annotations

import numpy as np


def redrawn(labels: np.ndarray, share: float, classes: int, seed: int) -> np.ndarray:
    """A copy in which a fixed `share` of the labels is drawn anew among all classes, as `seed` says."""
    random = np.random.default_rng(seed)
    replaced = random.permutation(len(labels))[: round(share * len(labels))]
    changed = labels.copy()
    changed[replaced] = random.integers(classes, size=len(replaced))
    return changed
