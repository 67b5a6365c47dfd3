"""A study that several workers write to at once, as one of them sees it.

Workers never speak to each other. What each of them claims, trains and ends is in the storage; from there the
others take it, and there they find the trials of those that died, and train them again.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from sgdr.search.storage.claims import LIVE, LOST, RETRY_OF, WITHDRAWN, ClaimedTrial, claims
from sgdr.search.storage.leases import Lease, LeaseRecord, Watch, end_lease, leases, predecessors
from sgdr.search.storage.reader import Content, reader
from sgdr.search.storage.schema import BEGUN, ENQUEUED, WORKER
from sgdr.search.sweeps.trial_log import Record, Repeats, TakenOver, TrialPlan

SYNC_SECONDS = 1.0
"""Seconds between two looks at what the others have done, at the least."""
SYNC_SHARE = 0.05
"""The share of its time that a worker spends on looking, at most."""
MOST_RETRIES = 3
"""How often a trial is trained again whose worker died."""
STOP = "stop"
"""Study attribute: the lease of the launcher whose workers are to end."""


@dataclass(frozen=True)
class Launch:
    """What the workers of one launch have in common."""

    lease: str
    """The launcher's."""
    first: int
    """The number of the first trial of this launch: how many there were before."""
    again: frozenset[int]
    """The numbers of the earlier trials that are to be trained again."""


class StopRequested(KeyboardInterrupt):
    """This worker is to end: it was asked to, or its launcher is gone."""


class SharedRecord(Record):
    """The trials of one study, of which this worker trains some."""

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        launch: Launch,
        place: int,
        on_remark: Callable[[str], None] = lambda remark: None,
    ) -> None:
        """Reads the study called `name`; `place` is this worker's among those of the launch."""
        self._launch, self._own_place = launch, place
        self._watch = Watch()
        self._content = Content()
        self._news: dict[int, FrozenTrial] = {}
        """Trials of others that have changed, or may have reported."""
        self._repeats = Repeats()
        self._failed: dict[int, FrozenTrial] = {}
        """The trials, by number, to be trained again unless they are repeated, or failed by themselves."""
        self._granted: set[int] = set()
        """The trials that this worker knows to be its own."""
        self._new = [0]
        """How many new trials come before the n-th of this launch."""
        self._taken = False
        """Whether somebody else has ended what is being trained here."""
        self._looked, self._pause = -float("inf"), SYNC_SECONDS
        super().__init__(storage, name, on_remark)

    def _take_lease(self) -> Lease:
        return Lease(
            self._storage,
            self._id,
            launch=self._launch.lease,
            place=self._own_place,
            retrying=self._retrying,
        )

    def _begin(self) -> None:
        self._retrying(lambda maybe_applied: self._look())
        kept = self._content.attributes
        self._reap(predecessors(kept, self._launch.lease, self._own_place, self.worker))
        self._retrying(lambda maybe_applied: self._look())
        self._news = {}  # these are given by `known`

    def _returned(self) -> None:
        self._watch.reset()

    def claim(self, count: int, trials: int) -> list[TrialPlan]:
        """See `Record.claim`: what others have claimed meanwhile is not claimed again."""
        if not count:
            return []
        if any(self._trials[number].state == TrialState.FAIL for number in self._unwritten):
            self._flush()  # only then there is room for another
        if self._is_sync_due():
            self._sync()
        else:  # what was cut off meanwhile comes before anything new
            self._retrying(lambda maybe_applied: self._look())
        if trials - self.ended - self._counts[TrialState.RUNNING] <= 0:
            return []
        granted = self._retrying(lambda maybe_applied: self._claim(count, trials, maybe_applied))
        if not granted:
            return []
        waiting = {each.number: self._trials.get(each.number) for each in granted if each.enqueued}
        for each in granted:
            written = (WORKER, ENQUEUED if each.enqueued else RETRY_OF)
            self._writer.claimed(each.number, each.trial_id, written)
            self._granted.add(each.number)
        # Those that come before in number are there, whoever claimed them, once this one is.
        self._retrying(lambda maybe_applied: self._look())
        return [self._as_claim(each.number, waiting.get(each.number)) for each in granted]

    def _claim(self, count: int, trials: int, maybe_applied: bool) -> list[ClaimedTrial]:
        if maybe_applied:  # what may have been claimed is given back: it may be one too many
            self._look()
            self._claims.abandon({trial._trial_id: {} for trial in self._strays()})
            self._look()
        live = trials + self._foreign_live()
        return self._claims.claim(self.worker, count, [each.number for each in self.again], live)

    def _foreign_live(self) -> int:
        """How many of the trials that the storage counts are not the sweep's."""
        foreign = (trial for trial in self.trials if trial.number not in self._states)
        return sum(trial.state in LIVE for trial in foreign)

    def _as_claim(self, number: int, waiting: FrozenTrial | None) -> TrialPlan:
        """A trial that repeats one which was never begun has its place.

        `waiting`: an enqueued one as it was before it was taken.
        """
        own = self._trials[number]
        if ENQUEUED in own.user_attrs and RETRY_OF not in own.user_attrs:
            return replace(TrialPlan.of(number, [], 0), enqueued=waiting or own)
        attempts = self._attempts(own)
        if ENQUEUED in attempts[-1].user_attrs:
            return TrialPlan.of(number, attempts[1:], 0)
        here = min(trial.number for trial in attempts if trial.number >= self._launch.first)
        return TrialPlan.of(number, attempts[1:], self._new_before(here))

    def _new_before(self, number: int) -> int:
        """How many new trials were claimed in this launch before that one: the same, whoever counts."""
        first = self._launch.first
        while len(self._new) <= number - first:
            attributes = self._trials[first + len(self._new) - 1].user_attrs
            before = attributes.get(RETRY_OF, -1)
            # What was not even begun before this launch is nothing to it.
            is_new = before < first and before not in self._launch.again
            # What somebody else has put among its trials has a place of its own.
            is_new &= WORKER in attributes and ENQUEUED not in attributes
            self._new.append(self._new[-1] + is_new)
        return self._new[number - first]

    def give_back(self, claims: Sequence[TrialPlan]) -> None:
        """See `Record.give_back`."""
        ids = [self._trials[claim.number]._trial_id for claim in claims]
        self._retrying(lambda maybe_applied: self._claims.abandon({each: {WITHDRAWN: True} for each in ids}))
        self._retrying(lambda maybe_applied: self._look())

    def retry(self, trial: FrozenTrial) -> str | None:
        """See `Record.retry`."""
        self._failed[trial.number] = trial
        return super().retry(trial)

    def reported(self, trial: FrozenTrial, values: Mapping[int, float]) -> None:
        """Notes the values of a trial after so many completed epochs: the pruners of others want them all."""
        trial.intermediate_values.update(values)
        self._changed(trial)

    def changed_trials(self) -> list[FrozenTrial]:
        """See `Record.changed_trials`: with what they have reported."""
        began = time.monotonic()
        own = [trial for trial in self._news.values() if trial.number in self._states]
        found = [trial for trial in own if BEGUN in trial.user_attrs]
        self._news = {}
        running = [copy.copy(trial) for trial in found if trial.state == TrialState.RUNNING]
        reports = self._retrying(lambda maybe_applied: self._reader.reports(running)) if running else {}
        for trial in running:
            trial.intermediate_values = reports.get(trial.number, {})
        ended = [trial for trial in found if trial.state.is_finished()]
        known = self._retrying(lambda maybe_applied: list(self._with_reports(ended)))
        self._pause += (time.monotonic() - began) / SYNC_SHARE
        return [*running, *known]

    def wait(self, trials: int) -> bool:
        """See `Record.wait`."""
        self.write()
        if self.ended >= trials:
            return False
        time.sleep(SYNC_SECONDS)
        return True

    def write(self, until: Callable[[], bool] = lambda: False) -> None:
        """See `Record.write`; looks at the others now and then."""
        super().write(until)
        if self._is_sync_due():
            self._sync()

    def _is_sync_due(self) -> bool:
        return time.monotonic() - self._looked >= self._pause

    def _sync(self) -> None:
        """Takes what the others have done, and ends the trials of those that died.

        Raises `StopRequested` where this worker is to end, `TakenOver` where it was taken to be dead.
        """
        began = time.monotonic()
        self._retrying(lambda maybe_applied: self._look())
        if dead := self._dead():
            # They may have ended as they should: what they wrote last is there by now.
            self._retrying(lambda maybe_applied: self._look())
            dead &= self._dead()
        self._news |= {each.number: each for each in self._unfinished() if not self._is_mine(each)}
        attributes = self._content.attributes
        known = leases(attributes)
        launcher = known.get(self._launch.lease)
        if attributes.get(STOP) == self._launch.lease or self._launch.lease in dead:
            raise StopRequested
        if launcher is None or launcher["ended"]:
            raise StopRequested
        if known[self.worker]["ended"] or self._taken:
            self._broken = True
            raise TakenOver("it was not heard of for long, and its trials were given to others")
        strays = {each._trial_id: dict[str, Any]() for each in self._strays()}
        if dead or strays:
            self._reap(dead)
            self._retrying(lambda maybe_applied: self._claims.abandon(strays))
            self._retrying(lambda maybe_applied: self._look())
        self._looked = time.monotonic()
        self._pause = max(SYNC_SECONDS, (self._looked - began) / SYNC_SHARE)

    def _dead(self) -> set[str]:
        return self._watch.dead(self._content.attributes, but=self.worker)

    def _look(self) -> None:
        before = self._content
        self._content = self._reader.read(before)
        self._foreign = self._content.foreign
        trials = self._content.trials
        places = before.unfinished.values()
        changed = [trials[place] for place in places if trials[place] is not before.trials[place]]
        self._know([*changed, *trials[len(before.trials) :]])

    def _know(self, trials: Iterable[FrozenTrial]) -> None:
        for trial in trials:
            mine, own = self._is_mine(trial), self._trials.get(trial.number)
            noted = own is not None and (BEGUN in own.user_attrs or own.state.is_finished())
            if mine and own is not None and noted:  # what is noted here is newer
                self._taken |= trial.state.is_finished() and not own.state.is_finished()
                continue
            super()._know([trial])
            if trial._trial_id in self._foreign:
                continue
            if not mine:
                self._news[trial.number] = trial
            self._repeats.add([trial])
            if trial.state == TrialState.FAIL and self._is_ours(trial):
                self._failed[trial.number] = trial
        found = (self._failed[number] for number in sorted(self._failed))
        self.again = deque(trial for trial in found if self._repeats.lacks(trial))

    def _is_ours(self, trial: FrozenTrial) -> bool:
        """Whether the trial is of this launch, or to be trained again in it."""
        is_new = trial.number >= self._launch.first and WORKER in trial.user_attrs
        return is_new or trial.number in self._launch.again or ENQUEUED in trial.user_attrs

    def _is_mine(self, trial: FrozenTrial) -> bool:
        return trial.user_attrs.get(WORKER) == self.worker

    def _unfinished(self) -> list[FrozenTrial]:
        """The trials that the storage has as being trained."""
        found = [self._content.trials[place] for place in self._content.unfinished.values()]
        own = [trial for trial in found if trial._trial_id not in self._content.foreign]
        return [trial for trial in own if trial.state == TrialState.RUNNING]

    def _strays(self) -> list[FrozenTrial]:
        """The trials that seem to be trained, and are not: their worker has ended, or does not know of them,
        for its claim was not answered or it was taken to be dead at that moment."""
        ended = {worker for worker, claim in leases(self._content.attributes).items() if claim["ended"]}
        return [
            trial
            for trial in self._unfinished()
            if trial.user_attrs.get(WORKER) in ended
            or (self._is_mine(trial) and trial.number not in self._granted)
        ]

    def _reap(self, workers: Iterable[str]) -> None:
        """Ends what dead workers were training, and their leases."""
        for worker in workers:
            theirs = [trial for trial in self._unfinished() if trial.user_attrs.get(WORKER) == worker]
            whys = {trial._trial_id: self._why(trial) for trial in theirs}
            claim = leases(self._content.attributes)[worker]
            self._retrying(partial(self._reap_one, whys, worker, claim))

    def _reap_one(
        self, trials: Mapping[int, dict[str, Any]], worker: str, claim: LeaseRecord, maybe_applied: bool
    ) -> None:
        self._claims.abandon(trials)
        end_lease(self._storage, self._id, worker, claim)

    def _why(self, trial: FrozenTrial) -> dict[str, Any]:
        """What is noted with a trial whose worker died."""
        died = 1 + sum(LOST in each.user_attrs for each in self._attempts(trial))
        return {"error": f"its worker died {died} times"} if died > MOST_RETRIES else {LOST: True}

    def interrupt(self) -> None:
        """See `Record.interrupt`; what is claimed and not begun is given back."""
        if not self._broken:
            self._retrying(lambda maybe_applied: self._give_back())
        super().interrupt()

    def _give_back(self) -> None:
        self._look()
        mine = [trial for trial in self._unfinished() if self._is_mine(trial)]
        idle = [trial for trial in mine if BEGUN not in self._trials[trial.number].user_attrs]
        self._claims.abandon({trial._trial_id: {} for trial in idle})

    def _own_running(self) -> list[FrozenTrial]:
        return [each for each in super()._own_running() if self._is_mine(each) and BEGUN in each.user_attrs]


def stop_launch(storage: BaseStorage, name: str, launch: Launch) -> None:
    """Asks the workers of a launch to end: each does when it looks next."""
    storage.set_study_user_attr(storage.get_study_id_from_name(name), STOP, launch.lease)


def end_launch(storage: BaseStorage, name: str, launch: Launch) -> None:
    """Ends what the workers of a launch have left behind, when none of them is there any more.

    Also what such of an earlier launch began that had outlived it.
    """
    study_id = storage.get_study_id_from_name(name)
    content = reader(storage, study_id).read(Content())
    running = [trial for trial in content.own if trial.state == TrialState.RUNNING]
    claims(storage, study_id).abandon({trial._trial_id: {} for trial in running})
    for worker, claim in leases(content.attributes).items():
        if claim.get("launch") == launch.lease and not claim["ended"]:
            end_lease(storage, study_id, worker, claim)
