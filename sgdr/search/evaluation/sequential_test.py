"""Which candidates need more seeds, and when they are enough: paired tests at a few looks.

Two groups race: schedules with restarts, and controls. Within a group, whoever is clearly behind its leader
gets no more seeds. Between the groups, the leaders are compared over the seeds that both have. Looking
several times, and at the best of several, would find differences where there are none: each look spends its
part of the error, and a group of k gets a k-th of it (Bonferroni).

Kim and DeMets, "Design and analysis of group sequential tests based on the type I error spending rate
function", Biometrika 1987: the error spent by the share t of the seeds is t^2 of the whole. Maron and Moore,
"Hoeffding races", 1994, with paired t tests as in F-Race (Birattari et al., 2002).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from sgdr.choices import Decision

MOST_SEEDS = 1_000_000
"""The most seeds that anybody would train: a difference that needs more is rounding."""
ERROR = 0.05
"""The probability, over both sides and all looks, of finding a difference where there is none."""
BEHIND = 0.05
"""A candidate is out when one as good as its leader would look so much worse with this probability."""
LOOKS = 4
FEWEST = 4
"""Seeds before the first look, where there are so many."""
SAME = 1e-5
"""Differences that differ by less than this, of the largest, differ by rounding alone."""

Array = np.ndarray[Any, Any]
Values = Mapping[int, float]
"""The values of a candidate, by seed; lower is better."""


@dataclass(frozen=True)
class Difference:
    """How much lower one candidate's values are than another's on the same seeds: negative is lower."""

    mean: float
    low: float
    high: float
    """The ends of an interval."""
    p_lower: float
    """The probability of so low a mean, or a lower one, where there is no difference."""
    p_higher: float
    deviation: float
    """Standard deviation over the seeds."""
    seeds: int


def looks(seeds: int) -> list[int]:
    """The numbers of seeds after which to look, in rising order, the last that of all: each twice as many."""
    return sorted({min(seeds, max(FEWEST, math.ceil(seeds / 2**k))) for k in range(LOOKS)})


def level(done: int, seeds: int) -> float:
    """The part of `ERROR` that the look after `done` of `seeds` spends."""
    before = max((look for look in looks(seeds) if look < done), default=0)
    return ERROR * ((done / seeds) ** 2 - (before / seeds) ** 2)


def paired(a: Values, b: Values, above: float = ERROR / 2, below: float = ERROR / 2) -> Difference:
    """a - b over the seeds that both have.

    Its interval lies above the truth with the probability `above`, and below it with the probability `below`.
    A t test; where the differences are all the same, a sign test. Raises ValueError for fewer than two seeds.
    """
    common = sorted(a.keys() & b.keys())
    if len(common) < 2:
        raise ValueError(f"{len(common)} common seeds; at least two are needed for a paired difference")
    return _test(np.array([a[seed] - b[seed] for seed in common]), above, below)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(mean, low, high): a 95 % t interval; its ends are the mean where there is one value."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    test = _test(np.array(values), ERROR / 2, ERROR / 2)
    return test.mean, test.low, test.high


def _test(x: Array, above: float, below: float) -> Difference:
    count, mean, deviation = len(x), float(x.mean()), float(x.std(ddof=1))
    spread = deviation / math.sqrt(count)
    if float(np.ptp(x)) <= SAME * float(np.abs(x).max()):
        agree = 0.5**count
        lower, higher = (agree, 1.0) if mean < 0 else (1.0, agree) if mean > 0 else (1.0, 1.0)
        return Difference(mean, mean, mean, lower, higher, 0.0, count)
    if not spread:  # so small that its square is no float: there is nothing to be seen
        return Difference(mean, mean, mean, 1.0, 1.0, 0.0, count)
    t = mean / spread
    low = mean - float(stats.t.isf(above, count - 1)) * spread
    high = mean + float(stats.t.isf(below, count - 1)) * spread
    lower, higher = float(stats.t.cdf(t, count - 1)), float(stats.t.sf(t, count - 1))
    return Difference(mean, low, high, lower, higher, deviation, count)


def leader(group: Mapping[int, Values]) -> int:
    """The candidate with the lowest mean among those with the most seeds; of equals the first."""
    most = max(len(values) for values in group.values())
    full = [number for number, values in group.items() if len(values) == most]
    return min(full, key=lambda number: float(np.mean(list(group[number].values()))))


def remaining(group: Mapping[int, Values]) -> list[int]:
    """The candidates of a group that are not clearly behind its leader; those without a value are."""
    first = leader(group)
    most = len(group[first])
    return [
        number
        for number, values in group.items()
        if number == first
        or (len(values) == most and (most < 2 or paired(values, group[first]).p_higher >= BEHIND))
    ]


def compare(
    restarts: Mapping[int, Values], controls: Mapping[int, Values], done: int, seeds: int
) -> tuple[Decision, int, int, Difference]:
    """(decision, leader of each group, their difference) after `done` of `seeds` seeds.

    The interval excludes 0 where it is decided.
    """
    ours, theirs = leader(restarts), leader(controls)
    spent = level(done, seeds) / 2
    ours_worse, ours_better = spent / len(controls), spent / len(restarts)
    difference = paired(restarts[ours], controls[theirs], above=ours_worse, below=ours_better)
    decision = Decision.UNDECIDED
    if difference.p_lower < ours_better:
        decision = Decision.HELP
    elif difference.p_higher < ours_worse:
        decision = Decision.DO_NOT_HELP
    return decision, ours, theirs, difference


def more_seeds(difference: Difference, candidates: int) -> int | None:
    """About how many seeds beyond these would decide, with a probability of 0.8, were the difference what it
    looks like; None where there is none to see, and where they are more than `MOST_SEEDS`."""
    if difference.mean == 0 or difference.deviation == 0:
        return None
    z = float(stats.norm.isf(ERROR / 2 / candidates) + stats.norm.isf(0.2))
    needed = math.ceil((z * difference.deviation / difference.mean) ** 2)
    return None if needed > MOST_SEEDS else max(1, needed - difference.seeds)
