"""What a schedule is worth when its peak rate is chosen too, on other seeds than it is read on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.choosing.grid import ONE
from sgdr.search.evaluation import sequential_test
from sgdr.search.evaluation.comparison import Comparison


@dataclass(frozen=True)
class Worth:
    """What one schedule is worth, read at one moment."""

    mean: float
    difference: sequential_test.Difference | None
    """The difference to one cosine cycle, paired by seed; None for that cycle itself."""


@dataclass(frozen=True)
class Found:
    """What all schedules are worth, by the name of each."""

    best: Mapping[str, Worth]
    """What each is worth at its best epoch."""
    end: Mapping[str, Worth]
    """What each is worth at the end of the budget."""


def read(comparison: Comparison, peaks: Mapping[str, Sequence[str]]) -> Found:
    """`peaks`: for every schedule, its names in the comparison, one with each peak. Less is better."""
    curves = comparison.curves()
    end = curves[curves.epoch == comparison.budget].pivot(
        index="seed", columns="name", values=comparison.metric
    )
    # A run that diverged has no end: it counts as what it is worth at all, the worst value of any.
    end = end.reindex(index=comparison.values.index, columns=comparison.values.columns)
    return Found(_worth(comparison.values, peaks), _worth(end.fillna(comparison.values), peaks))


def _worth(values: pd.DataFrame, peaks: Mapping[str, Sequence[str]]) -> dict[str, Worth]:
    fitted = {name: cross_fitted(values[list(names)]) for name, names in peaks.items()}
    one = dict(enumerate(fitted[ONE]))
    return {
        name: Worth(
            float(errors.mean()),
            None if name == ONE else sequential_test.paired(dict(enumerate(errors)), one),
        )
        for name, errors in fitted.items()
    }


def cross_fitted(values: pd.DataFrame) -> np.ndarray:
    """A value for each seed, of the peak that is best on the other half of the seeds."""
    array = values.to_numpy()
    halves = np.arange(len(array)) % 2
    errors = np.empty(len(array))
    for half in (0, 1):
        chosen = int(np.argmin(array[halves != half].mean(axis=0)))
        errors[halves == half] = array[halves == half, chosen]
    return errors
