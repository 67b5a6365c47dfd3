"""What a storage lacks of trials, as rows of Optuna's relational schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial

from sgdr.search.storage.schema import BEGUN, STEPS_PER_EPOCH
from sgdr.search.storage.statements import attribute_row


@dataclass
class Stored:
    """What the storage has of a trial."""

    trial_id: int
    begun: bool = True
    """Whether it has its parameters; without, it is only claimed."""
    attributes: set[str] = field(default_factory=set)
    epochs: set[int] = field(default_factory=set)

    def lacks(self, trial: FrozenTrial) -> tuple[list[str], list[int]]:
        """The user attributes and the epochs of values that are not stored."""
        names = sorted(trial.user_attrs.keys() - self.attributes, key=lambda name: (name == BEGUN, name))
        return names, sorted(trial.intermediate_values.keys() - self.epochs)

    def has(self, trial: FrozenTrial) -> None:
        """Notes that all of the trial is stored."""
        self.begun = True
        self.attributes, self.epochs = set(trial.user_attrs), set(trial.intermediate_values)


class PendingInserts:
    """Rows of the tables that belong to trials."""

    def __init__(self) -> None:
        self._params: list[dict[str, Any]] = []
        self._user: list[dict[str, Any]] = []
        self._system: list[dict[str, Any]] = []
        self._intermediate: list[dict[str, Any]] = []
        self._values: list[dict[str, Any]] = []

    def add_trial(self, trial: FrozenTrial, trial_id: int) -> None:
        """All that belongs to a trial which is new."""
        self.add_rest(trial, Stored(trial_id, begun=False))

    def add_rest(self, trial: FrozenTrial, stored: Stored) -> None:
        """What has come to a trial since it was stored."""
        if not stored.begun:
            self._add_start(trial, stored.trial_id)
        names, epochs = stored.lacks(trial)
        self._user += [attribute_row(stored.trial_id, name, trial.user_attrs[name]) for name in names]
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

    def _add_start(self, trial: FrozenTrial, trial_id: int) -> None:
        """What does not change any more once it is begun."""
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
            self._system.append(attribute_row(trial_id, name, value))

    def insert(self, connection: sa.Connection) -> None:
        """Adds all rows."""
        attribute = models.TrialUserAttributeModel
        if said := [row["trial_id"] for row in self._user if row["key"] == STEPS_PER_EPOCH]:
            # An enqueued trial may have come with others.
            there = attribute.trial_id.in_(said) & (attribute.key == STEPS_PER_EPOCH)
            connection.execute(sa.delete(attribute).where(there))
        for table, rows in (
            (models.TrialParamModel, self._params),
            (attribute, self._user),
            (models.TrialSystemAttributeModel, self._system),
            (models.TrialIntermediateValueModel, self._intermediate),
            (models.TrialValueModel, self._values),
        ):
            if rows:
                connection.execute(sa.insert(table), rows)


@lru_cache(maxsize=256)
def _json(distribution: BaseDistribution) -> str:
    return distribution_to_json(distribution)
