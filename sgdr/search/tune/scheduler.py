"""The restart-aware rule of `sgdr.search.strategy.restart_aware` as a scheduler of Ray Tune."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ray.tune.result import DEFAULT_METRIC
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from sgdr.errors import ArgumentError
from sgdr.search.problem.arguments import one_of, whole
from sgdr.search.problem.objective import OBJECTIVES
from sgdr.search.problem.space import Space
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.warming import WARMUP
from sgdr.search.strategy.restart_aware import credited, keeps, rungs, standing, to_fall
from sgdr.search.tune.config import Config, schedule_of
from sgdr.search.tune.results import WORTH

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

MODES = {"min": 1.0, "max": -1.0}
"""What makes a loss of a value."""


class RestartAwareScheduler(FIFOScheduler):
    """Stops trials of warm restarts by their curves and their cycles; `RestartAwarePruner` for Ray Tune.

    For any trainable whose config has T_0, or cycles as a closed space has it, and perhaps T_mult, base_lr,
    eta_ratio and warmup, and which reports `metric` as it is after each epoch, or after some. It stops a
    trial that lags behind at a rung, whose metric is not finite, or that has trained `budget` epochs. Rungs
    are counted from the end of the warm-up.
    """

    def __init__(
        self,
        budget: int,
        *,
        metric: str | None = None,
        mode: str | None = None,
        objective: str = "best-epoch",
        reduction_factor: int = 3,
        time_attr: str = "training_iteration",
    ) -> None:
        """`budget` in epochs, as `time_attr` counts; one trial of `reduction_factor` goes on from each rung.

        `metric` and `mode` ("min" or "max") are those of the TuneConfig, unless they are given: what it
        compares may be another than what the search improves. Raises ValueError for what cannot be.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        budget = whole("budget", budget, 1)
        reduction_factor = whole("reduction_factor", reduction_factor, 2)
        one_of("objective", objective, OBJECTIVES)
        if mode is not None and mode not in MODES:
            raise ArgumentError("mode", mode, "must be 'min' or 'max'")
        self.budget, self.objective, self.reduction_factor = budget, objective, reduction_factor
        self._metric, self._mode, self._time_attr = metric, mode, time_attr
        self._losses: dict[str, dict[int, float]] = {}
        """The losses by trial and epoch."""
        self._places: dict[int, dict[str, tuple[float, float]]] = {
            rung: {} for rung in rungs(budget, objective)
        }
        """A trial's standing, and how far its rate had yet to fall, by rung and trial. They do not change."""
        self._failed: set[str] = set()
        self._stopped = 0

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Takes what it has not been given. Raises ValueError for a metric that is no curve."""
        if self._metric is None:
            if metric == WORTH:
                raise ArgumentError(
                    "metric",
                    WORTH,
                    "is the best so far, and restarts are seen in the curve itself: give "
                    "RestartAwareScheduler(budget, metric=...) the name of the value that it is read from",
                )
            self._metric = metric or DEFAULT_METRIC
        self._mode = self._mode or mode
        return True

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Raises ValueError for a trial without T_0, and where it is not known what is compared."""
        if self._metric is None or self._mode is None:
            fix = "give both to tune.TuneConfig or to RestartAwareScheduler"
            message = f"metric={self._metric!r}, mode={self._mode!r}: {fix}"
            lacking = "metric" if self._metric is None else "mode"
            raise ArgumentError(lacking, None, "is not known", fix, message=message)
        self._schedule(trial, {})  # refused before it trains
        self._failed.discard(trial.trial_id)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Whether the trial stops or continues. Raises ValueError for a result without epoch or metric."""
        stops = self._heard(trial, result)
        self._stopped += stops
        return str(TrialScheduler.STOP if stops else TrialScheduler.CONTINUE)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Others are still compared with it."""
        if self._time_attr in result:  # it has reported at all
            self._heard(trial, result)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Nobody is compared with it, unless it is added again."""
        self._failed.add(trial.trial_id)

    def debug_string(self) -> str:
        """What it is and has done, in a line."""
        reached = ", ".join(f"{len(places)} at {rung}" for rung, places in self._places.items())
        return f"Using RestartAwareScheduler: num_stopped={self._stopped}, trials by epoch: {reached}"

    def save(self, checkpoint_path: str) -> None:
        """Writes all that it knows of the trials."""
        Path(checkpoint_path).write_bytes(pickle.dumps(self.__dict__))

    def restore(self, checkpoint_path: str) -> None:
        """Reads what `save` has written."""
        self.__dict__.update(pickle.loads(Path(checkpoint_path).read_bytes()))

    def _heard(self, trial: Trial, result: dict[str, Any]) -> bool:
        """Whether the trial is to stop."""
        for name in (self._time_attr, str(self._metric)):
            if name not in result:
                raise ValueError(
                    f"the result of trial {trial} has no {name!r}, but {sorted(map(str, result))}"
                )
        epoch = result[self._time_attr]
        loss = MODES[str(self._mode)] * float(result[str(self._metric)])
        losses = self._losses.setdefault(trial.trial_id, {})
        before = max(losses, default=0)  # a trial that was restored comes a second time to where it was
        losses[epoch] = loss
        warmup = trial.config.get(WARMUP, 0)
        crossed = [rung for rung in self._places if before < rung + warmup <= epoch]
        if crossed:
            schedule = self._schedule(trial, result)
            place = standing(losses, schedule, epoch, self.objective), to_fall(schedule, epoch)
            for rung in crossed:
                self._places[rung][trial.trial_id] = place
        if epoch >= self.budget or not math.isfinite(loss):
            return True
        return bool(crossed) and not self._keeps(trial.trial_id, crossed[-1])

    def _keeps(self, own: str, rung: int) -> bool:
        """Whether a trial goes on from a rung, compared with all that came to it."""
        places = self._places[rung]
        others = [places[trial_id] for trial_id in places if trial_id != own and trial_id not in self._failed]
        standings = credited(*zip(places[own], *others, strict=True))
        return keeps(standings[0], standings, self.reduction_factor)

    def _schedule(self, trial: Trial, result: Config) -> Schedule:
        """The schedule of a trial; the rate is 1 where it is not known. Raises ValueError without T_0."""
        config = trial.config
        if "T_0" not in config and "cycles" not in config:
            raise ValueError(
                f"trial {trial} has no T_0 in its config {sorted(map(str, config))}; add T_0 (and T_mult), "
                "epochs, to param_space"
            )
        known = {
            name: config[name]
            for name in ("base_lr", "T_0", "cycles", "T_mult", "eta_ratio", WARMUP)
            if name in config
        }
        if "T_0" in result and "cycles" in known:  # what they came to in the range of the space
            known = {**known, "T_0": result["T_0"]}
            del known["cycles"]
        nameless: Any = SimpleNamespace(name="of no name", base_lr=1.0)
        return schedule_of({"base_lr": 1.0, **known}, Space().resolved(nameless, self.budget), self.budget)[0]
