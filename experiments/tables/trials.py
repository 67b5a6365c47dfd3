"""The trials of a search that is replayed on a table of curves: what they show, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np

from experiments.tables.table import Table


class SpentError(Exception):
    """What was asked for costs more than is left."""


class NoSeedLeftError(ValueError):
    """A schedule has been begun on all seeds that the search may see."""


class Replay:
    """One search on a table: it begins trials, trains each as far as it likes, and pays for what it trains.

    Costs are in full trainings: an epoch of a budget of E costs 1 / E, and a trial that has diverged costs
    nothing more. The same seeds come to every schedule, in the same order.
    """

    def __init__(self, table: Table, seeds: Sequence[int], cost: float = math.inf, number: int = 0) -> None:
        """`seeds` are those that the search may see, `cost` is what it may spend.

        `number` is the repeat's, from which a search that draws at random seeds its generator.
        """
        self.table, self.cost, self.number = table, cost, number
        self._seeds, self._epochs = seeds, 0
        self._begun: dict[int, int] = {}
        self._worths: dict[int, list[float]] = {}
        self._means: dict[int, float] = {}

    @property
    def spent(self) -> float:
        """The cost so far."""
        return self._epochs / self.table.about.budget

    @property
    def left(self) -> float:
        """What may still be spent."""
        return self.cost - self.spent

    @property
    def worths(self) -> Mapping[int, Sequence[float]]:
        """What the trials of each row that have ended are worth."""
        return self._worths

    def seeds_left(self, row: int) -> int:
        """The number of seeds on which a schedule can still be begun."""
        return len(self._seeds) - self._begun.get(row, 0)

    def begin(self, row: int) -> Trial:
        """A trial of a schedule on the next seed that it has not had, which costs nothing yet.

        Raises NoSeedLeftError where there is none.
        """
        if not self.seeds_left(row):
            raise NoSeedLeftError(f"row={row} has had all {len(self._seeds)} seeds")
        place = self._begun.get(row, 0)
        self._begun[row] = place + 1
        return Trial(self, row, self._seeds[place])

    def train(self, row: int) -> float:
        """Train a schedule to its end on the next seed that it has not had, and return what it is worth.

        Raises NoSeedLeftError where there is none, and SpentError where a full training is more than is left.
        """
        return self.begin(row).train()

    def mean(self, row: int) -> float:
        """The mean of what the trials of a schedule that have ended are worth."""
        return self._means[row]

    def count(self, row: int) -> int:
        """How many trials of a schedule have ended."""
        return len(self._worths.get(row, ()))

    def best(self, rows: Iterable[int] | None = None) -> int:
        """The row with the lowest mean, of `rows` or of all with a trial that ended; of equals the first."""
        return min(self._means if rows is None else rows, key=self._means.__getitem__)

    def _pay(self, epochs: int, asked: int) -> None:
        if (self._epochs + asked) / self.table.about.budget > self.cost + 1e-9:
            raise SpentError(f"{asked} epochs are more than the {self.left:.3f} trainings that are left")
        self._epochs += epochs

    def _ended(self, trial: Trial) -> None:
        worths = self._worths.setdefault(trial.row, [])
        worths.append(trial.worth)
        self._means[trial.row] = sum(worths) / len(worths)


class Trial:
    """The training of one schedule on one seed, as far as it has come."""

    def __init__(self, replay: Replay, row: int, seed: int) -> None:
        self.row, self.seed = row, seed
        self.epoch = 0
        """The epochs that it has trained."""
        self._replay = replay

    @property
    def diverged(self) -> bool:
        """Whether its loss has become infinite."""
        table = self._replay.table
        return self.epoch > 0 and bool(np.isnan(table.losses[self.row, self.seed, self.epoch - 1]))

    @property
    def ended(self) -> bool:
        """Whether it has come to the end of its budget, or diverged."""
        return self.epoch == self._replay.table.trained[self.row][self.seed]

    @property
    def losses(self) -> np.ndarray:
        """The loss after every epoch so far, float32 [epochs]; the last is NaN where it diverged."""
        curve: np.ndarray = self._replay.table.losses[self.row, self.seed, : self.epoch]
        return curve

    @property
    def select(self) -> np.ndarray:
        """The same on the examples by which an epoch is chosen."""
        curve: np.ndarray = self._replay.table.select[self.row, self.seed, : self.epoch]
        return curve

    @property
    def worth(self) -> float:
        """The loss at the epoch that is best so far by `select`; infinite before the first."""
        table = self._replay.table
        if self.ended:
            return table.worths[self.row][self.seed]
        return float(self.losses[self.select.argmin()]) if self.epoch else math.inf

    def train(self, until: int | None = None) -> float:
        """Train on to the end of an epoch, the budget's last by default; return what the trial is worth then.

        Raises SpentError where that would cost more than is left, were it not to diverge; nothing is trained
        then.
        """
        if self.ended:
            return self.worth
        table = self._replay.table
        until = table.about.budget if until is None else until
        reached = min(until, table.trained[self.row][self.seed])
        self._replay._pay(reached - self.epoch, until - self.epoch)
        self.epoch = reached
        if reached == table.trained[self.row][self.seed]:
            self._replay._ended(self)
        return self.worth


Strategy = Callable[[Replay], Iterator[int]]
"""A way to search: it trains on a replay, and yields the row that it would name now whenever that may have
changed. It may plan by `replay.cost`, or go on until the `SpentError` of what it asks for stops it. So does
`NoSeedLeftError`, unless it takes another idea then.
"""


def course(search: Strategy, replay: Replay) -> list[tuple[float, int]]:
    """(what it had spent, the row that it named) whenever a search named one, until cost or seeds ended."""
    named = []
    with suppress(SpentError, NoSeedLeftError):
        for row in search(replay):
            named.append((replay.spent, row))
    return named


def at_cost(named: Sequence[tuple[float, int]], cost: float) -> tuple[float, int]:
    """The last of a course within a cost; (0, -1) where nothing had been named."""
    within = [point for point in named if point[0] <= cost + 1e-9]
    return within[-1] if within else (0.0, -1)
