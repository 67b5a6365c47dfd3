"""The schedules that may be trained, as the model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float64, Int


@dataclass(frozen=True, eq=False)
class Candidates:
    """Schedules, and what else is searched with them, as the model sees them."""

    peaks: Float64[np.ndarray, " rows"]
    """Logarithms of the peak rates."""
    places: Float64[np.ndarray, " rows"]
    """Where each peak lies in its range on the logarithm, from 0 to 1."""
    traits: Float64[np.ndarray, "rows traits"]
    hparams: Float64[np.ndarray, "rows hparams"]
    """Further searched values, each from 0 to 1."""

    @classmethod
    def of(
        cls,
        rates: Sequence[float],
        places: Sequence[float],
        traits: Sequence[Float64[np.ndarray, " traits"]],
        hparams: Sequence[Sequence[float]],
    ) -> Candidates:
        """The candidates with these peak rates, a row each; `traits` as of `traits.traits`."""
        return cls(
            peaks=np.log(np.maximum(rates, np.finfo(float).tiny)),
            places=np.array(places),
            traits=np.stack(traits),
            hparams=np.array(hparams, float).reshape(len(rates), -1),
        )

    def __len__(self) -> int:
        return len(self.peaks)

    def joined(self, others: Candidates) -> Candidates:
        """These, and then the others."""
        pairs = ((getattr(self, name), getattr(others, name)) for name in vars(self))
        return Candidates(*(np.concatenate(pair) for pair in pairs))

    def some(self, rows: Int[np.ndarray, " some"]) -> Candidates:
        """Some of these, in the order of `rows`."""
        return Candidates(*(values[rows] for values in vars(self).values()))
