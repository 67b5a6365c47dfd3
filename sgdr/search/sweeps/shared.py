"""A study that several workers train at once, as one of them sees it.

Workers never speak to each other. What each of them claims, trains and ends is in the storage; from there the
others take it, and there they find the trials of those that died, and train them again.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from sgdr.search.problem.callback import SILENT, Callback
from sgdr.search.storage.claims import LIVE, ClaimedTrial, claims
from sgdr.search.storage.leases import Watch, end_lease, leases, predecessors
from sgdr.search.storage.reader import Content, reader
from sgdr.search.storage.schema import BEGUN, WITHDRAWN, WORKER
from sgdr.search.sweeps.claim_queue import ClaimQueue, TrialPlan
from sgdr.search.sweeps.coordinator import Coordinator
from sgdr.search.sweeps.extent import Extent
from sgdr.search.sweeps.trial_log import TakenOver, TrialLog

SYNC_SECONDS = 1.0
"""Seconds between two looks at what the others have done, at the least."""
SYNC_SHARE = 0.05
"""The share of its time that a worker spends on looking, at most."""
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


class SharedCoordinator(Coordinator):
    """Shares the trials of the study with other workers by its storage; see `Coordinator`."""

    def __init__(
        self, storage: BaseStorage, name: str, launch: Launch, place: int, callback: Callback = SILENT
    ) -> None:
        """Reads the study called `name`; `place` is this worker's among those of the launch."""
        self._storage, self._launch = storage, launch
        self.watch = Watch()
        self._content = Content()
        self._changed: dict[int, FrozenTrial] = {}
        """Trials of others that have changed, or may have reported."""
        self._granted: set[int] = set()
        """The trials that this worker knows to be its own."""
        self._taken = False
        """Whether somebody else has ended what is being trained here."""
        self._looked, self.pause = -float("inf"), SYNC_SECONDS
        self.log = TrialLog(storage, name, callback, lambda: self.watch.reset(), launch.lease, place)
        self.queue = ClaimQueue(self.log.trials, launch.first, launch.again)
        with self.log.given_up_on_error():
            self.log.retried(self._look)
            self._reap(predecessors(self._content.attributes, launch.lease, place, self.log.worker))
            self.log.retried(self._look)
        self._changed = {}  # these are given by `known`

    def claim(self, count: int, extent: Extent) -> list[TrialPlan]:
        """See `Coordinator`: what others have claimed meanwhile is not claimed again."""
        if not count:
            return []
        log = self.log
        failed = any(trial.state == TrialState.FAIL for trial in log.unwritten.values())
        if failed or extent.most(log.written) < min(extent.most(log.tally), log.live + count):
            log.flush()  # only then there is room for another
        if self._is_sync_due():
            self.sync()
        else:  # what was cut off meanwhile comes before anything new
            log.retried(self._look)
        if extent.most(log.written) <= log.live:
            return []
        granted = log.retrying(lambda maybe_applied: self._claim(count, extent, maybe_applied))
        if not granted:
            return []
        waiting = {trial.number: log.trials.get(trial.number) for trial in granted if trial.enqueued}
        log.claimed(granted)
        self._granted.update(trial.number for trial in granted)
        # Those that come before in number are there, whoever claimed them, once this one is.
        log.retried(self._look)
        return [self.queue.plan(log.trials[trial.number], waiting.get(trial.number)) for trial in granted]

    def _claim(self, count: int, extent: Extent, maybe_applied: bool) -> list[ClaimedTrial]:
        if maybe_applied:  # what may have been claimed is given back: it may be one too many
            self._look()
            self.log.claims.abandon({trial._trial_id: {} for trial in self._strays()})
            self._look()
        content = self._content
        # The storage counts trials, too, that are not the sweep's.
        foreign = sum(t.state in LIVE for t in content.trials if t._trial_id in content.foreign)
        again = sorted(trial.number for trial in self.queue.again)  # as a worker that began later has them
        most = extent.most(self.log.written) + foreign
        return self.log.claims.claim(self.log.worker, count, again, most)

    def give_back(self, plans: Sequence[TrialPlan]) -> None:
        """See `Coordinator`."""
        ids = [self.log.trials[plan.number]._trial_id for plan in plans]
        self.log.retried(lambda: self.log.claims.abandon({number: {WITHDRAWN: True} for number in ids}))
        self.log.retried(self._look)

    def changed_trials(self) -> list[FrozenTrial]:
        """See `Coordinator`."""
        log, began = self.log, time.monotonic()
        own = (t for t in self._changed.values() if t._trial_id not in self._content.foreign)
        begun = [trial for trial in own if BEGUN in trial.user_attrs]
        self._changed = {}
        running = [copy.copy(trial) for trial in begun if trial.state == TrialState.RUNNING]
        reports = log.retried(lambda: log.reader.reports(running)) if running else {}
        for trial in running:
            trial.intermediate_values = reports.get(trial.number, {})
        ended = [trial for trial in begun if trial.state.is_finished()]
        known = log.retried(lambda: list(log.with_reports(ended)))
        self.pause += (time.monotonic() - began) / SYNC_SHARE
        return [*running, *known]

    def wait(self, extent: Extent) -> bool:
        """See `Coordinator`."""
        self.write()
        if extent.reached(self.log.tally):
            return False
        time.sleep(SYNC_SECONDS)
        return True

    def write(self, until: Callable[[], bool] = lambda: False) -> None:
        """See `Coordinator`; looks at the others now and then."""
        super().write(until)
        if self._is_sync_due():
            self.sync()

    def _is_sync_due(self) -> bool:
        return time.monotonic() - self._looked >= self.pause

    def sync(self) -> None:
        """Takes what the others have done, and ends the trials of those that died.

        Raises `StopRequested` where this worker is to end, `TakenOver` where it was taken to be dead.
        """
        log, began = self.log, time.monotonic()
        log.retried(self._look)
        if dead := self._dead():
            # They may have ended as they should: what they wrote last is there by now.
            log.retried(self._look)
            dead &= self._dead()
        self._changed |= {trial.number: trial for trial in self._running() if not self._is_mine(trial)}
        attributes = self._content.attributes
        known = leases(attributes)
        launcher = known.get(self._launch.lease)
        is_over = launcher is None or launcher["ended"] or self._launch.lease in dead
        if is_over or attributes.get(STOP) == self._launch.lease:
            raise StopRequested
        if known[log.worker]["ended"] or self._taken:
            log.broken = True
            raise TakenOver("it was not heard of for long, and its trials were given to others")
        strays = {trial._trial_id: dict[str, Any]() for trial in self._strays()}
        if dead or strays:
            self._reap(dead)
            log.retried(lambda: log.claims.abandon(strays))
            log.retried(self._look)
        self._looked = time.monotonic()
        self.pause = max(SYNC_SECONDS, (self._looked - began) / SYNC_SHARE)

    def _dead(self) -> set[str]:
        return self.watch.dead(self._content.attributes, but=self.log.worker)

    def _look(self) -> None:
        """Reads what has changed in the study; of a trial that was begun here nobody else knows more."""
        before = self._content
        self._content = content = self.log.reader.read(before)
        places = before.unfinished.values()
        changed = [content.trials[p] for p in places if content.trials[p] is not before.trials[p]]
        for trial in [*changed, *content.trials[len(before.trials) :]]:
            if trial.number in self.log.noted:
                here = self.log.trials[trial.number]
                self._taken |= trial.state.is_finished() and not here.state.is_finished()
                continue
            self.log.know([trial], content.foreign)
            if trial._trial_id not in content.foreign:
                self.queue.see(trial)
                if not self._is_mine(trial):
                    self._changed[trial.number] = trial

    def _is_mine(self, trial: FrozenTrial) -> bool:
        return trial.user_attrs.get(WORKER) == self.log.worker

    def _running(self) -> list[FrozenTrial]:
        """The trials that the storage has as being trained."""
        content = self._content
        unfinished = (content.trials[place] for place in content.unfinished.values())
        own = (trial for trial in unfinished if trial._trial_id not in content.foreign)
        return [trial for trial in own if trial.state == TrialState.RUNNING]

    def _strays(self) -> list[FrozenTrial]:
        """The trials that seem to be trained, and are not: their worker has ended, or does not know of them,
        for its claim was not answered or it was taken to be dead at that moment."""
        ended = {worker for worker, lease in leases(self._content.attributes).items() if lease["ended"]}
        return [
            trial
            for trial in self._running()
            if trial.user_attrs.get(WORKER) in ended
            or (self._is_mine(trial) and trial.number not in self._granted)
        ]

    def _reap(self, workers: Iterable[str]) -> None:
        """Ends what dead workers were training, and their leases."""
        for worker in workers:
            theirs = [trial for trial in self._running() if trial.user_attrs.get(WORKER) == worker]
            losses = {trial._trial_id: self.queue.loss_attributes(trial) for trial in theirs}
            lease = leases(self._content.attributes)[worker]
            self.log.retried(partial(self.log.claims.abandon, losses))
            self.log.retried(partial(end_lease, self._storage, self.log.study_id, worker, lease))

    def interrupt(self) -> None:
        """See `Coordinator`; what is claimed and not begun is given back."""
        if not self.log.broken:
            self.log.retried(self._look)
            idle = [t for t in self._running() if self._is_mine(t) and t.number not in self.log.noted]
            self.log.retried(lambda: self.log.claims.abandon({trial._trial_id: {} for trial in idle}))
        super().interrupt()


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
    for worker, lease in leases(content.attributes).items():
        if lease.get("launch") == launch.lease and not lease["ended"]:
            end_lease(storage, study_id, worker, lease)
