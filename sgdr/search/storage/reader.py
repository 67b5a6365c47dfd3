"""Bringing a study from its storage into memory, and later only what is new since.

Optuna's own calls make an object of every row, and most of what they read is curves, which few readers want.
A relational storage is read by plain selects, without curves. Other storages, and a schema that is not known
here, are read by Optuna's own calls.

Writers write what belongs to a trial before its state, or together with it. So states are read first: a trial
that is seen as finished is seen whole, also where every statement sees what was committed before it.
"""

from __future__ import annotations

import copy
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial

from sgdr.search.storage import statements
from sgdr.search.storage.own_trials import is_foreign
from sgdr.search.storage.schema import CURVE, StudyAttributes, is_readable
from sgdr.search.storage.statements import by_statements, chunks, local

Curve = dict[str, list[float]]
"""The values of a trial by name, one an epoch."""


@dataclass(frozen=True)
class Content:
    """What has been read of a study; it is not changed any more."""

    attributes: dict[str, Any] = field(default_factory=dict)
    trials: list[FrozenTrial] = field(default_factory=list)
    """The trials by number, without curves and intermediate values."""
    unfinished: Mapping[int, int] = field(default_factory=dict)
    """The places in `trials` of those that may still change, by Optuna's id."""
    foreign: frozenset[int] = frozenset()
    """Optuna's ids of the trials that are not the sweep's (see `own_trials`)."""

    @cached_property
    def stored(self) -> StudyAttributes:
        """The attributes of a sweep's study. Raises ValueError where they cannot be read."""
        return StudyAttributes.from_attrs(self.attributes)

    @property
    def own(self) -> list[FrozenTrial]:
        """The trials without the foreign ones, by number."""
        return [trial for trial in self.trials if trial._trial_id not in self.foreign]

    @property
    def last_id(self) -> int:
        """Optuna's id of the last trial: those that come later have higher ones."""
        return self.trials[-1]._trial_id if self.trials else -1

    @property
    def witness(self) -> FrozenTrial | None:
        """A trial whose start will never change, by which the study is known from another with its ids:
        SQLite gives those of a deleted one out again."""
        return next((trial for trial in self.trials if trial.datetime_start is not None), None)

    def updated(self, attributes: dict[str, Any], read: Iterable[FrozenTrial]) -> Content:
        """This content with trials that were read again or have come, itself where nothing is different."""
        trials, unfinished, foreign = list(self.trials), dict(self.unfinished), set(self.foreign)
        changed = attributes != self.attributes
        study = StudyAttributes.from_attrs(attributes) if is_readable(attributes) else None
        for trial in read:
            place = self.unfinished.get(trial._trial_id, len(trials))
            if place == len(trials):
                trials.append(trial)
            elif trials[place] == trial:
                continue
            trials[place] = trial
            changed = True
            (foreign.add if is_foreign(trial, study) else foreign.discard)(trial._trial_id)
            if trial.state.is_finished():
                unfinished.pop(trial._trial_id, None)
            else:
                unfinished[trial._trial_id] = place
        return Content(attributes, trials, unfinished, frozenset(foreign)) if changed else self


class Reader(Protocol):
    """Reads one study."""

    def read(self, before: Content) -> Content:
        """What the study holds, `before` itself where that is still it.

        Raises KeyError when the study is not there any more, or another has come in its place.
        """

    def curves(self, trials: Sequence[FrozenTrial]) -> Iterator[tuple[int, Curve]]:
        """The number and the curve of those of the trials that are there and have one, in their order."""

    def reports(self, trials: Sequence[FrozenTrial]) -> dict[int, dict[int, float]]:
        """What was reported of these trials, by number and by epoch, where anything was."""


def reader(storage: BaseStorage, study_id: int) -> Reader:
    """The fastest reader for that storage."""
    if by_statements(storage):
        return BulkReader(storage.engine, study_id)
    return CallReader(storage, study_id)


class CallReader:
    """Reads any storage, by Optuna's own calls."""

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self._storage, self._study_id = storage, study_id

    def read(self, before: Content) -> Content:
        """See `Reader`. How much it transfers is up to the storage."""
        attributes = dict(self._storage.get_study_user_attrs(self._study_id))
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        last = before.last_id
        new = [trial for trial in trials if trial._trial_id > last or trial._trial_id in before.unfinished]
        content = before.updated(attributes, map(_without_curve, new))
        if (witness := content.witness) is not None:
            trial = self._storage.get_trial(witness._trial_id)
            if (trial.number, trial.datetime_start) != (witness.number, witness.datetime_start):
                raise KeyError(self._study_id)
        return content

    def curves(self, trials: Sequence[FrozenTrial]) -> Iterator[tuple[int, Curve]]:
        """See `Reader`."""
        for trial in trials:
            with suppress(KeyError):
                stored = self._storage.get_trial(trial._trial_id)
                if stored.datetime_start == trial.datetime_start:
                    yield trial.number, stored.user_attrs[CURVE]

    def reports(self, trials: Sequence[FrozenTrial]) -> dict[int, dict[int, float]]:
        """See `Reader`."""
        reports = {}
        for trial in trials:
            with suppress(KeyError):
                reports[trial.number] = dict(self._storage.get_trial(trial._trial_id).intermediate_values)
        return {number: values for number, values in reports.items() if values}


def _without_curve(trial: FrozenTrial) -> FrozenTrial:
    head = copy.copy(trial)
    # A storage in memory goes on writing into the trials that it gives.
    head.params, head.distributions = dict(trial.params), dict(trial.distributions)
    head.system_attrs = dict(trial.system_attrs)
    head.user_attrs = {name: value for name, value in trial.user_attrs.items() if name != CURVE}
    head.intermediate_values = {}
    return head


class BulkReader:
    """Reads Optuna's relational schema by a few selects for many trials."""

    def __init__(self, engine: sa.Engine, study_id: int) -> None:
        self._engine, self._study_id = engine, study_id

    def read(self, before: Content) -> Content:
        """See `Reader`. The states come first, the witness last: what is between is of the same study."""
        with self._engine.connect() as connection:
            heads = self._heads(connection, before)
            attributes = dict(_parsed(connection.execute(statements.STUDY, {"study": self._study_id})))
            content = before.updated(attributes, _trials(connection, heads))
            if (witness := content.witness) is not None:
                known = {"id": witness._trial_id, "study": self._study_id, "number": witness.number}
                if local(connection.execute(statements.START, known).scalar()) != witness.datetime_start:
                    raise KeyError(self._study_id)
        return content

    def _heads(self, connection: sa.Connection, before: Content) -> list[Any]:
        """The id, number, state, start and end, in UTC, of trials that are new or may have changed."""
        again = [
            head
            for ids in chunks(list(before.unfinished))
            for head in connection.execute(statements.AGAIN, {"ids": ids, "study": self._study_id})
        ]
        if len(again) < len(before.unfinished):
            raise KeyError(self._study_id)
        new = connection.execute(statements.NEW, {"study": self._study_id, "last": before.last_id})
        return [*again, *new]

    def curves(self, trials: Sequence[FrozenTrial]) -> Iterator[tuple[int, Curve]]:
        """See `Reader`. No connection is held between two chunks."""
        for chunk in chunks(trials):
            with self._engine.connect() as connection:
                rows = connection.execute(
                    statements.CURVES, {"ids": [trial._trial_id for trial in chunk]}
                ).all()
            texts = {trial_id: (local(start), text) for trial_id, start, text in rows}
            for trial in chunk:
                start, text = texts.pop(trial._trial_id, (None, None))
                if text is not None and start == trial.datetime_start:
                    yield trial.number, json.loads(text)

    def reports(self, trials: Sequence[FrozenTrial]) -> dict[int, dict[int, float]]:
        """See `Reader`."""
        read = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
        numbers = {trial._trial_id: trial.number for trial in trials}
        reports: dict[int, dict[int, float]] = defaultdict(dict)
        for ids in chunks(list(numbers)):
            with self._engine.connect() as connection:
                for trial_id, epoch, value, kind in connection.execute(statements.REPORTS, {"ids": ids}):
                    reports[numbers[trial_id]][epoch] = read(value, kind)
        return dict(reports)


def _trials(connection: sa.Connection, heads: Sequence[Any]) -> Iterator[FrozenTrial]:
    """All of these trials but their curves."""
    for chunk in chunks(heads):
        ids = {"ids": [head[0] for head in chunk]}
        params: dict[int, dict[str, Any]] = defaultdict(dict)
        distributions: dict[int, dict[str, BaseDistribution]] = defaultdict(dict)
        for trial_id, name, value, text in connection.execute(statements.PARAMS, ids):
            known = sys.intern(name)
            distribution = distributions[trial_id][known] = _distribution(text)
            params[trial_id][known] = distribution.to_external_repr(value)
        user = _attributes(connection.execute(statements.USER, ids))
        system = _attributes(connection.execute(statements.SYSTEM, ids))
        values: dict[int, list[float]] = defaultdict(list)
        if any(head.state.is_finished() for head in chunk):
            for trial_id, value, kind in connection.execute(statements.VALUES, ids):
                values[trial_id].append(models.TrialValueModel.stored_repr_to_value(value, kind))
        for trial_id, number, state, start, complete in chunk:
            yield FrozenTrial(
                number=number,
                state=state,
                value=None,
                values=values.get(trial_id),
                datetime_start=local(start),
                datetime_complete=local(complete),
                params=params.get(trial_id, {}),
                distributions=distributions.get(trial_id, {}),
                user_attrs=user.get(trial_id, {}),
                system_attrs=system.get(trial_id, {}),
                intermediate_values={},
                trial_id=trial_id,
            )


def _attributes(rows: Iterable[Any]) -> dict[int, dict[str, Any]]:
    """The attributes of each trial, by its id, from rows of that id, a name and a text."""
    attributes: dict[int, dict[str, Any]] = defaultdict(dict)
    for trial_id, name, text in rows:
        attributes[trial_id][sys.intern(name)] = json.loads(text)
    return attributes


def _parsed(rows: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    return ((name, json.loads(text)) for name, text in rows)


@lru_cache(maxsize=256)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


class OpenedFile:
    """The file of a SQLite storage: connections go on reading it when another has come in its place."""

    def __init__(self, storage: BaseStorage) -> None:
        self._path: Path | None = None
        if isinstance(storage, RDBStorage) and storage.engine.dialect.name == "sqlite":
            self._path = Path(str(storage.engine.url.database)).absolute()
        self._opened = self._identity()

    def check(self) -> None:
        """Raises KeyError when the path does not lead to it any more; never for other storages."""
        if self._identity() != self._opened:
            raise KeyError(self._path)

    def _identity(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        with suppress(FileNotFoundError):
            status = self._path.stat()
            # The number of a file that is deleted is not given out again while a connection holds it open.
            return status.st_dev, status.st_ino
        return None
