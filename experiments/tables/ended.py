"""What pruners would have ended of the trials of the staged search, each of which was trained to its end.

    python -m experiments.tables.ended --repeats 24 --cost 16

Good is a trial whose schedule is, by the mean over all seeds, within one standard deviation between seeds of
what is attainable; leading is one that was better, on its seed, than all before it. What a pruner ends of
them it ends wrongly. A sweep asks a pruner arm by arm; `hopeless` compares all trials with each other.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.trial import TrialState
from scipy import stats

from experiments.bench import report
from experiments.tables import staged
from experiments.tables.judging import LEVEL, Repeats, floor, noise
from experiments.tables.table import Table, names, read
from experiments.tables.trials import Replay, Trial, course
from sgdr.search.storage.schema import BEGUN
from sgdr.search.strategy.named import PRUNERS, named_pruner, rungs_of

WINDOW = 3
"""Epochs whose mean is taken."""
LEAST = 3
"""Trials that have ended before one may be hopeless."""

Ends = Callable[[Table, Sequence[Trial]], list[int | None]]
"""The epoch after which each trial, of a search's in order, would have been ended; None for its own end."""


@dataclass
class Ended:
    """What a pruner would have ended on one table."""

    trials: int = 0
    ended: int = 0
    saved: float = 0.0
    """The full trainings that it would have saved."""
    good: list[bool] = field(default_factory=list)
    """Whether it ended each of the good ones."""
    leading: list[bool] = field(default_factory=list)


def named(name: str) -> Ends:
    """The pruner that a sweep means by that name, asked as a sweep asks it."""

    def ends(table: Table, trials: Sequence[Trial]) -> list[int | None]:
        pruner = named_pruner(name, table.about.budget, "best-epoch")
        arms: dict[str, optuna.Study] = {}
        return [_asked(table, trial, pruner, arms) for trial in trials]

    return ends


def _asked(table: Table, trial: Trial, pruner: BasePruner, arms: dict[str, optuna.Study]) -> int | None:
    entry, budget = table.entries[trial.row], table.about.budget
    if entry.shape not in arms:
        arms[entry.shape] = optuna.create_study(study_name=entry.shape, pruner=pruner)
    study = arms[entry.shape]
    asked = study.ask()
    asked.set_user_attr(BEGUN, entry.schedule.to_dict())
    reported = 0
    for epoch in sorted(rungs_of(entry.shape, pruner, budget)):
        for at in range(reported, epoch):
            asked.report(float(trial.losses[at]), at + 1)
        reported = epoch
        if asked.should_prune():
            study.tell(asked, state=TrialState.PRUNED)
            return epoch
    study.tell(asked, trial.worth)
    return None


def hopeless(table: Table, trials: Sequence[Trial]) -> list[int | None]:
    """Ended at half of the budget where it is worse than all before by more than those differ."""
    half, ended, before = table.about.budget // 2, list[int | None](), list[float]()
    for trial in trials:
        own = float(np.convolve(trial.losses[:half], np.ones(WINDOW) / WINDOW, "valid").min())
        is_worse = len(before) >= LEAST and own > 2 * max(before) - min(before)
        ended.append(half if is_worse else None)
        if not is_worse:
            before.append(own)
    return ended


RULES: dict[str, Ends] = {
    **{name: named(name) for name in PRUNERS if name != "none"},
    "hopeless": hopeless,
}


class _Recorded(Replay):
    """A replay that keeps its trials."""

    def __init__(self, table: Table, seeds: Sequence[int], cost: float, number: int) -> None:
        super().__init__(table, seeds, cost, number)
        self.trials: list[Trial] = []

    def begin(self, row: int) -> Trial:
        """See `Replay`."""
        self.trials.append(super().begin(row))
        return self.trials[-1]


def searches(table: Table, repeats: int, cost: float) -> list[list[Trial]]:
    """The trials of each of so many staged searches, in order."""
    of = Repeats.of(table, repeats)
    replays = [_Recorded(table, order[: of.seen], cost, number) for number, order in enumerate(of.orders)]
    for replay in replays:
        course(staged.search, replay)
    return [[trial for trial in replay.trials if trial.ended] for replay in replays]


def judged(table: Table, known: Sequence[Sequence[Trial]], ends: Ends) -> Ended:
    """What a rule would have ended of the trials of searches."""
    total, limit = Ended(), floor(table).mean + noise(table)
    means = table.worth.mean(1)
    for trials in known:
        best = np.inf
        for trial, epoch in zip(trials, ends(table, trials), strict=True):
            is_ended = epoch is not None
            total.trials += 1
            total.ended += is_ended
            total.saved += 0 if epoch is None else 1 - epoch / table.about.budget
            if means[trial.row] < limit:
                total.good.append(is_ended)
            if trial.worth < best < np.inf:
                total.leading.append(is_ended)
            best = min(best, trial.worth)
    return total


def _share(tables: Sequence[Sequence[bool]]) -> str:
    """The share, as a mean over tables with its interval on another one, and the counts."""
    shares = np.array([np.mean(some) for some in tables if len(some)])
    reach = stats.t.ppf(0.5 + LEVEL / 2, len(shares) - 1) * shares.std(ddof=1) / len(shares) ** 0.5
    counts = f"{sum(map(sum, tables))} of {sum(map(len, tables))}"
    return f"{100 * shares.mean():.1f} ± {100 * reach:.1f} % ({counts})"


def main() -> None:
    """Prints a row a rule."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=24)
    parser.add_argument("--cost", type=float, default=16, help="of a search, in full trainings")
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tables = [read(name) for name in names()]
    known = [searches(table, args.repeats, args.cost) for table in tables]
    rows = []
    for rule, ends in RULES.items():
        every = [judged(table, trials, ends) for table, trials in zip(tables, known, strict=True)]
        count = sum(one.trials for one in every)
        ended, saved = sum(one.ended for one in every) / count, sum(one.saved for one in every) / count
        shares = _share([one.good for one in every]), _share([one.leading for one in every])
        rows.append([rule, f"{100 * ended:.1f} %", f"{100 * saved:.1f} %", *shares])
    print(report.table(["pruner", "ended", "epochs saved", "of the good", "of the leading"], rows))


if __name__ == "__main__":
    main()
