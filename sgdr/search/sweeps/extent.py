"""How far a sweep goes: to a number of finished trials, or as far as its cost pays for another whole one.

A cost is in full trainings: the epochs that the trials of a study have trained, divided by its budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Tally(NamedTuple):
    """What the trials of a study come to, those of all runs and of all workers together."""

    ended: int
    """Trials that are complete or pruned."""
    running: int
    epochs: int
    """Epochs trained by those that have ended, each counted once, however often it was begun."""


class Extent(Protocol):
    """How far a sweep goes."""

    def most(self, tally: Tally) -> int:
        """How many trials may have ended or be running."""

    def reached(self, tally: Tally) -> bool:
        """Whether the sweep has gone as far as it is to go."""

    def so_far(self, tally: Tally) -> str:
        """How far it has gone, in words."""


@dataclass(frozen=True)
class TrialExtent:
    """Goes on until so many trials have ended."""

    trials: int

    def most(self, tally: Tally) -> int:
        """See `Extent`."""
        return self.trials

    def reached(self, tally: Tally) -> bool:
        """See `Extent`."""
        return tally.ended >= self.trials

    def so_far(self, tally: Tally) -> str:
        """See `Extent`."""
        return f"{tally.ended} of {self.trials} trials"


@dataclass(frozen=True)
class CostExtent:
    """Goes on while another training of the whole budget fits, so that no more than the cost is spent."""

    cost: float
    """The cost, in full trainings, 1 at least."""
    budget: int

    @property
    def epochs(self) -> int:
        """The epochs that may be trained."""
        return int(round(self.cost * self.budget, 6))  # 1.15 times 20 is a little below 23

    def most(self, tally: Tally) -> int:
        """See `Extent`.

        What is running counts in full until it has ended. So a worker that does not know yet what others have
        begun or ended is told too few, and never too many, as long as it compares with those that there are.
        """
        left = self.epochs - tally.epochs - tally.running * self.budget
        return tally.ended + tally.running + max(0, left // self.budget)

    def reached(self, tally: Tally) -> bool:
        """See `Extent`."""
        return not tally.running and self.most(tally) == tally.ended

    def so_far(self, tally: Tally) -> str:
        """See `Extent`."""
        return f"{tally.epochs / self.budget:.1f} of {self.cost:g} full trainings"
