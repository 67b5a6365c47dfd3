"""What is read back from a study: the best schedules, trials and curves as tables, and what it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from sgdr import checks, relatives
from sgdr.choices import State
from sgdr.search.artifacts import snapshots
from sgdr.search.problem.types import Schedule
from sgdr.search.storage.connect import shown, storage_errors
from sgdr.search.storage.reader import Content, Curve, OpenedFile, reader
from sgdr.search.storage.schema import BEGUN, StudyAttributes, TrialAttributes
from sgdr.search.study.answer import Answer as Answer
from sgdr.search.study.answer import answered, checked_margin
from sgdr.search.study.best import Best as Best
from sgdr.search.study.best import Ranked, as_best, stepping_of
from sgdr.search.study.summary import Summary
from sgdr.search.study.tables import TrialRows, curves_table, trials_table
from sgdr.search.study.verdict import Verdict
from sgdr.stepping import Stepping

if TYPE_CHECKING:
    import pandas as pd
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


class Study:
    """A study in its storage, as it stood when it was loaded or last refreshed.

    Threads may read it while another refreshes it: what is read once, is of before or of after. Curves are
    not kept, but read from the storage when they are asked for. What it returns is not to be changed.
    """

    def __init__(self, name: str, url: str, storage: BaseStorage, study_id: int) -> None:
        self.name = name
        self.url = url
        self._storage, self._id = storage, study_id
        self._reader = reader(storage, study_id)
        self._file = OpenedFile(storage)
        self._refreshing = Lock()
        self._now = Summary(self._read(Content()))
        self._rows: TrialRows | None = None

    def refresh(self) -> bool:
        """Reads what is new in the storage. Returns whether anything is.

        Raises ValueError when the study, or the SQLite file that it is in, was deleted, also where another
        has taken its place since: what was read of the old one stays as it is, and `load` gives the new one.
        StorageError when the storage fails.
        """
        with self._refreshing:
            before = self._now.content
            content = self._read(before)
            if content is not before:
                self._now = Summary(content, self._now.known)
            return content is not before

    def _read(self, before: Content) -> Content:
        with storage_errors(self.url), suppress(KeyError):
            self._file.check()
            content = self._reader.read(before)
            # What is still there after reading was there all the while.
            if study_id(self._storage, self.name, self.url) == self._id:
                self._file.check()
                return content
        raise self._gone()

    def _gone(self) -> ValueError:
        where = shown(self.url)
        return ValueError(f"study {self.name!r} in {where} was deleted, or made again, since; load it again")

    @property
    def attributes(self) -> dict[str, Any]:
        """workload, space, budget, objective, metric, direction, select_metric, steps_per_epoch, interval,
        pruner, sampler, controls, shapes (older studies: relatives, where there are some), margin (where
        one was given), seed, versions."""
        return self._now.content.attributes

    @property
    def stored(self) -> StudyAttributes:
        """The attributes of the study that are the sweep's, each by its name and of its type."""
        return self._now.content.stored

    @property
    def frozen(self) -> list[FrozenTrial]:
        """Optuna's trials, by number, without their curves (see `curve`) and intermediate values.

        Those that are waiting, and those that are not the sweep's, are among them.
        """
        return self._now.content.trials

    @property
    def foreign(self) -> list[int]:
        """The numbers of the trials that are not the sweep's (see `own_trials`)."""
        content = self._now.content
        return [trial.number for trial in content.trials if trial._trial_id in content.foreign]

    @property
    def counts(self) -> dict[str, int]:
        """How many trials of the sweep there are, by state: COMPLETE, PRUNED, FAIL, RUNNING, WAITING."""
        return dict(self._now.counts)

    @property
    def finished(self) -> int:
        """How many trials of the sweep are complete or pruned."""
        return self._now.counts.get(State.COMPLETE, 0) + self._now.counts.get(State.PRUNED, 0)

    @property
    def epochs(self) -> int:
        """How many epochs the trials that are complete or pruned have trained, each counted once.

        What was cut off and trained again counts once; what failed, and what is running, does not count.
        """
        return self._now.epochs

    @property
    def spent(self) -> float:
        """What the search has cost so far, in full trainings: `epochs` divided by the budget."""
        return self._now.spent

    @property
    def outcomes(self) -> dict[str, int]:
        """How many trials are complete, pruned, diverged, failed, cut off, running, waiting or foreign.

        Diverged: a value or a parameter was no longer finite. Failed: by an error of their own. Cut off: by
        the end of their worker; `resume` trains them again. Waiting: enqueued, to be trained by `resume`.
        Foreign: added by somebody else, and left out of all that the study says but its tables. What there
        is none of is left out.
        """
        return dict(self._now.outcomes)

    @property
    def arms(self) -> dict[str, int]:
        """How many finished trials each arm got."""
        return dict(self._now.arms)

    @property
    def last_error(self) -> str | None:
        """What the last trial that failed by itself said, in one line; None where there is none."""
        return self._now.last_error

    @property
    def started(self) -> datetime | None:
        """The time at which the first trial of the sweep began; None before."""
        return self._now.started

    @property
    def verdict(self) -> Verdict | None:
        """What `confirm` found; None before."""
        return self._now.verdict

    @property
    def snapshot_folder(self) -> Path:
        """The folder in which `confirm` keeps its finalists' models (see `snapshots`)."""
        return snapshots.folder(self.url, self.name)

    @property
    def answer(self) -> Answer:
        """The schedule to use, how sure that is, and whether restarts help, from all that the study has seen.

        Raises ValueError where no trial is complete.
        """
        return self._answered(self._now.answer)

    def answer_within(self, margin: float | None) -> Answer:
        """The answer where differences below `margin`, in the unit of the metric, do not count.

        None: the margin that the sweep was given, else a fifth of the standard deviation between seeds.
        Raises ArgumentError where it is not a finite number of at least 0, ValueError where no trial is
        complete.
        """
        checked, now = checked_margin(margin), self._now
        return self.answer if checked is None else self._answered(answered(now.content, now.spent, checked))

    def _answered(self, answer: Answer | None) -> Answer:
        if answer is None:
            raise self._none_complete()
        return answer

    def _none_complete(self) -> ValueError:
        return ValueError(f"study {self.name!r} has no completed trial yet; {self.why_none()}")

    @property
    def best(self) -> Best:
        """The trial to use: that which the answer of a staged search recommends; of others the best confirmed
        one, else the best completed. Raises ValueError when there is none."""
        best = self.top(1)
        if not best:
            raise self._none_complete()
        return best[0]

    def why_none(self) -> str:
        """What to do where no trial is completed."""
        now = self._now
        if at := now.diverged_at:
            return (
                f"{len(at)} diverged, the first at epoch {min(at)}: lower base_lr, or look for NaN and "
                "infinite numbers in the data"
            )
        if now.last_error:
            return f"the last that failed said {now.last_error}"
        return "let it run, or give it more trials"

    def top(self, k: int) -> list[Best]:
        """The k best completed trials, the one to use first (see `best`): the confirmed ones in the order of
        their means, then the others, and last those that failed on other seeds."""
        if k < 1:
            raise ValueError(f"k={k} must be at least 1")
        now, bests = self._now, list[Best]()
        for first in range(0, len(now.preferred), k):
            bests += self._bests(now, now.preferred[first : first + k])
            if len(bests) >= k:
                break
        return bests[:k]

    @property
    def best_value(self) -> float | None:
        """The best value that the search has found; None where nothing is completed."""
        ranking = self._now.ranking
        return ranking[0].value if ranking else None

    def ranked(self) -> Ranked:
        """All completed trials by the value that the search found, the best first; of equals the earlier."""
        now = self._now
        return Ranked(now.ranking, partial(self._bests, now))

    def completed(self, number: int) -> Best | None:
        """The completed trial of that number; None where there is none."""
        now = self._now
        numbered = [trial for trial in now.ranking if trial.number == number]
        return next(iter(self._bests(now, numbered)), None)

    def _bests(self, now: Summary, trials: Sequence[FrozenTrial]) -> list[Best]:
        """These trials as `Best`, but those whose curves cannot be read."""
        curves = dict(self._curves(trials))
        if len(curves) < len(trials):  # a trial that was deleted by hand is missing, or the whole study
            self._read(now.content)
        bests = (as_best(trial, curves.get(trial.number, {}), now) for trial in trials)
        return [best for best in bests if best is not None]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The trials by number, each a dict of plain JSON values.

        number, state, arm, value, base_lr, T_0, T_mult and eta_min in epochs, a dict `hparams` of what else
        is searched, by name (the workload's own values, and what `sgdr.shapes` has of one shape alone),
        seed, epochs trained, diverged_at, retry_of, seconds, started (ISO 8601, with the offset of this
        machine), error, and whether the trial is foreign (see `outcomes`). What there is none of, or JSON has
        no number for, is None, but a searched number that is not finite is "inf", "-inf" or "nan".
        """
        return self._current_rows().rows

    def row(self, number: int) -> dict[str, Any] | None:
        """The row of a trial; None where there is no such trial."""
        rows = self._current_rows()
        place = rows.places.get(number)
        return None if place is None else rows.rows[place]

    def _current_rows(self) -> TrialRows:
        content, rows = self._now.content, self._rows
        if rows is None or rows.content is not content:
            with storage_errors(self.url):
                rows = self._rows = TrialRows(content, self._reader, rows)
        return rows

    def trials(self) -> pd.DataFrame:
        """A row a trial, by number: state, arm, value, the schedule in epochs, further searched values, seed,
        epochs trained, diverged_at, seconds, started, error, and whether it is foreign.

        A searched value NAME that has the name of another column is hparams.NAME."""
        return trials_table(self._current_rows())

    def schedule(self, number: int) -> Schedule | None:
        """The schedule of a trial, in epochs; None where the trial was not begun by a sweep.

        Raises ValueError where there is no such trial.
        """
        trial, content = self._trial(number), self._now.content
        schedule = trial.user_attrs.get(BEGUN)
        if schedule is None or trial.state is TrialState.WAITING or trial._trial_id in content.foreign:
            return None
        return relatives.from_dict(schedule)

    def stepping(self, number: int) -> Stepping:
        """How many optimizer updates a trial's epochs have, and how often its rate changes."""
        return stepping_of(TrialAttributes.from_attrs(self._trial(number).user_attrs), self.stored)

    def curve(self, number: int) -> dict[str, list[float]]:
        """The values of a trial by name, one an epoch; empty before it has ended, and of a foreign one.

        Raises ValueError where there is no such trial.
        """
        return next((curve for _, curve in self._curves([self._trial(number)])), {})

    def _trial(self, number: int) -> FrozenTrial:
        trials, plain = self.frozen, checks.number(number)
        place = self._now.places.get(plain) if isinstance(plain, int) else None
        if place is None:
            there = (
                f"its trials are {trials[0].number} to {trials[-1].number}" if trials else "it has none yet"
            )
            raise ValueError(f"study {self.name!r} has no trial number={number!r}; {there}")
        return trials[place]

    def curves_of(self, numbers: Sequence[int]) -> Iterator[tuple[int, Curve]]:
        """The number and the curves of those of these trials that have some, read some at a time."""
        return self._curves([self._trial(number) for number in numbers])

    def curves(self) -> pd.DataFrame:
        """A row an epoch of a trial: number, epoch (from 1), and a column for each metric.

        A metric that is called number or epoch itself is metrics.number or metrics.epoch."""
        return curves_table(self._curves(self.frozen))

    def _curves(self, trials: Sequence[FrozenTrial]) -> Iterator[tuple[int, Curve]]:
        foreign = self._now.content.foreign
        own = [trial for trial in trials if trial._trial_id not in foreign]
        with storage_errors(self.url):
            for number, curve in self._reader.curves(own):
                if isinstance(curve, dict) and all(isinstance(values, list) for values in curve.values()):
                    yield number, curve


def study_id(storage: BaseStorage, name: str, url: str) -> int:
    """Optuna's number of the study. Raises ValueError when there is none, naming those that there are."""
    try:
        return storage.get_study_id_from_name(name)
    except KeyError:
        names = ", ".join(repr(study.study_name) for study in storage.get_all_studies()) or "none"
        raise ValueError(f"no study {name!r} in {shown(url)}; there is {names}") from None
