"""Values are kept as they were reported: a function's in float64, those of float32 in its digits."""

import csv
import io
import json

import numpy as np
import pytest
from optuna.storages import InMemoryStorage, RDBStorage

from sgdr.search.backend.curves import Curves
from sgdr.search.backend.slots import FINITE
from sgdr.search.problem.declaration import Declaration
from sgdr.search.study.study import Study
from sgdr.search.sweeps.coordinator import AloneCoordinator, Begun
from sgdr.search.sweeps.create_study import create_study
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.session import places, run
from tests.search_loop import settings_of

EXACT = [1e39, 16777217.0, 0.1 + 1e-12, float(np.float32(0.1)), 5e-324]
"""What float32 does not hold, but for the fourth, which has other digits there."""


class Reporting:
    """Slots whose trials all report these values."""

    slots = 1
    longest_call = 20

    def __init__(self, values, dtype):
        self._values, self._dtype, self._epoch = values, dtype, 0

    def fill(self, slot, schedule, budget, seed, hparams):
        self._epoch = 0

    def advance(self, epochs):
        self._rows = np.array(self._values[self._epoch : self._epoch + epochs], self._dtype)[:, None]
        self._epoch += epochs
        return self

    def ready(self):
        return True

    def read(self):
        return {"error": self._rows, FINITE: np.ones(self._rows.shape)}

    def failed(self):
        return {}

    def ended(self):
        return {}

    def said(self):
        return {}

    def end(self, slot):
        pass

    def close(self):
        pass


def swept(storage, values, dtype=np.float64, direction="minimize"):
    """A study of one trial, which reported these values."""
    declared = Declaration(
        name="exact",
        metric="error",
        direction=direction,
        budget=len(values),
        kind="callable",
        steps_per_epoch=None,
        base_lr=(0.1, 1.0),
        select_metric=None,
        hparams={},
        interval=None,
    )
    settings = settings_of(declared, trials=1, pruner="restart-aware", slots=1, controls=0, seed=0)
    create_study(storage, "exact", settings, resume=False)
    coordinator = AloneCoordinator(storage, "exact")
    begun = Begun(coordinator, 0, places(settings, coordinator))
    assert run(settings, begun, Reporting(values, dtype), PhaseTimer())[0]
    number = storage.get_study_id_from_name("exact")
    return Study("exact", "sqlite:///exact.db", storage, number)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_functions_values_are_the_same_everywhere(kind, direction, tmp_path):
    storage = InMemoryStorage() if kind == "memory" else RDBStorage(f"sqlite:///{tmp_path}/exact.db")
    study = swept(storage, EXACT, direction=direction)
    best = min(EXACT) if direction == "minimize" else max(EXACT)
    assert study.curve(0) == {"error": EXACT}
    assert study.best.value == study.best_value == study.trials().value[0] == best
    assert best in study.best.curves["error"]
    assert study.curves().error.tolist() == EXACT
    rows = csv.DictReader(io.StringIO(study.curves().to_csv()))
    assert [float(row["error"]) for row in rows] == EXACT
    assert json.loads(json.dumps(study.best.to_dict()))["value"] == best
    reported = study.frozen[0].intermediate_values
    assert all(value == EXACT[epoch - 1] for epoch, value in reported.items())


def test_values_of_float32_keep_their_few_digits():
    study = swept(InMemoryStorage(), [0.1, 0.7, 1e30], np.float32)
    assert study.curve(0) == {"error": [0.1, 0.7, 1e30]}
    assert np.float32(study.best.value) == np.float32(0.1)


def test_curves_are_as_wide_as_what_they_are_given():
    curves = Curves()
    curves.extend({"error": np.array([[1e39], [16777217.0]])}, slot=0)
    assert curves["error"] == [1e39, 16777217.0]
