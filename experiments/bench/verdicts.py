"""How often the verdict is right: on simulated differences, and on finalists trained on 64 seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sgdr.search.evaluation import sequential_test

SEEDS = 64
EFFECTS = (0, 1, 2, 3, 4, 5, 6)
"""True differences, in standard errors of their mean over 64 seeds."""
TOP = 3
FINALISTS = 2
"""The number of finalists of each arm, of which 64 seeds are trained."""


@dataclass(frozen=True)
class Reached:
    """One verdict."""

    decision: str
    seeds: int
    """The number of seeds per candidate that was left at the end."""
    trained: int
    """The number of seeds that were trained, over all candidates."""


def race(losses: np.ndarray, restarts: Sequence[int], controls: Sequence[int]) -> Reached:
    """What `confirm` does with these losses, float [candidates, seeds], in this order of seeds."""
    count = losses.shape[1]
    values: dict[int, dict[int, float]] = {row: {} for row in (*restarts, *controls)}
    racing_now = list(values)
    decision, done = "undecided", 0
    for done in sequential_test.looks(count):
        for row in racing_now:
            values[row] = dict(enumerate(losses[row, :done].tolist()))
        groups = [{row: values[row] for row in group} for group in (restarts, controls)]
        decision = sequential_test.compare(groups[0], groups[1], done, count)[0]
        if decision != "undecided":
            break
        racing_now = [row for group in groups for row in sequential_test.remaining(group)]
    return Reached(decision, done, sum(map(len, values.values())))


def simulated(
    effect: float, repeats: int, seed: int, tops: tuple[int, int] = (TOP, 2 * TOP)
) -> list[Reached]:
    """Verdicts where all of a group are alike, and restarts truly better by `effect` standard errors."""
    random = np.random.default_rng([seed, int(10 * effect), *tops])
    restarts, controls = list(range(tops[0])), list(range(tops[0], sum(tops)))
    verdicts = []
    for _ in range(repeats):
        losses = random.normal(size=(sum(tops), SEEDS))
        losses[restarts] -= effect * (2 / SEEDS) ** 0.5
        verdicts.append(race(losses, restarts, controls))
    return verdicts


def whole(losses: np.ndarray, restarts: Sequence[int], controls: Sequence[int]) -> tuple[str, float]:
    """(which side is better over all seeds together, the difference of the leaders in standard errors)."""
    ours = min(restarts, key=lambda row: losses[row].mean())
    theirs = min(controls, key=lambda row: losses[row].mean())
    difference = losses[ours] - losses[theirs]
    z = float(difference.mean() / (difference.std(ddof=1) / len(difference) ** 0.5))
    return ("restarts help" if z < 0 else "restarts do not help"), z
