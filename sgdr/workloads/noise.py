"""Label noise, under which networks overfit and schedules differ more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int


def redrawn(labels: Int[np.ndarray, " n"], share: float, classes: int, seed: int) -> Int[np.ndarray, " n"]:
    """A copy in which a fixed `share` of the labels is drawn anew among all classes, as `seed` says."""
    random = np.random.default_rng(seed)
    replaced = random.permutation(len(labels))[: round(share * len(labels))]
    changed = labels.copy()
    changed[replaced] = random.integers(classes, size=len(replaced))
    return changed
