"""What the schedules are worth by both objectives: one training of each is read by both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from experiments.objectives.schedules import FAMILIES, RESTARTS, controls
from sgdr import search
from sgdr.search.evaluation.comparison import Compared
from sgdr.search.evaluation.sequential_test import Difference, paired
from sgdr.search.problem.objective import value

OBJECTIVES = ("ensemble", "anytime")
TUNING, JUDGING = 1, 0
"""The seeds of the comparisons on which peaks are chosen, and on which schedules are judged."""
Worths = Mapping[str, Mapping[int, float]]
"""What the runs of each schedule are worth, by its name and the seed."""


@dataclass(frozen=True)
class Row:
    """A schedule with restarts beside a control."""

    objective: str
    restarts: str
    control: str
    peaks: tuple[float, float]
    """The peak of each, the best of those tried on other seeds."""
    means: tuple[float, float]
    difference: Difference
    """The error with restarts minus that of the control."""

    @property
    def verdict(self) -> str:
        """What the 95 % interval says."""
        if self.difference.high < 0:
            return "restarts help"
        return "restarts do not help" if self.difference.low > 0 else "undecided"


def measured(
    workload: str | search.Workload,
    budget: int,
    peaks: Sequence[float],
    tuning: int,
    seeds: int,
    callback: search.Callback,
) -> list[Row]:
    """Every schedule with restarts beside every control, by each objective; `workload` has errors."""
    everything = [(name, peak) for name in FAMILIES for peak in peaks]
    tuned = _trained(workload, budget, everything, tuning, TUNING, callback)
    chosen = {
        (objective, name): min(peaks, key=lambda peak: _mean(tuned[objective][_label(name, peak)]))
        for objective in OBJECTIVES
        for name in FAMILIES
    }
    judged = _trained(
        workload,
        budget,
        dict.fromkeys((name, peak) for (_, name), peak in chosen.items()),
        seeds,
        JUDGING,
        callback,
    )
    rows = []
    for objective in OBJECTIVES:
        for name in RESTARTS:
            for control in controls(objective):
                pair = chosen[objective, name], chosen[objective, control]
                ours, theirs = (
                    judged[objective][_label(one, peak)]
                    for one, peak in zip((name, control), pair, strict=True)
                )
                means = _mean(ours), _mean(theirs)
                rows.append(Row(objective, name, control, pair, means, paired(ours, theirs)))
    return rows


def _trained(
    workload: str | search.Workload,
    budget: int,
    schedules: Iterable[tuple[str, float]],
    seeds: int,
    seed: int,
    callback: search.Callback,
) -> dict[str, Worths]:
    """The values of the runs by objective. A run that diverged counts as an error of 1."""
    named = {_label(name, peak): FAMILIES[name](peak, budget) for name, peak in schedules}
    compared = search.compare(
        workload, named, budget=budget, seeds=seeds, seed=seed, objective="ensemble", callback=callback
    )
    worths: dict[str, dict[str, dict[int, float]]] = {
        objective: {name: {} for name in named} for objective in OBJECTIVES
    }
    for run in compared.runs:
        worths["ensemble"][run.name][run.seed] = 1.0 if math.isnan(run.value) else run.value
        worths["anytime"][run.name][run.seed] = _anytime(run, named[run.name])
    return {objective: dict(by_name) for objective, by_name in worths.items()}


def _anytime(run: Compared, schedule: object) -> float:
    if run.epoch is None:
        return 1.0
    return value("anytime", run.curves["error"], schedule, "minimize", run.curves["select_error"])


def _mean(values: Mapping[int, float]) -> float:
    return fmean(values.values())


def _label(name: str, peak: float) -> str:
    return f"{name} at {peak:g}"
