"""Learns what the staged search expects before any trial, on tables of curves, and prints it.

    python -m experiments.tables.learn --without mnist1d

The prior is the likeliest on random samples of trials such as a search has: a few peaks under one cosine,
and else what is near the best, some of it on several seeds. `--without` leaves tables out, on which the prior
may be judged then.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from experiments.tables.grid import PEAKS
from experiments.tables.table import Table, names, read
from sgdr.search.model.candidates import Candidates
from sgdr.search.model.prior import Prior
from sgdr.search.model.surrogate import Surrogate
from sgdr.search.model.traits import traits

SAMPLES = 16
"""Samples of trials a table."""
FEWEST, MOST = 5, 26
"""Schedules a sample."""
COSINES = 4
"""Peaks under one cosine among them: what is far from the best tells little of how what is near differs."""
AGAIN = 0.25
"""The share of the schedules that are trained on another seed as well."""
NEAR = 0.2
"""The share of the schedules that is near the best."""
FREE = ("bowl", "place")
"""The numbers that may be negative; all others are searched in their logarithm."""
FIXED = ("hparam", "hparam_length", "slopes")
START = Prior(
    rate=1.0,
    rate_length=1.5,
    peak=1.0,
    peak_length=1.5,
    shape=0.2,
    shape_length=2.0,
    both=0.2,
    both_shape_length=1.0,
    both_peak_length=1.0,
    noise=1.0,
    bowl=1.0,
    place=0.5,
    slopes=(0.0,) * 6,
)
"""The numbers with which learning begins."""
BOLDER = {"shape": 3.0, "both": 3.0, "noise": 0.5}
"""What learned numbers are multiplied by. The likeliest ones take for noise what the model of peaks gets
wrong; with these, replays on tables that were left out came nearer to the best."""
PULL = 0.003
"""How strongly numbers are pulled to where they begin."""

Sample = tuple[Candidates, list[float]]


def candidates(table: Table) -> Candidates:
    """The schedules of a table as the model sees them."""
    schedules: list[Any] = [entry.schedule for entry in table.entries]
    rates = [schedule.base_lr for schedule in schedules]
    low, high = np.log(table.about.base_lr)
    places = (np.log(rates) - low) / (high - low)
    of_each = [traits(schedule, table.about.budget) for schedule in schedules]
    return Candidates.of(rates, places.tolist(), of_each, [()] * len(rates))


def samples(table: Table, seed: int, count: int = SAMPLES) -> list[Sample]:
    """Trials such as a search may have had, of different sizes, with their losses."""
    random, known = np.random.default_rng(seed), candidates(table)
    schedules, seeds = table.worth.shape
    near = np.argsort(table.worth.mean(1))[: int(NEAR * schedules)]
    drawn = []
    for _ in range(count):
        size = int(random.integers(FEWEST, MOST))
        peaks = random.choice(PEAKS, min(COSINES, size // 2), replace=False)
        good = random.choice(near, size - len(peaks), replace=False)
        once = np.unique(np.concatenate([peaks, good]))
        rows = np.concatenate([once, random.choice(once, int(AGAIN * len(once)))])
        values = table.worth[rows, random.integers(seeds, size=len(rows))]
        if np.ptp(values) > 0:
            drawn.append((known.some(rows), values.tolist()))
    return drawn


def learned(tables: Sequence[Table], seed: int = 0, rounds: int = 12) -> Prior:
    """The likeliest prior over samples of these tables, each of which counts the same, and `BOLDER`."""
    known = [samples(table, seed) for table in tables]
    first = _numbers(START)

    def surprise(numbers: np.ndarray[Any, Any]) -> float:
        prior = _prior(numbers)
        total = -sum(float(np.mean([_likelihood(*sample, prior) for sample in drawn])) for drawn in known)
        return total / len(known) + PULL * float(np.sum((numbers - first) ** 2))

    bounds = [(number - 2, number + 2) for number in first]
    found = minimize(surprise, first, method="L-BFGS-B", bounds=bounds, options={"maxiter": rounds})
    likeliest = _prior(found.x)
    return replace(likeliest, **{name: factor * getattr(likeliest, name) for name, factor in BOLDER.items()})


def _likelihood(schedules: Candidates, losses: list[float], prior: Prior) -> float:
    """How likely the losses are, a trial."""
    rows = range(len(losses))
    return Surrogate(schedules, prior).likelihood(rows, losses) / len(losses)


def _names() -> list[str]:
    return [field.name for field in fields(Prior) if field.name not in FIXED]


def _numbers(prior: Prior) -> np.ndarray[Any, Any]:
    singles = [getattr(prior, name) for name in _names()]
    logs = [
        number if name in FREE else np.log(number) for name, number in zip(_names(), singles, strict=True)
    ]
    return np.array([*logs, *prior.slopes])


def _prior(numbers: np.ndarray[Any, Any]) -> Prior:
    values = {
        name: float(number if name in FREE else np.exp(number))
        for name, number in zip(_names(), numbers, strict=False)
    }
    return replace(START, **values, slopes=tuple(numbers[len(values) :].tolist()))


def main() -> None:
    """Learns, and prints a prior."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--without", nargs="*", default=[], help="tables that are left out")
    args = parser.parse_args()
    tables = [read(name) for name in names() if name not in args.without]
    for name, value in vars(learned(tables)).items():
        rounded = tuple(round(x, 3) for x in value) if isinstance(value, tuple) else round(value, 3)
        print(f"{name}={rounded},")


if __name__ == "__main__":
    main()
