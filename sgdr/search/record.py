"""The study as it is being written: in memory, and behind that in the storage.

What is noted is kept in an Optuna study in memory, which takes microseconds, and is written to the storage
afterwards, while the devices compute, whole trials at a time.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from sgdr.search.interrupts import uninterrupted
from sgdr.search.lease import Lease
from sgdr.search.slots import MOST_ATTEMPTS
from sgdr.search.writing import writer

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
BATCH = 16
"""Trials that are written together: a commit costs about as much as the rows of a trial."""


class Record:
    """The trials of one study, kept in memory and written to its storage."""

    def __init__(self, storage: BaseStorage, name: str) -> None:
        """Reads the study called `name`, marks what died with its worker as failed, and queues it again."""
        self._storage = storage
        self._id = storage.get_study_id_from_name(name)
        self._memory = InMemoryStorage()
        self.study = optuna.create_study(
            storage=self._memory,
            study_name=name,
            directions=storage.get_study_directions(self._id),
        )
        self._writer = writer(storage, self._id)
        self._broken = False
        self._unwritten: list[int] = []
        self._lease = Lease(storage, self._id)
        trials = storage.get_all_trials(self._id)
        for trial in trials:
            if trial.state == TrialState.RUNNING:
                storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            if not trial.state.is_finished():  # those that somebody else has queued are left to them
                trial.state = TrialState.FAIL
                trial.datetime_complete = trial.datetime_complete or datetime.now()
        self.study.add_trials(trials)
        self.finished = sum(trial.state in FINISHED for trial in trials)
        """Trials that are complete or pruned, and recorded as such."""
        self.failed = sum("error" in trial.user_attrs for trial in trials)
        """Trials whose own code failed."""
        self.again = deque(interrupted(trials))
        """Trials that were cut off, to be trained again before any new one."""

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        return self.study.get_trials(deepcopy=False)

    @property
    def best(self) -> float | None:
        """The best value of a completed trial, None where there is none."""
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return self.study.best_value if complete else None

    def begin(self, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> Trial:
        """A new trial with these parameters; nothing of it is written before it is `started`."""
        made = create_trial(state=TrialState.RUNNING, params=dict(params), distributions=dict(distributions))
        return Trial(self.study, self._memory.create_new_trial(self.study._study_id, made))

    def started(
        self, trial: Trial, attributes: Mapping[str, Any], sampler_notes: Mapping[str, Any] | None = None
    ) -> None:
        """Notes what a trial is about to train, before anything of it is written."""
        with uninterrupted():
            for name, value in {**attributes, "worker": self._lease.worker}.items():
                trial.set_user_attr(name, value)
            for name, note in (sampler_notes or {}).items():
                self._memory.set_trial_system_attr(trial._trial_id, name, note)
            self._changed(trial)

    def reported(self, trial: Trial, epoch: int, value: float) -> None:
        """Notes a trial's value after `epoch` completed epochs."""
        trial.report(value, epoch)
        self._changed(trial)

    def ended(
        self, trial: Trial, state: TrialState, value: float | None, attributes: Mapping[str, Any]
    ) -> None:
        """Notes how a trial ended."""
        with uninterrupted():
            for name, attribute in attributes.items():
                trial.set_user_attr(name, attribute)
            self.study.tell(trial, value, state)
            self.failed += "error" in attributes
            self._changed(trial)

    def retry(self, trial: Trial) -> str | None:
        """Ends a trial whose process died, and queues it again.

        Returns None, or the error for which it is given up when that was its last attempt.
        """
        trials = self.trials
        attempts = _attempts(trials[trial.number], trials)
        if attempts >= MOST_ATTEMPTS:
            error = f"its process died {attempts} times"
            self.ended(trial, TrialState.FAIL, None, {"error": error})
            return error
        self.ended(trial, TrialState.FAIL, None, {})
        self.again.append(trials[trial.number])
        return None

    def _changed(self, trial: Trial) -> None:
        if trial.number not in self._unwritten:
            self._unwritten.append(trial.number)

    def interrupt(self) -> None:
        """Ends the trials that are being trained, to be trained again later, and writes everything.

        Of a trial that was begun and not yet started nothing is known, and nothing written.
        """
        for trial in self.trials:
            if trial.state == TrialState.RUNNING and "schedule" in trial.user_attrs:
                self.ended(Trial(self.study, trial._trial_id), TrialState.FAIL, None, {})
        self.close()

    @property
    def backlog(self) -> int:
        """How many trials have changed since they were written."""
        return len(self._unwritten)

    def write(self, until: Callable[[], bool] = lambda: False) -> None:
        """Writes what has been noted, in order; stops between two batches once `until` holds."""
        self._lease.renew()
        while self._unwritten and not until():
            with uninterrupted():
                batch = self._unwritten[:BATCH]
                trials = self.trials
                # Where writing fails it may have been done nevertheless: writing more could do it twice.
                self._broken = True
                self._writer.write([trials[number] for number in batch])
                self._broken = False
                self._unwritten = self._unwritten[BATCH:]
                self.finished += sum(trials[number].state in FINISHED for number in batch)

    def close(self) -> None:
        """Writes what is left, unless the storage has failed, and gives the study up."""
        if self._broken:
            with contextlib.suppress(Exception):  # the failure itself is already on its way to the user
                self._lease.end()
            return
        self.write()
        self._lease.end()


def interrupted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials to train again: those that failed, but not by an error of their own, and not retried yet."""
    retried = {trial.user_attrs.get("retry_of") for trial in trials}
    return [
        trial
        for trial in trials
        if trial.state == TrialState.FAIL
        and "schedule" in trial.user_attrs
        and "error" not in trial.user_attrs
        and trial.number not in retried
    ]


def _attempts(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> int:
    """How often the trial has been begun, itself included."""
    attempts = 1
    while (before := trial.user_attrs.get("retry_of")) is not None:
        trial = trials[before]
        attempts += 1
    return attempts
