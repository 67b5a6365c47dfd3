"""Bringing trials that are kept in memory into a storage, several at a time.

Optuna's own calls take some 35 statements of its object mapper for a trial; on two cores that are busy
training, that is time taken from the training. A relational storage is written in about six statements for
any number of trials. Other storages, and a schema that is not known here, are written by Optuna's own calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

from sgdr.search.storage.pending_inserts import PendingInserts, Stored
from sgdr.search.storage.statements import by_statements, lock_study, next_number, utc


class Writer(Protocol):
    """Writes the trials of one study."""

    def write(self, trials: Sequence[FrozenTrial], maybe_applied: bool = False) -> set[int]:
        """Makes the storage hold what these trials now are; a new one is added in the order given.

        `maybe_applied`: this may have been done before, in part or in whole. Returns the numbers of those
        that somebody else has ended: nothing of them is written any more.
        """

    def claimed(self, number: int, trial_id: int, attributes: Iterable[str]) -> None:
        """Notes that the storage has this trial already, with these attributes and no parameters."""


def writer(storage: BaseStorage, study_id: int) -> Writer:
    """The fastest writer for that storage."""
    if by_statements(storage):
        return BulkWriter(storage.engine, study_id)
    return CallWriter(storage, study_id)


class CallWriter:
    """Writes to any storage, by Optuna's own calls."""

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self._storage, self._study_id = storage, study_id
        self._stored: dict[int, Stored] = {}

    def claimed(self, number: int, trial_id: int, attributes: Iterable[str]) -> None:
        """See `Writer`."""
        self._stored[number] = Stored(trial_id, begun=False, attributes=set(attributes))

    def write(self, trials: Sequence[FrozenTrial], maybe_applied: bool = False) -> set[int]:
        """See `Writer`. A trial's state is written last: one that counts as finished is whole."""
        lost = set()
        for trial in trials:
            if maybe_applied:
                self._look(trial)
            if trial.number not in self._stored:
                trial_id = self._storage.create_new_trial(self._study_id, template_trial=trial)
                self._stored[trial.number] = Stored(trial_id)
            elif not self._update(trial, self._stored[trial.number]):
                lost.add(trial.number)
            self._stored[trial.number].has(trial)
        return lost

    def _look(self, trial: FrozenTrial) -> None:
        """Reads what the storage has of a trial."""
        try:
            trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, trial.number)
        except KeyError:
            return
        there = self._storage.get_trial(trial_id)
        stored = self._stored.setdefault(trial.number, Stored(trial_id))
        stored.begun = there.params.keys() >= trial.params.keys()
        stored.attributes, stored.epochs = set(there.user_attrs), set(there.intermediate_values)

    def _update(self, trial: FrozenTrial, stored: Stored) -> bool:
        """Whether the trial was still to be written, or is as it was to be."""
        names, epochs = stored.lacks(trial)
        storage = self._storage
        try:
            if not stored.begun:
                for name, note in trial.system_attrs.items():
                    storage.set_trial_system_attr(stored.trial_id, name, note)
                for name, value in trial.params.items():
                    distribution = trial.distributions[name]
                    internal = distribution.to_internal_repr(value)
                    storage.set_trial_param(stored.trial_id, name, internal, distribution)
            for name in names:
                storage.set_trial_user_attr(stored.trial_id, name, trial.user_attrs[name])
            for epoch in epochs:
                storage.set_trial_intermediate_value(stored.trial_id, epoch, trial.intermediate_values[epoch])
            if trial.state.is_finished():
                storage.set_trial_state_values(stored.trial_id, trial.state, trial.values)
        except UpdateFinishedTrialError:
            return storage.get_trial(stored.trial_id).state == trial.state
        return True


class BulkWriter:
    """Writes to Optuna's relational schema, all trials in one transaction."""

    def __init__(self, engine: sa.Engine, study_id: int) -> None:
        self._engine, self._study_id = engine, study_id
        self._stored: dict[int, Stored] = {}

    def claimed(self, number: int, trial_id: int, attributes: Iterable[str]) -> None:
        """See `Writer`."""
        self._stored[number] = Stored(trial_id, begun=False, attributes=set(attributes))

    def write(self, trials: Sequence[FrozenTrial], maybe_applied: bool = False) -> set[int]:
        """See `Writer`. All or nothing."""
        rows = PendingInserts()
        with self._engine.begin() as connection:
            if maybe_applied:
                self._look(connection, trials)
            new = [trial for trial in trials if trial.number not in self._stored]
            old = [trial for trial in trials if trial.number in self._stored]
            ended = self._ended(connection, old)
            lost = {trial.number for trial in old if ended.get(trial.number, trial.state) != trial.state}
            old = [trial for trial in old if trial.number not in ended]
            added = self._insert(connection, new)
            for trial, trial_id in zip(new, added, strict=True):
                rows.add_trial(trial, trial_id)
            for trial in old:
                rows.add_rest(trial, self._stored[trial.number])
            rows.insert(connection)
            self._end(connection, old)
        for trial, trial_id in zip(new, added, strict=True):
            self._stored[trial.number] = Stored(trial_id)
        for trial in trials:
            self._stored[trial.number].has(trial)
        return lost

    def _look(self, connection: sa.Connection, trials: Sequence[FrozenTrial]) -> None:
        """Reads what the storage has of these trials."""
        table = models.TrialModel.__table__.c
        numbers = [trial.number for trial in trials]
        there = sa.select(table.number, table.trial_id).where(
            table.study_id == self._study_id, table.number.in_(numbers)
        )
        for number, trial_id in connection.execute(there).all():
            self._stored[number] = Stored(
                trial_id,
                begun=bool(self._keys(connection, models.TrialParamModel, "param_name", trial_id)),
                attributes=self._keys(connection, models.TrialUserAttributeModel, "key", trial_id),
                epochs=self._keys(connection, models.TrialIntermediateValueModel, "step", trial_id),
            )

    def _keys(self, connection: sa.Connection, model: Any, column: str, trial_id: int) -> set[Any]:
        keys = sa.select(getattr(model, column)).where(model.trial_id == trial_id)
        return set(connection.execute(keys).scalars())

    def _ended(self, connection: sa.Connection, trials: Sequence[FrozenTrial]) -> dict[int, TrialState]:
        """The states of those that are not running any more, by number; nobody can end the others now."""
        if not trials:
            return {}
        if connection.dialect.name == "sqlite":  # it has no lock but that of the whole database
            lock_study(connection, self._study_id)
        table = models.TrialModel.__table__
        ids = {self._stored[trial.number].trial_id: trial.number for trial in trials}
        states = sa.select(table.c.trial_id, table.c.state).where(table.c.trial_id.in_(ids)).with_for_update()
        rows = connection.execute(states).all()
        return {ids[trial_id]: state for trial_id, state in rows if state != TrialState.RUNNING}

    def _insert(self, connection: sa.Connection, trials: Sequence[FrozenTrial]) -> list[int]:
        """Adds the trials themselves; their numbers in the study follow those that there are."""
        if not trials:
            return []
        table = models.TrialModel
        lock_study(connection, self._study_id)
        first = next_number(connection, self._study_id)
        returned = connection.execute(
            sa.insert(table).returning(table.trial_id, sort_by_parameter_order=True),
            [
                {
                    "study_id": self._study_id,
                    "number": first + place,
                    "state": trial.state,
                    "datetime_start": utc(trial.datetime_start),
                    "datetime_complete": utc(trial.datetime_complete),
                }
                for place, trial in enumerate(trials)
            ],
        )
        return list(returned.scalars())

    def _end(self, connection: sa.Connection, trials: Sequence[FrozenTrial]) -> None:
        """Sets the state of those that are finished."""
        table = models.TrialModel.__table__
        ended = [
            {"id": self._stored[t.number].trial_id, "to": t.state, "at": utc(t.datetime_complete)}
            for t in trials
            if t.state.is_finished()
        ]
        if ended:
            change = sa.update(table).where(
                table.c.trial_id == sa.bindparam("id"), table.c.state == TrialState.RUNNING
            )
            change = change.values(state=sa.bindparam("to"), datetime_complete=sa.bindparam("at"))
            connection.execute(change, ended)
