"""The staged search over the shapes of a space: what to train next, and which trial to use."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import TrialState

from sgdr.choices import Stage
from sgdr.search.model.candidates import Candidates
from sgdr.search.model.policy import allowed_rows, best_row, next_row
from sgdr.search.model.prior import PRIOR, Prior
from sgdr.search.model.settings import numbers, place_of
from sgdr.search.model.surrogate import Posterior, Surrogate
from sgdr.search.model.traits import TRAITS, traits
from sgdr.search.problem.objective import sign
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.warming import WARMUP
from sgdr.search.strategy.staged.grid import Distributions, Params, points
from sgdr.shapes import COSINE

if TYPE_CHECKING:
    from jaxtyping import Float64, Int
    from optuna.trial import FrozenTrial

MOST_SEEN = 120
"""Trials that the model sees: the best of them, where there are more."""
FLAT = 0.1
"""How far the traits of schedules may lie apart that end about as low."""

Make = Callable[[Params, str], tuple[Schedule, int]]
"""The schedule in epochs that parameters of a shape name, and how many epochs its trial trains."""


@dataclass(frozen=True)
class Seen:
    """A trial of the search."""

    shape: str
    params: Mapping[str, Any]
    loss: float | None
    """What it is worth, the lower the better, infinite where it came to nothing; None while it is running."""
    is_whole: bool = True
    """Whether it was trained to its end: only then can it be used."""

    @classmethod
    def of(cls, trial: FrozenTrial, shape: str, params: Mapping[str, Any], direction: str) -> Seen:
        """A trial of Optuna's, begun and not failed, of that shape and with these parameters."""
        if trial.state == TrialState.RUNNING:
            return cls(shape, params, None, is_whole=False)
        reported = trial.intermediate_values
        value = reported[max(reported)] if trial.value is None and reported else trial.value
        loss = sign(direction) * value if value is not None and math.isfinite(value) else math.inf
        return cls(shape, params, loss, trial.state == TrialState.COMPLETE)


class Staging:
    """The model of one search. The same trials give the same proposal: nothing is drawn at random."""

    def __init__(
        self,
        shapes: Mapping[str, Distributions],
        make: Make,
        budget: int,
        seed: int = 0,
        hparams: Sequence[str] = (),
        prior: Prior = PRIOR,
    ) -> None:
        """`shapes` are what is searched of each by name, `hparams` the names that are none of a shape's.

        `budget` is that of a trial, in epochs, without a warm-up that is the same in all; `seed` shifts the
        settings that are spread evenly.
        """
        self._shapes, self._make, self._budget, self._prior = dict(shapes), make, budget, prior
        self._hparams = tuple(hparams)
        self._points = [
            (shape, params)
            for shape, distributions in self._shapes.items()
            for params in points(distributions, budget, seed)
        ]
        self._known_traits: dict[tuple[Any, ...], Float64[np.ndarray, " traits"]] = {}
        self._rows = {self._key(*point): row for row, point in enumerate(self._points)}
        self._candidates = self._described(self._points)
        self._surrogate = Surrogate(self._candidates, prior)
        self._first = self._one_cosine()
        """The rows with which the search begins."""
        self.stage: Stage | None = None
        """What the last proposal is for; None before the first."""

    def _one_cosine(self) -> Int[np.ndarray, " first"]:
        """The rows of one cosine cycle down to the lowest floor, or all where the space has none."""
        restarts, end = (self._candidates.traits[:, TRAITS.index(name)] for name in ("restarts", "end"))
        likely = (restarts == 0) & (end == end.max())
        shapes = np.array([shape for shape, _ in self._points])
        if COSINE.name in self._shapes:
            likely &= shapes == COSINE.name
        rows = np.flatnonzero(likely)
        if not len(rows):
            return np.arange(len(self._points))
        floors = self._candidates.traits[rows, TRAITS.index("lowest rate")]
        return np.asarray(rows[floors <= floors.min() + FLAT])

    def propose(self, trials: Sequence[Seen]) -> tuple[str, Params]:
        """The shape and the parameters of the trial to begin next."""
        posterior, rows = self._posterior(trials)
        allowed = allowed_rows(posterior, self._candidates.peaks, self._first, list(rows.values()))
        is_first = allowed is self._first
        allowed = self._below_nothing(allowed, [(rows[place], trials[place].loss) for place in rows])
        row = next_row(posterior, allowed)
        self.stage = Stage.SEEDS if row in rows.values() else Stage.PEAK if is_first else Stage.SHAPES
        shape, params = self._points[row]
        return shape, dict(params)

    def _below_nothing(
        self, allowed: Int[np.ndarray, " allowed"], seen: Sequence[tuple[int, float | None]]
    ) -> Int[np.ndarray, " lower"]:
        """The rows at lower peaks than any that was `seen`, as long as all of those came to nothing.

        Without a single value the model cannot tell on which side it is better; but higher rates diverge too.
        """
        peaks = self._candidates.peaks
        ended = [(peaks[row], loss) for row, loss in seen if loss is not None]
        if not ended or any(loss < math.inf for _, loss in ended):
            return allowed
        lower = allowed[peaks[allowed] < min(peak for peak, _ in ended)]
        return lower if len(lower) else allowed

    def best(self, trials: Sequence[Seen]) -> int:
        """Which of the trials to use, by its place: of the lowest mean, and of several of that the best.

        Raises ValueError where none was trained to its end.
        """
        posterior, rows = self._posterior(trials)
        losses = {
            place: trial.loss
            for place, trial in enumerate(trials)
            if trial.is_whole and trial.loss is not None and place in rows
        }
        row = best_row(posterior, [rows[place] for place in losses])
        return min((place for place in losses if rows[place] == row), key=lambda place: losses[place])

    def _posterior(self, trials: Sequence[Seen]) -> tuple[Posterior, dict[int, int]]:
        """What is known of every point, and the rows of the trials that the model has, by their places."""
        losses = sorted(trial.loss for trial in trials if trial.loss is not None)[:MOST_SEEN]
        nothing = _of_nothing([loss for loss in losses if loss < math.inf])
        kept = {
            place: trial
            for place, trial in enumerate(trials)
            if trial.loss is None or trial.loss <= losses[-1]
        }
        self._add(list(kept.values()))
        rows = {place: self._rows[self._key(trial.shape, trial.params)] for place, trial in kept.items()}
        ended = [
            (rows[place], min(trial.loss, nothing)) for place, trial in kept.items() if trial.loss is not None
        ]
        posterior = self._surrogate.posterior(
            [row for row, _ in ended],
            [loss for _, loss in ended],
            [rows[place] for place, trial in kept.items() if trial.loss is None],
        )
        return posterior, rows

    def _add(self, trials: Sequence[Seen]) -> None:
        """Make candidates of what others have tried."""
        new = {self._key(trial.shape, trial.params): (trial.shape, dict(trial.params)) for trial in trials}
        added = [point for key, point in new.items() if key not in self._rows]
        if added:
            self._rows |= {self._key(*point): len(self._points) + at for at, point in enumerate(added)}
            self._points += added
            self._candidates = self._candidates.joined(self._described(added))
            self._surrogate = Surrogate(self._candidates, self._prior)

    @staticmethod
    def _key(shape: str, params: Mapping[str, Any]) -> tuple[Any, ...]:
        return (shape, *((name, params[name]) for name in sorted(params)))

    def _described(self, points: Sequence[tuple[str, Params]]) -> Candidates:
        """The points as the model sees them."""
        return Candidates.of(
            [float(params.get("base_lr", 1.0)) for _, params in points],
            [self._place(shape, params) for shape, params in points],
            [self._traits(shape, params) for shape, params in points],
            [self._settings(params) for _, params in points],
        )

    def _traits(self, shape: str, params: Params) -> Float64[np.ndarray, " traits"]:
        """The traits of a point's schedule, which are shares of the peak: those at one peak are those at all,
        but where the floor is a rate of its own."""
        others = {"base_lr", *self._hparams} - {WARMUP}
        key = self._key(
            shape, {name: params[name] for name in params if name not in others or "eta_min" in params}
        )
        if key not in self._known_traits:
            self._known_traits[key] = traits(*self._make(params, shape))
        return self._known_traits[key]

    def _place(self, shape: str, params: Params) -> float:
        # A trial may be of a shape that is not searched; peaks are searched alike in all.
        searched = self._shapes.get(shape) or next(iter(self._shapes.values()))
        distribution = searched.get("base_lr")
        return self._prior.place if distribution is None else place_of(distribution, params["base_lr"])

    def _settings(self, params: Params) -> list[float]:
        """The further values, each from 0 to 1; of choices that have no order, one number each."""
        places: list[float] = []
        for name in self._hparams:
            distribution = next(held[name] for held in self._shapes.values() if name in held)
            places += numbers(distribution, params.get(name))
        return places


def _of_nothing(losses: Sequence[float]) -> float:
    """What a trial that came to nothing counts as, beside these finite losses: clearly worse than all."""
    if not losses:
        return 1.0
    best, worst = min(losses), max(losses)
    return min(worst + (worst - best or abs(worst) or 1.0), sys.float_info.max)
