"""Which trials of a study are its sweep's: anybody may add others to a study by Optuna's own calls.

A foreign trial is one that a sweep did not begin, or whose attributes are no longer what a sweep writes. It
is shown, and it is left out of everything that needs a schedule, a seed or a curve.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from optuna.trial import FrozenTrial, TrialState

from sgdr import relatives
from sgdr.schedule import WarmRestarts
from sgdr.search.storage.schema import BEGUN, EPOCHS, FORMS, SEED, WORKER, Attrs, StudyAttributes
from sgdr.shapes import SHAPES
from sgdr.warmup import unwarmed

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
"""The states of trials that count: others were cut off, failed, or have not ended."""


def is_foreign(trial: FrozenTrial, study: StudyAttributes | None) -> bool:
    """Whether a trial is not of the sweep whose study that is; None: of a study that does not say it yet.

    A trial that waits is nobody's yet. One that was claimed and not begun has a worker and no schedule.
    """
    attributes = trial.user_attrs
    if trial.state == TrialState.WAITING:
        return False
    if any(not isinstance(attributes[name], form) for name, form in FORMS.items() if name in attributes):
        return True
    if not trial.state.is_finished() or trial.state == TrialState.FAIL:
        if BEGUN not in attributes:
            return WORKER not in attributes
        return not _is_begun(attributes)
    if not _is_begun(attributes) or not _has_trained(trial, study):
        return True
    return trial.state == TrialState.COMPLETE and not _has_value(trial)


def _is_begun(attributes: Attrs) -> bool:
    """Whether these are attributes with which a sweep begins a trial."""
    schedule = attributes.get(BEGUN)
    if not isinstance(schedule, Mapping) or attributes.get(SEED, -1) < 0:
        return False
    try:
        read, _ = unwarmed(relatives.from_dict(schedule))
    except ValueError:
        return False
    return isinstance(read, WarmRestarts) or getattr(read, "kind", None) in SHAPES


def _has_trained(trial: FrozenTrial, study: StudyAttributes | None) -> bool:
    """Whether it has the workload's own values, and epochs within the budget where it names their number."""
    epochs: int = trial.user_attrs.get(EPOCHS, 0)
    if study is None:
        return epochs >= 0
    return 0 <= epochs <= study.budget and trial.params.keys() >= study.space["hparams"].keys()


def _has_value(trial: FrozenTrial) -> bool:
    return trial.values is not None and len(trial.values) == 1 and math.isfinite(trial.values[0])
