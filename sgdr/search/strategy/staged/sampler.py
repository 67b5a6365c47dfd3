"""The staged search as a sampler of Optuna's, for anybody's study."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sgdr.schedule import WarmRestarts
from sgdr.search.model.prior import PRIOR
from sgdr.search.problem.arguments import whole
from sgdr.search.problem.space import SCHEDULE_NAMES, distribution
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.warming import WARMUP, warmed
from sgdr.search.strategy.quasi_random import at
from sgdr.search.strategy.staged.grid import Params
from sgdr.search.strategy.staged.staging import Seen, Staging
from sgdr.shapes import COSINE, RESTARTS, SHAPES

SHAPE = "shape"
"""The parameter that names the shape, where a study has several: a choice of `sgdr.shapes.SHAPES`."""
PLACES = {"base_lr": PRIOR.place, "T_0": 1.0, "cycles": 0.0, "T_mult": 0.0, "eta_ratio": 0.0, "eta_min": 0.0}
"""Where in its range a parameter is in the first trial, one cosine at a middling peak."""
KNOWN = (*PLACES, WARMUP, SHAPE)
"""The names of the parameters that say a schedule, beside those that shapes have of their own."""
LEARNED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class StagedSampler(BaseSampler):
    """Searches the peak first, then shapes at that peak, then tries what leads again.

    The parameters are known by their names: `base_lr`, `T_0` in epochs (or `cycles`, with which the budget
    closes), `T_mult`, `eta_ratio` (or `eta_min`), `warmup` in epochs, which the schedule comes after, `shape`
    and what shapes have of their own; all others are searched along, with a warning where there is no
    `base_lr` among them. The same parameters are proposed again where luck may have decided: train them with
    another seed then, such as one made of `trial.number`.
    `best_trial` names the trial to use. The study needs no storage of its own, and the same trials give the
    same proposals.
    """

    def __init__(self, budget: int, seed: int = 0) -> None:
        """`budget` is that of a trial, in epochs. Raises ValueError where it is no whole number from 1."""
        self.budget = whole("budget", budget, 1)
        self._seed = whole("seed", seed, 0)
        self._staging: tuple[dict[str, dict[str, BaseDistribution]], Staging] | None = None
        self._proposals: dict[tuple[str, int], Params] = {}
        self._warned_of: set[str] = set()
        """The studies that it has warned of."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: every parameter is asked for by itself, so that a trial may have those that it likes."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing: see `infer_relative_search_space`."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The proposal's value, or one in the first trial's place where it has none that fits."""
        proposal = self._proposal(study, trial)
        if param_name in proposal:
            value = proposal[param_name]
            if param_distribution._contains(param_distribution.to_internal_repr(value)):
                return value
        return first_value(param_name, param_distribution)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Forget the proposal of a trial that has ended."""
        self._proposals.pop((study.study_name, trial.number), None)

    def best_trial(self, study: Study) -> FrozenTrial:
        """The trial to use: that of the lowest mean by the model, which accounts for luck.

        Raises ValueError where no trial is complete.
        """
        trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state in LEARNED]
        staging = self._model(trials)
        if staging is None:
            raise ValueError("no trial is complete yet")
        return trials[staging.best(_seen(trials, study.direction))]

    def _proposal(self, study: Study, trial: FrozenTrial) -> Params:
        key = (study.study_name, trial.number)
        if key not in self._proposals:
            others = [
                other
                for other in study.get_trials(deepcopy=False)
                if other.state in LEARNED and other.number != trial.number and other.params
            ]
            self._warn_without_peak(study.study_name, others)
            staging = self._model(others)
            self._proposals[key] = {}
            if staging is not None:
                shape, params = staging.propose(_seen(others, study.direction))
                self._proposals[key] = {SHAPE: shape, **params}
        return self._proposals[key]

    def _warn_without_peak(self, study: str, trials: Sequence[FrozenTrial]) -> None:
        """Warns once of a study that has another parameter in the place of `base_lr`."""
        ended = [trial for trial in trials if trial.state.is_finished()]  # others may still ask for more
        names = dict.fromkeys(name for trial in ended for name in trial.params)
        if "base_lr" in names or study in self._warned_of:
            return
        known = {*KNOWN, *(name for shape in SHAPES for name in _own(shape))}
        others = [repr(name) for name in names if name not in known]
        if not others:  # the peak is the same in all trials
            return
        self._warned_of.add(study)
        warnings.warn(
            f"study {study!r} has no parameter base_lr, the peak rate, which StagedSampler looks for first, "
            f"but {', '.join(others)}, of which it knows nothing; the names that it knows are "
            f"{', '.join(KNOWN)}: rename the peak, unless it is fixed",
            UserWarning,
            stacklevel=2,
        )

    def _model(self, trials: Sequence[FrozenTrial]) -> Staging | None:
        """The model over what the trials show to be searched; None where they show nothing."""
        shapes: dict[str, dict[str, BaseDistribution]] = {}
        for trial in trials:
            held = {name: value for name, value in trial.distributions.items() if name != SHAPE}
            shapes[_shape(trial.params)] = held
            choices = trial.distributions.get(SHAPE)
            if isinstance(choices, CategoricalDistribution) and "base_lr" in held:
                for choice in choices.choices:
                    shapes.setdefault(str(choice), {"base_lr": held["base_lr"]})
        if not shapes:
            return None
        if self._staging is None or self._staging[0] != shapes:
            hparams = {
                name
                for shape, held in shapes.items()
                for name in held
                if name == WARMUP or name not in (*SCHEDULE_NAMES, "eta_min", *_own(shape))
            }
            model = Staging(shapes, self._schedule, self.budget, self._seed, sorted(hparams))
            self._staging = shapes, model
        return self._staging[1]

    def _schedule(self, params: Params, shape: str) -> tuple[Schedule, int]:
        """The schedule of a trial, in epochs: what it does not say is as in the first trial."""
        warmup = min(max(int(params.get(WARMUP, 0)), 0), self.budget - 1)
        return warmed(lambda within, left: self._unwarmed(within, left, shape), params, self.budget, warmup)

    def _unwarmed(self, params: Mapping[str, Any], budget: int, shape: str) -> tuple[Schedule, int]:
        """`_schedule` for what a warm-up has left of the budget."""
        base_lr = max(float(params.get("base_lr", 1.0)), np.finfo(float).tiny)
        eta_min = params.get("eta_min", base_lr * float(params.get("eta_ratio", 0.0)))
        make = SHAPES[shape].make if shape in SHAPES else None
        if make is not None:
            own = {name: first_value(name, held) for name, held in _own(shape, budget).items()}
            return make({"base_lr": base_lr, "eta_ratio": 0.0, **own, **params}, budget), budget
        T_mult = params.get("T_mult", 1)
        eta_min = min(float(eta_min), base_lr)
        if "cycles" in params:
            closing = {"budget": budget, "cycles": params["cycles"], "T_mult": T_mult}
            return WarmRestarts.closing(**closing, base_lr=base_lr, eta_min=eta_min), budget
        return WarmRestarts(base_lr, params.get("T_0", budget), T_mult, eta_min), budget


def first_value(name: str, distribution: BaseDistribution) -> Any:
    """The value of a parameter in a search's first trial."""
    if isinstance(distribution, CategoricalDistribution):
        choices: Sequence[Any] = distribution.choices
        if name == SHAPE:
            return COSINE.name if COSINE.name in choices else choices[0]
        numbers = all(isinstance(choice, int | float) for choice in choices)
        return min(choices) if name in PLACES and numbers else choices[0]
    return at(distribution, PLACES.get(name, 0.5))


def _own(shape: str, budget: int = 1) -> Mapping[str, BaseDistribution]:
    """What is searched of a shape alone, by name."""
    own = SHAPES[shape].own if shape in SHAPES else {}
    return {name: distribution(name, span(budget)) for name, span in own.items()}


def _shape(params: Mapping[str, Any]) -> str:
    """The shape of a trial with these parameters."""
    if SHAPE in params:
        return str(params[SHAPE])
    return RESTARTS.name


def _seen(trials: Sequence[FrozenTrial], direction: StudyDirection) -> list[Seen]:
    """The trials as the model takes them."""
    return [
        Seen.of(
            trial,
            _shape(trial.params),
            {name: value for name, value in trial.params.items() if name != SHAPE},
            direction.name.lower(),
        )
        for trial in trials
    ]
