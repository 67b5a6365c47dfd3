"""What a worker needs of its study: which trials to begin, and that others hear what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from sgdr.search.problem.arms import Places
from sgdr.search.problem.callback import SILENT, Callback
from sgdr.search.storage.reader import Content
from sgdr.search.storage.schema import ERROR
from sgdr.search.sweeps.claim_queue import ClaimQueue, TrialPlan
from sgdr.search.sweeps.extent import Extent
from sgdr.search.sweeps.trial_log import TrialLog


class Coordinator(Protocol):
    """Shares the trials of one study out among its workers; unless said otherwise, there is but one."""

    log: TrialLog
    queue: ClaimQueue

    @property
    def owed(self) -> int:
        """How many trials are to be trained whose parameters are known: cut-off ones and enqueued ones."""
        return len(self.queue.again) + self.log.counts[TrialState.WAITING]

    def claim(self, count: int, extent: Extent) -> list[TrialPlan]:
        """Claims the trials to begin next: at most `count`, and no more than that extent allows.

        Those that were cut off come first, then those that somebody has enqueued, then new ones.
        """

    def give_back(self, plans: Sequence[TrialPlan]) -> None:
        """Makes as if these, the last new ones that were claimed, had not been."""
        self.queue.give_back(plans)

    def reported(self, trial: FrozenTrial, values: Mapping[int, float]) -> None:
        """Notes the values of a trial after so many completed epochs, which the pruners of others want."""
        self.log.reported(trial, values)

    def retry(self, trial: FrozenTrial, death: str = "") -> str | None:
        """Ends a trial whose process died, which `death` says how, and queues it again.

        Returns None, or the error for which it is given up when that was its last attempt.
        """
        error = self.queue.last_error(trial, death)
        self.log.end(trial, TrialState.FAIL, None, {} if error is None else {ERROR: error})
        self.queue.see(trial)
        return error

    def changed_trials(self) -> list[FrozenTrial]:
        """The trials that others have begun or ended since it was asked last, with what they reported."""
        return []

    def wait(self, extent: Extent) -> bool:
        """Whether others are still training what the study needs to get that far; waits a moment then."""
        return False

    def write(self, until: Callable[[], bool] = lambda: False) -> None:
        """Renews the lease, and writes what has been noted, in order.

        Stops between two batches once `until` holds. Raises `TakenOver` where somebody else has ended one of
        these trials.
        """
        self.log.retried(self.log.lease.renew)
        self.log.flush(until)

    def interrupt(self) -> None:
        """Ends the trials that are being trained, to be trained again later, and writes everything."""
        for number in sorted(self.log.noted):
            trial = self.log.trials[number]
            if trial.state == TrialState.RUNNING:
                self.log.end(trial, TrialState.FAIL, None, {})
        self.log.close()


class AloneCoordinator(Coordinator):
    """Gives all trials to one worker, which need not ask for any but those that somebody has enqueued."""

    def __init__(self, storage: BaseStorage, name: str, callback: Callback = SILENT) -> None:
        """Reads the study called `name`, marks what died with its worker as failed, and queues it again.

        Raises ValueError when another worker is at the study.
        """
        self.log = log = TrialLog(storage, name, callback)
        with log.given_up_on_error():
            content = log.retried(lambda: log.reader.read(Content()))
            dead = [trial for trial in content.own if trial.state == TrialState.RUNNING]
            log.retried(lambda: log.claims.abandon({trial._trial_id: {} for trial in dead}))
            content = log.retried(lambda: log.reader.read(content))
            log.know(content.trials, content.foreign)
            # Where some were deleted by hand, the next number is not how many there are.
            self.queue = ClaimQueue(log.trials, first=1 + max(log.trials, default=-1))
            self.queue.take_up(content.own)

    def claim(self, count: int, extent: Extent) -> list[TrialPlan]:
        """See `Coordinator`; what was enqueued after the study was read waits for the next run."""
        log = self.log
        room = max(0, min(count, extent.most(log.tally) - log.live))
        plans = self.queue.claim(room)
        while self.queue.waiting and len(plans) < room:
            waiting = self.queue.waiting.popleft()  # which somebody else may have taken
            granted = log.retried(partial(log.claims.take, log.worker, [waiting._trial_id]))
            log.claimed(granted)
            plans += [TrialPlan(trial.number, taken=waiting) for trial in granted]
        return [*plans, *self.queue.claim_new(room - len(plans))]

    def reported(self, trial: FrozenTrial, values: Mapping[int, float]) -> None:
        """See `Coordinator`: nobody asks for more than the last of them."""
        last = max(values)
        self.log.reported(trial, {last: values[last]})


@dataclass(frozen=True)
class Begun:
    """A study that a worker may begin with."""

    coordinator: Coordinator
    seed: int
    """The seed of the study."""
    places: Places
    """The arms of the new trials."""
    worker: int = 0
    """The place of this worker among those of its launch."""
