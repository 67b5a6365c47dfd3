"""Bringing trials that are kept in memory into a storage, several at a time.

Optuna's own calls take some 35 statements of its object mapper for a trial; on two cores that are busy
training, that is time taken from the training. A relational storage is written in about six statements for
any number of trials. Other storages, and a schema that is not known here, are written by Optuna's own calls.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

KNOWN_SCHEMA = 12


class Writer(Protocol):
    """Writes the trials of one study."""

    def write(self, trials: Sequence[FrozenTrial]) -> None:
        """Makes the storage hold what these trials now are; a new one is added in the order given."""


def writer(storage: BaseStorage, study_id: int) -> Writer:
    """The fastest writer for that storage."""
    if isinstance(storage, RDBStorage) and models.SCHEMA_VERSION == KNOWN_SCHEMA:
        return BulkWriter(storage.engine, study_id)
    return CallWriter(storage, study_id)


@dataclass
class _Stored:
    """What the storage has of a trial."""

    trial_id: int
    attributes: set[str] = field(default_factory=set)
    epochs: set[int] = field(default_factory=set)
    ended: bool = False

    def lacks(self, trial: FrozenTrial) -> tuple[list[str], list[int]]:
        """The user attributes and the epochs of values that are not stored."""
        epochs = trial.intermediate_values.keys() - self.epochs
        return sorted(trial.user_attrs.keys() - self.attributes), sorted(epochs)

    def has(self, trial: FrozenTrial) -> None:
        """Notes that all of the trial is stored."""
        self.attributes, self.epochs = set(trial.user_attrs), set(trial.intermediate_values)
        self.ended = trial.state.is_finished()


class CallWriter:
    """Writes to any storage, by Optuna's own calls."""

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self._storage, self._study_id = storage, study_id
        self._stored: dict[int, _Stored] = {}

    def write(self, trials: Sequence[FrozenTrial]) -> None:
        """See `Writer`. A trial's state is written last: one that counts as finished is whole."""
        for trial in trials:
            if trial.number not in self._stored:
                trial_id = self._storage.create_new_trial(self._study_id, template_trial=trial)
                self._stored[trial.number] = _Stored(trial_id)
            else:
                self._update(trial, self._stored[trial.number])
            self._stored[trial.number].has(trial)

    def _update(self, trial: FrozenTrial, stored: _Stored) -> None:
        names, epochs = stored.lacks(trial)
        for name in names:
            self._storage.set_trial_user_attr(stored.trial_id, name, trial.user_attrs[name])
        for epoch in epochs:
            value = trial.intermediate_values[epoch]
            self._storage.set_trial_intermediate_value(stored.trial_id, epoch, value)
        if trial.state.is_finished() and not stored.ended:  # written, before the rest of its batch failed
            self._storage.set_trial_state_values(stored.trial_id, trial.state, trial.values)


class BulkWriter:
    """Writes to Optuna's relational schema, all trials in one transaction."""

    def __init__(self, engine: sa.Engine, study_id: int) -> None:
        self._engine, self._study_id = engine, study_id
        self._stored: dict[int, _Stored] = {}

    def write(self, trials: Sequence[FrozenTrial]) -> None:
        """See `Writer`. All or nothing."""
        new = [trial for trial in trials if trial.number not in self._stored]
        old = [trial for trial in trials if trial.number in self._stored]
        rows = _Rows()
        with self._engine.begin() as connection:
            added = self._insert(connection, new)
            for trial, trial_id in zip(new, added, strict=True):
                rows.add_trial(trial, trial_id)
            for trial in old:
                rows.add_rest(trial, self._stored[trial.number])
            rows.insert(connection)
            self._end(connection, old)
        for trial, trial_id in zip(new, added, strict=True):
            self._stored[trial.number] = _Stored(trial_id)
        for trial in trials:
            self._stored[trial.number].has(trial)

    def _insert(self, connection: sa.Connection, trials: Sequence[FrozenTrial]) -> list[int]:
        """Adds the trials themselves; their numbers in the study follow those that there are."""
        if not trials:
            return []
        table, study = models.TrialModel, models.StudyModel
        # Two workers of a study take their numbers one after the other, as in Optuna's own calls.
        lock = sa.select(study.study_id).where(study.study_id == self._study_id).with_for_update()
        connection.execute(lock)
        count = sa.select(sa.func.count()).where(table.study_id == self._study_id)
        first = connection.execute(count).scalar_one()
        returned = connection.execute(
            sa.insert(table).returning(table.trial_id, sort_by_parameter_order=True),
            [
                {
                    "study_id": self._study_id,
                    "number": first + place,
                    "state": trial.state,
                    "datetime_start": _utc(trial.datetime_start),
                    "datetime_complete": _utc(trial.datetime_complete),
                }
                for place, trial in enumerate(trials)
            ],
        )
        return list(returned.scalars())

    def _end(self, connection: sa.Connection, trials: Sequence[FrozenTrial]) -> None:
        """Sets the state of those that are finished."""
        table = models.TrialModel.__table__
        ended = [
            {"id": self._stored[t.number].trial_id, "to": t.state, "at": _utc(t.datetime_complete)}
            for t in trials
            if t.state.is_finished()
        ]
        if ended:
            change = sa.update(table).where(
                table.c.trial_id == sa.bindparam("id"), table.c.state == TrialState.RUNNING
            )
            change = change.values(state=sa.bindparam("to"), datetime_complete=sa.bindparam("at"))
            connection.execute(change, ended)


def _utc(local: datetime | None) -> datetime | None:
    """Optuna's trials have local times, its relational schema those of UTC; neither says so."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


class _Rows:
    """Rows of the tables that belong to trials."""

    def __init__(self) -> None:
        self._params: list[dict[str, Any]] = []
        self._user: list[dict[str, Any]] = []
        self._system: list[dict[str, Any]] = []
        self._intermediate: list[dict[str, Any]] = []
        self._values: list[dict[str, Any]] = []

    def add_trial(self, trial: FrozenTrial, trial_id: int) -> None:
        """All that belongs to a trial which is new."""
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            self._params.append(
                {
                    "trial_id": trial_id,
                    "param_name": name,
                    "param_value": distribution.to_internal_repr(value),
                    "distribution_json": _json(distribution),
                }
            )
        for name, value in trial.system_attrs.items():
            self._system.append(_attribute(trial_id, name, value))
        self.add_rest(trial, _Stored(trial_id))

    def add_rest(self, trial: FrozenTrial, stored: _Stored) -> None:
        """What has come to a trial since it was stored."""
        names, epochs = stored.lacks(trial)
        self._user += [_attribute(stored.trial_id, name, trial.user_attrs[name]) for name in names]
        for epoch in epochs:
            represent = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
            value, kind = represent(trial.intermediate_values[epoch])
            self._intermediate.append(
                {
                    "trial_id": stored.trial_id,
                    "step": epoch,
                    "intermediate_value": value,
                    "intermediate_value_type": kind,
                }
            )
        for objective, worth in enumerate(trial.values or () if trial.state.is_finished() else ()):
            stored_value, value_type = models.TrialValueModel.value_to_stored_repr(worth)
            self._values.append(
                {
                    "trial_id": stored.trial_id,
                    "objective": objective,
                    "value": stored_value,
                    "value_type": value_type,
                }
            )

    def insert(self, connection: sa.Connection) -> None:
        """Adds all rows."""
        for table, rows in (
            (models.TrialParamModel, self._params),
            (models.TrialUserAttributeModel, self._user),
            (models.TrialSystemAttributeModel, self._system),
            (models.TrialIntermediateValueModel, self._intermediate),
            (models.TrialValueModel, self._values),
        ):
            if rows:
                connection.execute(sa.insert(table), rows)


def _attribute(trial_id: int, name: str, value: Any) -> dict[str, Any]:
    return {"trial_id": trial_id, "key": name, "value_json": json.dumps(value)}


@lru_cache(maxsize=256)
def _json(distribution: BaseDistribution) -> str:
    return distribution_to_json(distribution)
