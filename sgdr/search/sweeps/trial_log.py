"""The study as it is being written: in memory, and behind that in the storage.

What is noted is kept in memory, which takes microseconds, and is written to the storage afterwards, while the
devices compute, whole trials at a time.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sgdr.search.backend.interrupts import uninterrupted
from sgdr.search.problem.callback import SILENT, Callback
from sgdr.search.storage.claims import LIVE, ClaimedTrial, claims
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.own_trials import FINISHED
from sgdr.search.storage.reader import reader
from sgdr.search.storage.retry import Retrying
from sgdr.search.storage.schema import ENQUEUED, ERROR, RETRY_OF, WORKER, epochs_trained
from sgdr.search.storage.statements import chunks
from sgdr.search.storage.writer import writer
from sgdr.search.sweeps.claim_queue import TrialPlan
from sgdr.search.sweeps.extent import Tally

BATCH = 16
"""Trials that are written together: a commit costs about as much as the rows of a trial."""

Result = TypeVar("Result")


class TakenOver(RuntimeError):
    """This worker was taken to be dead, and what it trained was given to others."""


class TrialLog:
    """The trials of one study, kept in memory and written to its storage by one worker."""

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        callback: Callback = SILENT,
        on_return: Callable[[], None] = lambda: None,
        launch: str | None = None,
        place: int | None = None,
    ) -> None:
        """Takes the lease of the study called `name`; for `launch` and `place` see `Lease`.

        `on_return` is called when the storage is back after an outage. Raises ValueError when the study is to
        be this worker's alone and another is at it.
        """
        self.name = name
        self.retrying = Retrying(callback.on_remark, on_return)
        number = self.retried(lambda: storage.get_study_id_from_name(name))
        self._metric = self.retried(lambda: storage.get_study_user_attrs(number)).get("metric", "")
        directions = self.retried(lambda: storage.get_study_directions(number))
        self._better = min if directions[0] == StudyDirection.MINIMIZE else max
        self.reader, self._writer = reader(storage, number), writer(storage, number)
        self.claims = claims(storage, number)
        self.study_id = number
        self.trials: dict[int, FrozenTrial] = {}
        """All trials that are known, by number; those of earlier runs without curves and reports."""
        self._states: dict[int, TrialState] = {}
        """The states of the trials that are the sweep's or are waiting to be."""
        self.counts: Counter[TrialState] = Counter()
        self._epochs = 0
        """Trained by the trials that are complete or pruned."""
        self.noted: set[int] = set()
        """The numbers of the trials that were begun here: of these nobody knows more."""
        self.unwritten: dict[int, FrozenTrial] = {}
        """The trials that have changed since they were written, by number, the first to change first."""
        self.broken = False
        """Whether nothing is to be written any more: it would not be true, or be there twice."""
        self.failed = 0
        """Trials whose own code failed."""
        self.best: float | None = None
        """The best value of a completed trial, None where there is none."""
        self.lease = Lease(storage, number, launch=launch, place=place, retrying=self.retrying)
        self.worker = self.lease.worker
        """The name by which this worker is known in the study."""

    def retried(self, action: Callable[[], Result]) -> Result:
        """What `action` returns, which may be done twice: again while the storage is away."""
        return self.retrying(lambda maybe_applied: action())

    @contextmanager
    def given_up_on_error(self) -> Iterator[None]:
        """Ends the lease where the block fails."""
        try:
            yield
        except BaseException:
            self.broken = True
            self.close()
            raise

    @property
    def own(self) -> list[FrozenTrial]:
        """The trials that are the sweep's or are waiting to be, by number."""
        return [trial for number, trial in self.trials.items() if number in self._states]

    @property
    def live(self) -> int:
        """How many trials are finished or may be."""
        return sum(self.counts[state] for state in LIVE)

    @property
    def ended(self) -> int:
        """How many trials are complete or pruned, whether or not they are written."""
        return sum(self.counts[state] for state in FINISHED)

    @property
    def tally(self) -> Tally:
        """What the trials come to, whether or not they are written."""
        return Tally(self.ended, self.counts[TrialState.RUNNING], self._epochs)

    @property
    def written(self) -> Tally:
        """The same where others may have ended what is not written: what has ended here is running there."""
        ended = [trial for trial in self.unwritten.values() if trial.state in FINISHED]
        epochs = self._epochs - sum(epochs_trained(trial.user_attrs) for trial in ended)
        return Tally(self.ended - len(ended), self.counts[TrialState.RUNNING] + len(ended), epochs)

    @property
    def finished(self) -> int:
        """How many trials are complete or pruned, and recorded as such."""
        return self.written.ended

    def note(self, **notes: Any) -> None:
        """Keeps with the lease how far this worker is, from the next time on that it is renewed."""
        self.lease.notes = {**self.lease.notes, **notes}  # whole, since a thread writes them

    def known(self) -> Iterator[FrozenTrial]:
        """The finished and failed trials of earlier runs, each with its whole curve as its reports."""
        return self.with_reports([trial for trial in self.own if trial.state.is_finished()])

    def with_reports(self, trials: Sequence[FrozenTrial]) -> Iterator[FrozenTrial]:
        """Finished trials with their curves as reports."""
        for some in chunks(trials):
            curves = dict(self.reader.curves(some))
            for trial in some:
                known = copy.copy(trial)
                curve = curves.get(trial.number, {}).get(self._metric, ())
                known.intermediate_values = dict(enumerate(curve, 1))
                yield known

    def know(self, trials: Iterable[FrozenTrial], foreign: frozenset[int]) -> None:
        """Takes trials as they stand in the storage; the foreign ones, of which these are Optuna's ids, are
        known by their numbers alone."""
        for trial in trials:
            before = self.trials.get(trial.number)
            self.trials[trial.number] = trial
            if trial._trial_id in foreign:
                if (state := self._states.pop(trial.number, None)) is not None:
                    self.counts[state] -= 1
                    self._epochs -= epochs_trained(trial.user_attrs) if state in FINISHED else 0
                continue
            if before is None or before.state != trial.state:
                self.failed += trial.state == TrialState.FAIL and ERROR in trial.user_attrs
            self._count(trial)

    def claimed(self, granted: Iterable[ClaimedTrial]) -> None:
        """Notes that the storage has these trials already, as claimed by this worker."""
        for trial in granted:
            written = (WORKER, ENQUEUED if trial.enqueued else RETRY_OF)
            self._writer.claimed(trial.number, trial.trial_id, written)

    def begin(
        self,
        plan: TrialPlan,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
        sampler_notes: Mapping[str, Any] | None = None,
    ) -> FrozenTrial:
        """A claimed trial with these parameters; it is written by the next `write`."""
        repeats = {} if plan.repeats is None else {RETRY_OF: plan.repeats}
        enqueued = {ENQUEUED: True} if plan.enqueued is not None else {}
        known = set() if plan.enqueued is None or repeats else plan.enqueued.system_attrs.keys()
        trial = FrozenTrial(
            number=plan.number,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.now(),
            datetime_complete=None,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs={**attributes, **repeats, **enqueued, WORKER: self.worker},
            system_attrs={key: note for key, note in (sampler_notes or {}).items() if key not in known},
            intermediate_values={},
            trial_id=plan.number,
        )
        with uninterrupted():
            self.trials[trial.number] = trial
            self.noted.add(trial.number)
            self._changed(trial)
        return trial

    def refuse(self, plan: TrialPlan, error: str) -> None:
        """Ends a claimed trial that cannot be begun."""
        self.end(self.begin(plan, {}, {}, {}), TrialState.FAIL, None, {ERROR: error})

    def reported(self, trial: FrozenTrial, values: Mapping[int, float]) -> None:
        """Notes the values of a trial after so many completed epochs."""
        trial.intermediate_values.update(values)
        self._changed(trial)

    def end(
        self, trial: FrozenTrial, state: TrialState, value: float | None, attributes: Mapping[str, Any]
    ) -> None:
        """Notes how a trial ended."""
        if state == TrialState.PRUNED and value is None:  # as Optuna has it: the last that was reported
            last = max(trial.intermediate_values, default=None)
            value = None if last is None else trial.intermediate_values[last]
            value = None if value is None or math.isnan(value) else value
        with uninterrupted():
            trial.user_attrs.update(attributes)
            trial.values = None if value is None else [value]
            trial.state = state
            trial.datetime_complete = datetime.now()
            self.failed += ERROR in attributes
            self._changed(trial)

    def _changed(self, trial: FrozenTrial) -> None:
        self._count(trial)
        self.unwritten[trial.number] = trial

    def _count(self, trial: FrozenTrial) -> None:
        """Keeps the counts, by what was known of the trial before."""
        before = self._states.get(trial.number)
        if before is not None:
            self.counts[before] -= 1
        self._states[trial.number] = trial.state
        self.counts[trial.state] += 1
        if trial.state in FINISHED and before not in FINISHED:
            self._epochs += epochs_trained(trial.user_attrs)
        if trial.state == TrialState.COMPLETE and trial.values:
            value = trial.values[0]
            self.best = value if self.best is None else self._better(value, self.best)

    def flush(self, until: Callable[[], bool] = lambda: False) -> None:
        """Writes what has been noted, in order; stops between two batches once `until` holds."""
        while self.unwritten and not until():
            # Where writing fails it may have been done nevertheless: writing more could do it twice.
            self.broken = True
            self.retrying(self._write_batch)

    def _write_batch(self, maybe_applied: bool) -> None:
        trials = list(islice(self.unwritten.values(), BATCH))
        with uninterrupted():
            lost = self._writer.write(trials, maybe_applied)
            if lost:
                raise TakenOver(f"trial {min(lost)} was ended by somebody else while it was trained here")
            self.broken = False
            for trial in trials:
                del self.unwritten[trial.number]

    def close(self) -> None:
        """Writes what is left, unless the storage has failed, and gives the study up."""
        if not self.broken:
            self.flush()
            self.retried(self.lease.end)
            return
        with suppress(Exception):  # the failure itself is already on its way to the user
            self.lease.end()
