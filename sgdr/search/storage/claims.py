"""Which worker of a study trains what: trials are claimed in its storage before they are begun.

A claim is a trial that is running and has no parameters yet. Storages number trials one after the other, and
by that alone it is settled who has which: no trial is begun twice, and no more than the study needs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, repeat
from typing import Any, Protocol

import sqlalchemy as sa
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial

from sgdr.search.storage.schema import RETRY_OF, STEPS_PER_EPOCH, TRIAL, WITHDRAWN, TrialAttributes
from sgdr.search.storage.statements import attribute_row, by_statements, chunks, lock_study, next_number, utc

LIVE = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
"""States of trials that are finished or may be."""
MANY = 1000
"""Trials that take a moment to be counted."""


@dataclass(frozen=True)
class ClaimedTrial:
    """A trial of one's own."""

    number: int
    trial_id: int
    retry_of: int | None
    enqueued: bool = False
    """Whether it had been waiting, with what somebody wants trained."""


class Claims(Protocol):
    """Claims trials of one study."""

    def claim(self, worker: str, count: int, retries: Sequence[int], most: int) -> list[ClaimedTrial]:
        """Claims at most `count` trials for the worker: of `retries` those that nobody repeats, then those
        that are waiting, then new ones.

        No more than keep the number of trials that are running or finished within `most`.
        """

    def take(self, worker: str, trials: Sequence[int]) -> list[ClaimedTrial]:
        """Takes for the worker those of these trials, by Optuna's id, that are waiting still."""

    def abandon(self, trials: Mapping[int, Mapping[str, Any]]) -> None:
        """Ends as failed those of these trials, by Optuna's id, that are running, and adds attributes."""


def claims(storage: BaseStorage, study_id: int) -> Claims:
    """The best way for that storage."""
    if by_statements(storage):
        return LockedClaims(storage.engine, study_id)
    return NumberedClaims(storage, study_id)


class LockedClaims:
    """Looks and claims in one transaction, in which no other worker of the study can claim."""

    def __init__(self, engine: sa.Engine, study_id: int) -> None:
        self._engine, self._study_id = engine, study_id
        self._settled, self._settled_id = Counter[TrialState](), -1
        """The states of the first trials up to that id, which have all finished."""

    def claim(self, worker: str, count: int, retries: Sequence[int], most: int) -> list[ClaimedTrial]:
        """See `Claims`."""
        table = models.TrialModel
        with self._engine.begin() as connection:
            lock_study(connection, self._study_id)
            counts = self._counts(connection)
            room = min(count, most - sum(counts[state] for state in LIVE))
            if room <= 0:
                return []
            repeated = self._taken(connection, retries)
            again = [number for number in retries if number not in repeated][:room]
            enqueued: list[ClaimedTrial] = []
            if counts[TrialState.WAITING]:
                waiting = self._waiting.order_by(table.number).limit(room - len(again))
                enqueued = self._take(connection, worker, waiting)
            wanted = _wanted(again, room - len(enqueued))
            first, now = next_number(connection, self._study_id), utc(datetime.now())
            rows = [
                {
                    "study_id": self._study_id,
                    "number": first + place,
                    "state": TrialState.RUNNING,
                    "datetime_start": now,
                }
                for place in range(len(wanted))
            ]
            if not rows:
                return enqueued
            insert = sa.insert(table).returning(table.trial_id, sort_by_parameter_order=True)
            ids = list(connection.execute(insert, rows).scalars())
            granted = [
                ClaimedTrial(first + place, ids[place], retry_of) for place, retry_of in enumerate(wanted)
            ]
            attributes = [
                attribute_row(trial.trial_id, name, value)
                for trial in granted
                for name, value in _attributes(worker, trial.retry_of).items()
            ]
            connection.execute(sa.insert(models.TrialUserAttributeModel), attributes)
        return [*granted[: len(again)], *enqueued, *granted[len(again) :]]

    def take(self, worker: str, trials: Sequence[int]) -> list[ClaimedTrial]:
        """See `Claims`."""
        table = models.TrialModel
        with self._engine.begin() as connection:
            lock_study(connection, self._study_id)
            waiting = self._waiting.where(table.trial_id.in_(trials)).order_by(table.number)
            return self._take(connection, worker, waiting)

    @property
    def _waiting(self) -> sa.Select[tuple[int, int]]:
        """The id and the number of the trials that are waiting."""
        table = models.TrialModel
        mine = table.study_id == self._study_id
        return sa.select(table.trial_id, table.number).where(mine, table.state == TrialState.WAITING)

    def _take(
        self, connection: sa.Connection, worker: str, waiting: sa.Select[tuple[int, int]]
    ) -> list[ClaimedTrial]:
        """Takes those trials. They lose what is written again when they are begun."""
        table, attribute = models.TrialModel, models.TrialUserAttributeModel
        granted = [
            ClaimedTrial(row.number, row.trial_id, retry_of=None, enqueued=True)
            for row in connection.execute(waiting)
        ]
        ids = [trial.trial_id for trial in granted]
        if not ids:
            return []
        begun = {"state": TrialState.RUNNING, "datetime_start": utc(datetime.now())}
        connection.execute(sa.update(table).where(table.trial_id.in_(ids)).values(begun))
        written = attribute.key.in_(TRIAL) & (attribute.key != STEPS_PER_EPOCH)  # a trial need not say those
        connection.execute(sa.delete(attribute).where(attribute.trial_id.in_(ids), written))
        params = models.TrialParamModel
        connection.execute(sa.delete(params).where(params.trial_id.in_(ids)))
        attributes = TrialAttributes(worker=worker, enqueued=True).to_attrs()
        rows = [attribute_row(trial_id, name, attributes[name]) for trial_id in ids for name in attributes]
        connection.execute(sa.insert(attribute), rows)
        return granted

    def _counts(self, connection: sa.Connection) -> Counter[TrialState]:
        """How many trials there are, by state. Many that are settled are not counted again."""
        table = models.TrialModel
        states = (
            sa.select(table.state, sa.func.count(), sa.func.min(table.trial_id), sa.func.max(table.trial_id))
            .where(table.study_id == self._study_id, table.trial_id > self._settled_id)
            .group_by(table.state)
        )
        rows = connection.execute(states).all()
        counts = self._settled + Counter({state: number for state, number, _, _ in rows})
        if sum(number for _, number, _, _ in rows) > MANY:
            until = min(
                (first for state, _, first, _ in rows if not state.is_finished()),
                default=1 + max(last for _, _, _, last in rows),
            )
            settled = connection.execute(states.where(table.trial_id < until)).all()
            self._settled += Counter({state: number for state, number, _, _ in settled})
            self._settled_id = until - 1
        return counts

    def _taken(self, connection: sa.Connection, retries: Sequence[int]) -> set[int]:
        """The numbers of trials that are repeated already: a trial is repeated by a later one."""
        if not retries:
            return set()
        trial, attribute = models.TrialModel, models.TrialUserAttributeModel
        other = sa.orm.aliased(attribute)
        withdrawn = sa.exists().where(other.trial_id == attribute.trial_id, other.key == WITHDRAWN)
        repeated = (
            sa.select(attribute.value_json)
            .join(trial, trial.trial_id == attribute.trial_id)
            .where(trial.study_id == self._study_id, trial.number > min(retries), attribute.key == RETRY_OF)
            .where(~withdrawn)
        )
        return {json.loads(text) for text in connection.execute(repeated).scalars()}

    def abandon(self, trials: Mapping[int, Mapping[str, Any]]) -> None:
        """See `Claims`."""
        with self._engine.begin() as connection:
            lock_study(connection, self._study_id)
            for some in chunks(list(trials)):
                self._abandon(connection, {trial_id: trials[trial_id] for trial_id in some})

    def _abandon(self, connection: sa.Connection, trials: Mapping[int, Mapping[str, Any]]) -> None:
        table = models.TrialModel.__table__
        running = (
            sa.select(table.c.trial_id)
            .where(table.c.trial_id.in_(trials), table.c.state == TrialState.RUNNING)
            .with_for_update()
        )
        ids = list(connection.execute(running).scalars())
        attributes = [
            attribute_row(trial_id, name, value)
            for trial_id in ids
            for name, value in trials[trial_id].items()
        ]
        if attributes:
            connection.execute(sa.insert(models.TrialUserAttributeModel), attributes)
        if ids:
            change = sa.update(table).where(table.c.trial_id.in_(ids))
            connection.execute(change.values(state=TrialState.FAIL, datetime_complete=utc(datetime.now())))


class NumberedClaims:
    """Claims first and looks afterwards: of two that are one too many, the one with the lower number stays.

    By Optuna's own calls, so for every storage. A claim that is withdrawn stays behind as a failed trial;
    it comes about only where two workers claim the last trials at the same moment. Waiting trials are
    the exception: two workers that take the last of them at the same moment may have one too many.
    """

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self._storage, self._study_id = storage, study_id
        self._settled, self._settled_live = 0, 0
        """The first so many trials have all finished, so many of them as was asked for."""

    def claim(self, worker: str, count: int, retries: Sequence[int], most: int) -> list[ClaimedTrial]:
        """See `Claims`."""
        granted: list[ClaimedTrial] = []
        trials = self._trials()
        for retry_of in chain(retries, repeat(None)):
            if len(granted) == count or self._live(trials) >= most:
                break
            if retry_of is None:
                waiting = (trial._trial_id for trial in trials if trial.state == TrialState.WAITING)
                takes = (self.take(worker, [trial_id]) for trial_id in waiting)
                enqueued = next(filter(None, takes), None)
                if enqueued is not None:
                    granted += enqueued
                    trials = self._trials()
                    continue
            if retry_of is not None and _repeats(trials, retry_of):
                continue
            template = create_trial(state=TrialState.RUNNING, user_attrs=_attributes(worker, retry_of))
            trial_id = self._storage.create_new_trial(self._study_id, template_trial=template)
            number = self._storage.get_trial_number_from_id(trial_id)
            trials = self._trials()
            before = trials[:number]
            if self._live(before) >= most or (retry_of is not None and _repeats(before, retry_of)):
                self.abandon({trial_id: {WITHDRAWN: True}})
            else:
                granted.append(ClaimedTrial(number, trial_id, retry_of))
        return granted

    def take(self, worker: str, trials: Sequence[int]) -> list[ClaimedTrial]:
        """See `Claims`. Two workers may come to the same trial: the storage lets one of them begin it."""
        granted: list[ClaimedTrial] = []
        for trial_id in trials:
            with suppress(UpdateFinishedTrialError):
                if self._storage.set_trial_state_values(trial_id, TrialState.RUNNING):
                    for name, value in TrialAttributes(worker=worker, enqueued=True).to_attrs().items():
                        self._storage.set_trial_user_attr(trial_id, name, value)
                    number = self._storage.get_trial_number_from_id(trial_id)
                    granted.append(ClaimedTrial(number, trial_id, None, True))
        return granted

    def _trials(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study_id, deepcopy=False)

    def _live(self, trials: Sequence[FrozenTrial]) -> int:
        """How many of the first trials are running or finished; settled ones are not counted again."""
        while self._settled < len(trials) and trials[self._settled].state.is_finished():
            self._settled_live += trials[self._settled].state in LIVE
            self._settled += 1
        return self._settled_live + sum(trial.state in LIVE for trial in trials[self._settled :])

    def abandon(self, trials: Mapping[int, Mapping[str, Any]]) -> None:
        """See `Claims`."""
        for trial_id, attributes in trials.items():
            with suppress(UpdateFinishedTrialError):
                for name, value in attributes.items():
                    self._storage.set_trial_user_attr(trial_id, name, value)
                self._storage.set_trial_state_values(trial_id, TrialState.FAIL)


def _wanted(retries: Sequence[int], count: int) -> list[int | None]:
    return [*retries, *repeat(None, count)][:count]


def _attributes(worker: str, retry_of: int | None) -> dict[str, Any]:
    return TrialAttributes(worker=worker, retry_of=retry_of).to_attrs()


def _repeats(trials: Sequence[FrozenTrial], number: int) -> bool:
    """Whether one of the first trials repeats that one, which comes before it."""
    return any(
        trial.user_attrs.get(RETRY_OF) == number and WITHDRAWN not in trial.user_attrs
        for trial in trials[number + 1 :]
    )
