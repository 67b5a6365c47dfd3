"""The study as it is being written: in memory, and behind that in the storage.

What is noted is kept in memory, which takes microseconds, and is written to the storage afterwards, while the
devices compute, whole trials at a time.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sgdr.search.backend.interrupts import uninterrupted
from sgdr.search.backend.slots import MOST_ATTEMPTS
from sgdr.search.storage.claims import LIVE, LOST, RETRY_OF, WITHDRAWN, ClaimedTrial, claims
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.reader import Content, reader
from sgdr.search.storage.retry import Retrying
from sgdr.search.storage.schema import BEGUN, ENQUEUED, WORKER
from sgdr.search.storage.statements import chunks
from sgdr.search.storage.writer import writer

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
BATCH = 16
"""Trials that are written together: a commit costs about as much as the rows of a trial."""


class TakenOver(RuntimeError):
    """This worker was taken to be dead, and what it trained was given to others."""


@dataclass(frozen=True)
class TrialPlan:
    """A trial that is to be begun."""

    number: int
    again: FrozenTrial | None
    """The trial that it repeats, if that was begun."""
    place: int
    """How many new trials of this run come before it, or before that which it repeats."""
    repeats: int | None
    """The number of the trial that it repeats."""
    first: int
    """The number of the first of all that it repeats, or its own."""
    enqueued: FrozenTrial | None = None
    """The trial, or the first of all that it repeats, as somebody had enqueued it; else None."""

    @staticmethod
    def of(number: int, repeated: Sequence[FrozenTrial], place: int) -> TrialPlan:
        """The claim of that trial, which repeats these, the first of them last; each may have been claimed
        and never begun."""
        begun = [trial for trial in repeated if BEGUN in trial.user_attrs]
        return TrialPlan(
            number=number,
            again=begun[0] if begun else None,
            place=place,
            repeats=repeated[0].number if repeated else None,
            first=repeated[-1].number if repeated else number,
            enqueued=repeated[-1] if repeated and ENQUEUED in repeated[-1].user_attrs else None,
        )


class Record:
    """The trials of one study, kept in memory and written to its storage by one worker alone."""

    def __init__(
        self, storage: BaseStorage, name: str, on_remark: Callable[[str], None] = lambda remark: None
    ) -> None:
        """Reads the study called `name`, marks what died with its worker as failed, and queues it again.

        Raises ValueError when another worker is at the study.
        """
        self.name = name
        self._storage = storage
        self._retrying = Retrying(on_remark, self._returned)
        self._id = self._retrying(lambda maybe_applied: storage.get_study_id_from_name(name))
        kept = self._retrying(lambda maybe_applied: storage.get_study_user_attrs(self._id))
        self._metric = kept.get("metric", "")
        directions = self._retrying(lambda maybe_applied: storage.get_study_directions(self._id))
        self._minimize = directions[0] == StudyDirection.MINIMIZE
        self._writer, self._reader = writer(storage, self._id), reader(storage, self._id)
        self._claims = claims(storage, self._id)
        self._broken = False
        self._unwritten: list[int] = []
        self._foreign: frozenset[int] = frozenset()
        """Optuna's ids of the trials of the storage that are not the sweep's."""
        self._lease = self._take_lease()
        self._trials: dict[int, FrozenTrial] = {}
        self._states: dict[int, TrialState] = {}
        self._counts: Counter[TrialState] = Counter()
        self.again: deque[FrozenTrial] = deque()
        """Trials that were cut off, to be trained again before any new one."""
        self._waiting: deque[FrozenTrial] = deque()
        """Trials that somebody has enqueued."""
        self.finished = 0
        """Trials that are complete or pruned, and recorded as such."""
        self.failed = 0
        """Trials whose own code failed."""
        self.best: float | None = None
        """The best value of a completed trial, None where there is none."""
        try:
            self._begin()
        except BaseException:
            self._give_up()
            raise

    def _take_lease(self) -> Lease:
        return Lease(self._storage, self._id, retrying=self._retrying)

    def _begin(self) -> None:
        """Takes what the study has."""
        content = self._retrying(lambda maybe_applied: self._reader.read(Content()))
        dead = [trial for trial in content.own if trial.state == TrialState.RUNNING]
        self._retrying(lambda maybe_applied: self._claims.abandon({trial._trial_id: {} for trial in dead}))
        content = self._retrying(lambda maybe_applied: self._reader.read(content))
        self._foreign = content.foreign
        self._know(content.trials)
        self.again.extend(interrupted(content.own))
        self._waiting.extend(trial for trial in content.own if trial.state == TrialState.WAITING)
        self._next, self._place = self.next_number, 0

    def _returned(self) -> None:
        """The storage is back."""

    @property
    def worker(self) -> str:
        """The name by which this worker is known in the study."""
        return self._lease.worker

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials that are known, by number; those of earlier runs without curves and reports."""
        return list(self._trials.values())

    @property
    def own(self) -> list[FrozenTrial]:
        """The trials that are the sweep's or are waiting to be."""
        return [trial for trial in self.trials if trial.number in self._states]

    @property
    def next_number(self) -> int:
        """The number of the next trial: where some were deleted by hand, not how many there are."""
        return 1 + max(self._trials, default=-1)

    @property
    def ended(self) -> int:
        """How many trials are complete or pruned, whether or not they are written."""
        return sum(self._counts[state] for state in FINISHED)

    def note(self, **notes: Any) -> None:
        """Keeps with the lease how far this worker is, from the next time on that it is renewed."""
        self._lease.notes = {**self._lease.notes, **notes}  # whole, since a thread writes them

    def known(self) -> Iterator[FrozenTrial]:
        """The finished and failed trials of earlier runs, each with its whole curve as its reports."""
        return self._with_reports([trial for trial in self.own if trial.state.is_finished()])

    def claim(self, count: int, trials: int) -> list[TrialPlan]:
        """The trials to begin next: at most `count`, and no more than are needed to finish `trials`.

        Those that were cut off come first, then those that somebody has enqueued, then new ones.
        """
        room = min(count, trials - sum(self._counts[state] for state in LIVE))
        claimed: list[TrialPlan] = []
        while self.again and len(claimed) < room:
            claimed.append(TrialPlan.of(self._next, self._attempts(self.again.popleft()), self._place))
            self._next += 1
        claimed += self._take(room - len(claimed))
        while len(claimed) < room:
            claimed.append(TrialPlan.of(self._next, [], self._place))
            self._next += 1
            self._place += 1
        return claimed

    def _take(self, count: int) -> list[TrialPlan]:
        """Trials that have been waiting since before the study was read."""
        claimed: list[TrialPlan] = []
        while self._waiting and len(claimed) < count:
            trial = self._waiting.popleft()
            for granted in self._retrying(partial(self._take_one, trial._trial_id)):
                self._writer.claimed(granted.number, granted.trial_id, (WORKER, ENQUEUED))
                claimed.append(replace(TrialPlan.of(granted.number, [], self._place), enqueued=trial))
        return claimed

    def _take_one(self, trial_id: int, maybe_applied: bool) -> list[ClaimedTrial]:
        return self._claims.take(self.worker, [trial_id])

    def begin(
        self,
        claim: TrialPlan,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
        sampler_notes: Mapping[str, Any] | None = None,
    ) -> FrozenTrial:
        """A claimed trial with these parameters; it is written by the next `write`."""
        repeats = {} if claim.repeats is None else {RETRY_OF: claim.repeats}
        enqueued = {ENQUEUED: True} if claim.enqueued is not None else {}
        known = set() if claim.enqueued is None or repeats else claim.enqueued.system_attrs.keys()
        trial = FrozenTrial(
            number=claim.number,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.now(),
            datetime_complete=None,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs={**attributes, **repeats, **enqueued, WORKER: self.worker},
            system_attrs={key: note for key, note in (sampler_notes or {}).items() if key not in known},
            intermediate_values={},
            trial_id=claim.number,
        )
        with uninterrupted():
            self._trials[trial.number] = trial
            self._changed(trial)
        return trial

    @property
    def owed(self) -> int:
        """How many trials are to be trained whose parameters are known: cut-off ones and enqueued ones."""
        return len(self.again) + self._counts[TrialState.WAITING]

    def give_back(self, claims: Sequence[TrialPlan]) -> None:
        """Makes as if these, the last new ones that were claimed, had not been."""
        self._next -= len(claims)
        self._place -= len(claims)

    def refuse(self, claim: TrialPlan, error: str) -> None:
        """Ends a claimed trial that cannot be begun."""
        self.end(self.begin(claim, {}, {}, {}), TrialState.FAIL, None, {"error": error})

    def reported(self, trial: FrozenTrial, values: Mapping[int, float]) -> None:
        """Notes the values of a trial after so many completed epochs, of which the last are written."""
        last = max(values)
        trial.intermediate_values[last] = values[last]
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
            self.failed += "error" in attributes
            self._changed(trial)

    def retry(self, trial: FrozenTrial) -> str | None:
        """Ends a trial whose process died, and queues it again.

        Returns None, or the error for which it is given up when that was its last attempt.
        """
        begun = [each.user_attrs for each in self._attempts(trial) if BEGUN in each.user_attrs]
        attempts = sum(LOST not in attributes for attributes in begun)
        if attempts >= MOST_ATTEMPTS:
            error = f"its process died {attempts} times"
            self.end(trial, TrialState.FAIL, None, {"error": error})
            return error
        self.end(trial, TrialState.FAIL, None, {})
        self.again.append(trial)
        return None

    def _attempts(self, trial: FrozenTrial) -> list[FrozenTrial]:
        """The trial and those that it repeats, the first last."""
        attempts = [trial]
        while (before := self._trials.get(attempts[-1].user_attrs.get(RETRY_OF, -1))) is not None:
            if before.number >= attempts[-1].number:  # which no worker writes
                break
            attempts.append(before)
        return attempts

    def _changed(self, trial: FrozenTrial) -> None:
        self._count(trial)
        if trial.number not in self._unwritten:
            self._unwritten.append(trial.number)

    def _count(self, trial: FrozenTrial) -> None:
        """Keeps the counts, by what was known of the trial before."""
        before = self._states.get(trial.number)
        if before is not None:
            self._counts[before] -= 1
        self._states[trial.number] = trial.state
        self._counts[trial.state] += 1
        if trial.state == TrialState.COMPLETE and trial.values:
            values = [trial.values[0], *([] if self.best is None else [self.best])]
            self.best = min(values) if self._minimize else max(values)

    def _know(self, trials: Iterable[FrozenTrial]) -> None:
        """Takes trials as they stand in the storage; foreign ones are known by their numbers alone."""
        for trial in trials:
            before = self._trials.get(trial.number)
            if trial._trial_id in self._foreign:
                self._trials[trial.number] = trial
                if (state := self._states.pop(trial.number, None)) is not None:
                    self._counts[state] -= 1
                continue
            if before is None or before.state != trial.state:
                self.finished += trial.state in FINISHED
                self.failed += trial.state == TrialState.FAIL and "error" in trial.user_attrs
            self._trials[trial.number] = trial
            self._count(trial)

    def _with_reports(self, trials: Sequence[FrozenTrial]) -> Iterator[FrozenTrial]:
        """Finished trials with their curves as reports."""
        for some in chunks(trials):
            curves = dict(self._reader.curves(some))
            for trial in some:
                known = copy.copy(trial)
                known.intermediate_values = dict(
                    enumerate(curves.get(trial.number, {}).get(self._metric, ()), 1)
                )
                yield known

    def changed_trials(self) -> list[FrozenTrial]:
        """Trials that others have begun or ended since it was asked last: none, where there are no others."""
        return []

    def wait(self, trials: int) -> bool:
        """Whether others are still training what the study needs to finish `trials`; waits a moment then."""
        return False

    def interrupt(self) -> None:
        """Ends the trials that are being trained, to be trained again later, and writes everything.

        Of a trial that was claimed and not begun nothing is known.
        """
        for trial in self._own_running():
            self.end(trial, TrialState.FAIL, None, {})
        self.close()

    def _own_running(self) -> list[FrozenTrial]:
        return [trial for trial in self.own if trial.state == TrialState.RUNNING]

    @property
    def backlog(self) -> int:
        """How many trials have changed since they were written."""
        return len(self._unwritten)

    def write(self, until: Callable[[], bool] = lambda: False) -> None:
        """Writes what has been noted, in order; stops between two batches once `until` holds.

        Raises `TakenOver` where somebody else has ended one of these trials.
        """
        self._retrying(lambda maybe_applied: self._lease.renew())
        self._flush(until)

    def _flush(self, until: Callable[[], bool] = lambda: False) -> None:
        while self._unwritten and not until():
            # Where writing fails it may have been done nevertheless: writing more could do it twice.
            self._broken = True
            self._retrying(self._write_batch)

    def _write_batch(self, maybe_applied: bool) -> None:
        trials = [self._trials[number] for number in self._unwritten[:BATCH]]
        with uninterrupted():
            lost = self._writer.write(trials, maybe_applied)
            if lost:
                raise TakenOver(f"trial {min(lost)} was ended by somebody else while it was trained here")
            self._broken = False
            self._unwritten = self._unwritten[BATCH:]
            self.finished += sum(trial.state in FINISHED for trial in trials)

    def close(self) -> None:
        """Writes what is left, unless the storage has failed, and gives the study up."""
        if self._broken:
            self._give_up()
            return
        self._flush()
        self._retrying(lambda maybe_applied: self._lease.end())

    def _give_up(self) -> None:
        with contextlib.suppress(Exception):  # the failure itself is already on its way to the user
            self._lease.end()


def interrupted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials to train again: those that were cut off, and are not repeated yet.

    One that was claimed and never begun is among them where it was to repeat one that was, or was enqueued.
    """
    repeats = Repeats()
    repeats.add(trials)
    begun = set[int]()
    for trial in trials:
        wanted = not trial.user_attrs.keys().isdisjoint({BEGUN, ENQUEUED})
        if wanted or trial.user_attrs.get(RETRY_OF) in begun:
            begun.add(trial.number)
    return [trial for trial in trials if trial.number in begun and repeats.lacks(trial)]


class Repeats:
    """The trials that are repeated, and those that repeat them."""

    def __init__(self) -> None:
        self._by: dict[int, set[int]] = defaultdict(set)

    def add(self, trials: Iterable[FrozenTrial]) -> None:
        """Takes trials as they stand now; one may be withdrawn later."""
        for trial in trials:
            before = trial.user_attrs.get(RETRY_OF)
            if before is not None and trial.state != TrialState.WAITING:
                change = self._by[before].discard if WITHDRAWN in trial.user_attrs else self._by[before].add
                change(trial.number)

    def lacks(self, trial: FrozenTrial) -> bool:
        """Whether the trial was cut off, and nobody repeats it.

        Not so of one that was itself a repetition too many, whose worker died before it could withdraw it.
        """
        before = trial.user_attrs.get(RETRY_OF)
        if trial.state != TrialState.FAIL or not trial.user_attrs.keys().isdisjoint({"error", WITHDRAWN}):
            return False
        return not self._by[trial.number] and (before is None or min(self._by[before]) == trial.number)
