"""Statements of our own on Optuna's relational schema, and where they may be used.

Optuna's own calls take many statements of its object mapper for a trial; these take one for many trials.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeGuard, TypeVar

import sqlalchemy as sa
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models

from sgdr.search.storage.schema import CURVE

KNOWN_SCHEMA = 12
CHUNK = 500
"""Trials that one statement reads: some builds of SQLite take no more than 999 variables."""

Item = TypeVar("Item")


def by_statements(storage: BaseStorage) -> TypeGuard[RDBStorage]:
    """Whether statements of our own may be used: of a schema and for a database that are known."""
    return (
        isinstance(storage, RDBStorage)
        and models.SCHEMA_VERSION == KNOWN_SCHEMA
        and storage.engine.dialect.name in ("sqlite", "postgresql")
    )


def lock_study(connection: sa.Connection, study_id: int) -> None:
    """Makes workers of a study take their numbers one after the other, as Optuna's own calls do."""
    table = models.StudyModel.__table__
    mine = table.c.study_id == study_id
    if connection.dialect.name == "sqlite":
        # An update that changes nothing takes the lock, which a select would leave to be had by others.
        connection.execute(sa.update(table).where(mine).values(study_id=study_id))
    else:
        connection.execute(sa.select(table.c.study_id).where(mine).with_for_update())


def next_number(connection: sa.Connection, study_id: int) -> int:
    """The number of the next trial of a study: where some were deleted by hand, not how many there are."""
    table = models.TrialModel
    last = sa.select(table.number).where(table.study_id == study_id).order_by(table.trial_id.desc()).limit(1)
    number: int | None = connection.execute(last).scalar()
    return 0 if number is None else number + 1


def utc(local: datetime | None) -> datetime | None:
    """Optuna's trials have local times, its relational schema those of UTC; neither says so."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def local(utc: datetime | None) -> datetime | None:
    """The time as Optuna gives it: without a zone, in that of this machine."""
    return None if utc is None else utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items, as many at a time as one statement takes."""
    return (items[first : first + CHUNK] for first in range(0, len(items), CHUNK))


def attribute_row(trial_id: int, name: str, value: Any) -> dict[str, Any]:
    """The row of a user or system attribute."""
    return {"trial_id": trial_id, "key": name, "value_json": json.dumps(value)}


_ids: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_trial = models.TrialModel.__table__.c
_attribute = models.TrialUserAttributeModel.__table__.c
_note = models.TrialSystemAttributeModel.__table__.c
_param = models.TrialParamModel.__table__.c
_value = models.TrialValueModel.__table__.c
_report = models.TrialIntermediateValueModel.__table__.c
_study = models.StudyUserAttributeModel.__table__.c

# Built once: building a statement takes longer than running it.
_HEAD = sa.select(
    _trial.trial_id, _trial.number, _trial.state, _trial.datetime_start, _trial.datetime_complete
).where(_trial.study_id == sa.bindparam("study"))
NEW = _HEAD.where(_trial.trial_id > sa.bindparam("last")).order_by(_trial.trial_id)
AGAIN = _HEAD.where(_trial.trial_id.in_(_ids))
START = sa.select(_trial.datetime_start).where(
    _trial.trial_id == sa.bindparam("id"),
    _trial.study_id == sa.bindparam("study"),
    _trial.number == sa.bindparam("number"),
)
STUDY = sa.select(_study.key, _study.value_json).where(_study.study_id == sa.bindparam("study"))
USER = sa.select(_attribute.trial_id, _attribute.key, _attribute.value_json).where(
    _attribute.trial_id.in_(_ids), _attribute.key != CURVE
)
SYSTEM = sa.select(_note.trial_id, _note.key, _note.value_json).where(_note.trial_id.in_(_ids))
PARAMS = (
    sa.select(_param.trial_id, _param.param_name, _param.param_value, _param.distribution_json)
    .where(_param.trial_id.in_(_ids))
    .order_by(_param.param_id)
)
VALUES = (
    sa.select(_value.trial_id, _value.value, _value.value_type)
    .where(_value.trial_id.in_(_ids))
    .order_by(_value.trial_id, _value.objective)
)
REPORTS = sa.select(
    _report.trial_id, _report.step, _report.intermediate_value, _report.intermediate_value_type
).where(_report.trial_id.in_(_ids))
CURVES = (
    sa.select(_trial.trial_id, _trial.datetime_start, _attribute.value_json)
    .where(_attribute.trial_id == _trial.trial_id, _attribute.key == CURVE)
    .where(_attribute.trial_id.in_(_ids))
)
