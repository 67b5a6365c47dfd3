"""How often the answer of a study is right: on planted truths, and on tables that it learned nothing of.

    OMP_NUM_THREADS=1 python -m experiments.tables.calibration --repeats 40 --jobs 2

The staged search spends each cost, and the answer is asked for. Told is how often its 95 % intervals hold the
true value, and the true difference from one cosine; how often the recommended schedule is within the margin
of the best that was tried, and of the best there is; and how often it decides whether restarts help, and
rightly so. The truth of a table is a mean over a few seeds, whose own luck is added to the intervals; they
cannot tell whether a schedule is within the margin of another, which is smaller than that luck. The prior is
learned on all other tables.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from itertools import product
from multiprocessing import get_context

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table as Printed

from experiments.tables.learn import candidates, learned
from experiments.tables.staged import planned
from experiments.tables.table import names, read
from experiments.tables.trials import Replay
from experiments.tables.truths import PLANTED, Truth, hidden
from sgdr.choices import Effect
from sgdr.search.model.prior import PRIOR, Prior
from sgdr.search.model.surrogate import Surrogate
from sgdr.search.study.answer import Answer, answer
from sgdr.search.study.belief import Belief
from sgdr.search.study.evidence import Tried, evidence
from sgdr.shapes import RESTARTS

COSTS = (8, 16, 32)
REACH = 1.96
"""Standard deviations to both sides in which 95 % of a normal distribution lie."""


@dataclass(frozen=True)
class Outcome:
    """What of one answer is right; None where it says nothing of the kind, or nobody knows."""

    value: bool
    """Whether the interval holds the true value."""
    over_cosine: bool | None
    """Whether that of the gain over one cosine holds the true difference."""
    near_tried: bool | None
    """Whether the true value is within the margin of the best that was tried."""
    near_best: bool | None
    """Whether it is within the margin of the best there is."""
    decided: bool
    """Whether it says that restarts help, do not help, or are equal to others."""
    right: bool | None
    """Whether that is so."""


def main() -> None:
    """Prints a row for each truth and cost."""
    args = _arguments()
    known = [name for name in (*PLANTED, *names()) if any(part in name for part in args.truths or [""])]
    parts = [range(first, args.repeats, 2 * args.jobs) for first in range(min(2 * args.jobs, args.repeats))]
    tasks = list(product(known, parts))
    gathered: dict[tuple[str, int], list[Outcome]] = {}
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        mapped = pool.map if args.jobs > 1 else map
        done = mapped(outcomes, *map(list, zip(*tasks, strict=True)))
        bar = track(zip(tasks, done, strict=True), "answers", len(tasks), console=Console(stderr=True))
        for (name, _), found in bar:
            for cost, several in found.items():
                gathered.setdefault((name, cost), []).extend(several)
                kind = "all planted" if name in PLANTED else "all tables"
                gathered.setdefault((kind, cost), []).extend(several)
    printed = Printed("truth", "cost", "answers", *(part.name.replace("_", " ") for part in fields(Outcome)))
    for (name, cost), several in sorted(gathered.items()):
        printed.add_row(name, str(cost), str(len(several)), *_shares(several))
    Console(width=110).print(printed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truths", nargs="*", help="those with one of these in their name; all by default")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    return parser.parse_args()


def outcomes(name: str, repeats: Sequence[int], costs: Sequence[int] = COSTS) -> dict[int, list[Outcome]]:
    """What of the answers on the truth of that name is right, by cost."""
    prior = PRIOR if name in PLANTED else _learned_without(name)
    found: dict[int, list[Outcome]] = {cost: [] for cost in costs}
    for number in repeats:
        truth = PLANTED[name].truth(number) if name in PLANTED else hidden(read(name), number)
        space = {"base_lr": list(truth.table.about.base_lr), "hparams": {}}
        for cost, tried in _searched(truth, prior, costs):
            reached = answer(Belief(evidence(tried, space), prior), "loss", "minimize", cost)
            found[cost].append(judged(reached, truth, tried))
    return found


@functools.cache
def _learned_without(name: str) -> Prior:
    return learned([read(other) for other in names() if other != name])


def _searched(truth: Truth, prior: Prior, costs: Sequence[int]) -> Iterator[tuple[int, list[Tried]]]:
    """What the staged search has tried at each of the rising costs."""
    table = truth.table
    known, replay = candidates(table), Replay(table, range(truth.seeds))
    search = planned(replay, Surrogate(known, prior), known)
    for cost in costs:
        while replay.spent < cost:
            next(search)
        tried = []
        for row, losses in replay.worths.items():
            entry, budget = table.entries[row], table.about.budget
            tried.append(Tried(row, entry.shape, entry.schedule, {}, budget, list(losses), min(losses)))
        yield cost, tried


def judged(reached: Answer, truth: Truth, tried: Sequence[Tried]) -> Outcome:
    """What of an answer is right, where a lower value is better."""
    assert reached.interval is not None and reached.margin is not None
    row, margin, rows = reached.number, reached.margin, [one.number for one in tried]
    cosine = reached.gain_over_cosine
    over_cosine = None
    if cosine is not None and cosine.number != row:
        apart, luck = truth.apart(row, cosine.number)
        over_cosine = _holds((cosine.low, cosine.difference, cosine.high), apart, luck)
    decided = reached.restarts not in (None, Effect.UNDECIDED)
    is_planted = not truth.luck.any()
    return Outcome(
        value=_holds(
            (reached.interval[0], reached.value, reached.interval[1]), truth.means[row], truth.luck[row]
        ),
        over_cosine=over_cosine,
        near_tried=bool(truth.apart(row, truth.best(rows))[0] <= margin) if is_planted else None,
        near_best=bool(truth.apart(row, truth.best())[0] <= margin) if is_planted else None,
        decided=decided,
        right=_is_right(reached, truth, tried) if decided else None,
    )


def _holds(interval: tuple[float, float, float], true: float, luck: float) -> bool:
    """Whether an interval (low, middle, high) holds the truth, with the truth's own standard error."""
    low, middle, high = interval
    reach = (middle - low if true < middle else high - middle, REACH * luck)
    return bool(abs(true - middle) <= np.hypot(*reach))


def _is_right(reached: Answer, truth: Truth, tried: Sequence[Tried]) -> bool:
    """Whether what it says of restarts is so, as far as the truth's own luck can tell."""
    restarts, others = (
        [one.number for one in tried if (one.shape == RESTARTS.name) is side] for side in (True, False)
    )
    apart, luck = truth.apart(truth.best(restarts), truth.best(others))
    least, most = apart - REACH * luck, apart + REACH * luck
    margin = reached.margin or 0.0
    right = {
        Effect.HELP: least < 0,
        Effect.DO_NOT_HELP: most > 0,
        Effect.EQUAL: least <= margin and most >= -margin,
    }
    return bool(right[Effect(reached.restarts or "")])


def _shares(several: Sequence[Outcome]) -> Iterator[str]:
    """The share of each kind, in percent of those that say something of it."""
    for part in fields(Outcome):
        known = [getattr(one, part.name) for one in several if getattr(one, part.name) is not None]
        yield f"{np.mean(known):.0%}" if known else ""


if __name__ == "__main__":
    main()
