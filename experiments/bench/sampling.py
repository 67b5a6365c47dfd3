"""Milliseconds of sampling for one more trial, after so many: the product's arm, and an Optuna study.

    python -m experiments.bench.sampling

Nothing is trained: the trials have random parameters and curves. One more is asked for, reports each epoch up
to the last rung, is judged at every rung, and is completed: a trial that is pruned costs less. The ways take
turns; medians of the processor's time count, of which all is spent in one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial
from rich.console import Console
from rich.progress import Progress

from experiments.bench import report
from experiments.bench.replay import tpe
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.space import Space
from sgdr.search.strategy.quasi_random import spread
from sgdr.search.strategy.restart_aware import RestartAwarePruner, rungs
from sgdr.search.strategy.windowed_trials import BEST, RECENT
from sgdr.search.sweeps.settings import Settings
from sgdr.shapes import EARLIER

BUDGET = 60
SIDE_BY_SIDE = 16
"""Trials that run while one more is sampled."""
SO_FAR = (100, 1000, 5000, 20_000)
TIMED = 31
"""Trials timed after each number of trials."""


def settings(own: optuna.samplers.BaseSampler | None) -> Settings:
    """The settings of a sweep over the usual space: with the product's sampler, or with the user's own."""
    declared = Declaration("curves", "error", "minimize", BUDGET, "arrays", 1, None, None, {}, "step")
    space = Space().resolved(declared, BUDGET)
    return Settings(
        workload=declared,
        trials=max(SO_FAR),
        budget=BUDGET,
        space=space,
        asked=space,
        objective="best-epoch",
        pruner=RestartAwarePruner(BUDGET),
        sampler="tpe" if own is None else own,
        slots=SIDE_BY_SIDE,
        controls=0.0,
        shapes=EARLIER,
        seed=0,
        timeout=None,
    )


@dataclass(frozen=True)
class Way:
    """One way to sample."""

    title: str
    ask: Callable[[], Trial]
    add: Callable[[FrozenTrial], object]
    complete: Callable[[Trial, float], object]


def product(title: str, own: optuna.samplers.BaseSampler | None = None) -> Way:
    """The arm with restarts; nothing is forgotten where the sampler is the user's own."""
    arm = settings(own).arm("restarts", seed=0, sampler_seed=0)
    return Way(title, arm.ask, arm.add, lambda trial, value: arm.tell(trial, TrialState.COMPLETE, value))


def plain(title: str) -> Way:
    """An Optuna study in memory with the same sampler, and Optuna's default pruner."""
    study = optuna.create_study(sampler=tpe(0))
    searched = settings(None).space.distributions(BUDGET)
    return Way(title, lambda: study.ask(searched), study.add_trial, study.tell)


class Trials:
    """Random ones; the same for each who draws them."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        self._space = settings(None).space
        self._drawn = 0

    def curve(self) -> list[float]:
        """A value for each epoch."""
        low, fall, pace = self._random.uniform((0.05, 0.1, 3), (0.5, 0.5, 20))
        noise = 0.01 * self._random.normal(size=BUDGET)
        values: list[float] = (low + fall * np.exp(-np.arange(BUDGET) / pace) + noise).tolist()
        return values

    def schedule(self, params: dict[str, Any]) -> dict[str, float]:
        """The schedule as the pruner reads it."""
        fields: dict[str, float] = self._space.schedule(params, BUDGET)[0].to_dict()
        return fields

    def finished(self) -> FrozenTrial:
        """A trial that ended at a rung, or was completed, in the shares that the pruner's factor gives."""
        searched = self._space.distributions(BUDGET)
        params, curve = spread(searched, self._drawn, seed=0), self.curve()
        self._drawn += 1
        ends = (*rungs(BUDGET), BUDGET)
        epochs = int(self._random.choice(ends, p=np.array([18, 6, 2, 1]) / 27))
        return create_trial(
            state=TrialState.COMPLETE if epochs == BUDGET else TrialState.PRUNED,
            value=min(curve[:epochs]),
            params=params,
            distributions=searched,
            user_attrs={"schedule": self.schedule(params)},
            intermediate_values=dict(enumerate(curve[:epochs], 1)),
        )


def one_more(way: Way, trials: Trials) -> float:
    """The seconds of the processor that a trial takes of its sampler and its pruner."""
    curve, began = trials.curve(), time.process_time()
    trial = way.ask()
    trial.set_user_attr("schedule", trials.schedule(trial.params))
    for before, rung in pairwise((0, *rungs(BUDGET))):
        for epoch in range(before + 1, rung + 1):
            trial.report(curve[epoch - 1], epoch)
        trial.should_prune()
    way.complete(trial, min(curve))
    return time.process_time() - began


def measure(ways: Sequence[Way], so_far: Sequence[int], timed: int) -> dict[int, list[float]]:
    """Milliseconds a trial of each way, by the number of finished trials: medians, the ways in turn."""
    trials, medians, finished = Trials(), {}, 0
    for way in ways:
        for _ in range(SIDE_BY_SIDE):
            way.ask()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for count in progress.track(so_far, description="sampling"):
            for _ in range(finished, count):
                trial = trials.finished()
                for way in ways:
                    way.add(trial)
            # The pruner gets to know the trials that were added with the first one.
            taken = [[one_more(way, trials) for way in ways] for _ in range(timed + 1)][1:]
            medians[count] = [1e3 * statistics.median(times) for times in zip(*taken, strict=True)]
            finished = count + timed + 1
    return medians


def markdown(ways: Sequence[Way], medians: dict[int, list[float]]) -> str:
    """A row for each number of trials, and a sentence."""
    rows = [[f"{count:,}", *map(report.number, taken)] for count, taken in medians.items()]
    table = report.table(["ms a trial, after", *(way.title for way in ways)], rows)
    last = max(medians)
    least = min((count for count in medians if count >= RECENT), default=min(medians))
    took = [f"{report.number(medians[least][way])} ms after {least:,}" for way in range(len(ways))]
    now = [f"{report.number(taken)} ms after {last:,}" for taken in medians[last]]
    sentences = [f"{way.title} {a} and {b}" for way, a, b in zip(ways, took, now, strict=True)]
    return f"{table}\n\nOne more trial takes {'; '.join(sentences)}."


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, nargs="+", default=SO_FAR, help="so far, ascending")
    parser.add_argument("--timed", type=int, default=TIMED)
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ways = [product("sgdr"), product("sgdr, nothing forgotten", tpe(0)), plain("plain Optuna study")]
    medians = measure(ways, args.trials, args.timed)
    print(
        f"Sampling and pruning (TPE in the usual space, {BUDGET} epochs, {SIDE_BY_SIDE} trials side by side; "
        f"sgdr looks at the last {RECENT:,} finished trials and the best {BEST} of those before), medians of "
        f"{args.timed}.\n{report.machine('optuna', 'numpy')}.\n"
    )
    print(markdown(ways, medians))


if __name__ == "__main__":
    main()
