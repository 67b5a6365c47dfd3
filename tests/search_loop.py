"""The loop of a search in this process, over slots that compute nothing."""

from typing import Any

import numpy as np
from optuna.storages import BaseStorage

from sgdr.search.backend.slots import FINITE, LONGEST_CALL, Ended
from sgdr.search.problem.callback import Callback
from sgdr.search.problem.declaration import Declaration
from sgdr.search.sweeps.config import SweepConfig
from sgdr.search.sweeps.coordinator import AloneCoordinator, Begun
from sgdr.search.sweeps.create_study import create_study
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.progress import Progress
from sgdr.search.sweeps.session import places, run
from sgdr.search.sweeps.settings import Settings, resolve

DEFAULTS: dict[str, Any] = {
    "trials": 8,
    "budget": None,
    "space": None,
    "objective": "best-epoch",
    "pruner": "none",
    "sampler": "random",
    "slots": 2,
    "controls": 0.25,
    "seed": 7,
    "timeout": None,
}


class Computed:
    """The values of a call, which are known at once."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def ready(self) -> bool:
        return True

    def read(self) -> dict[str, Any]:
        return self._values

    def failed(self) -> dict[int, str | None]:
        return {}

    def ended(self) -> dict[int, Ended]:
        return {}

    def said(self) -> dict[int, dict[str, Any]]:
        return {}


class Falling:
    """Slots whose error falls with every epoch, to a value that the peak rate says."""

    longest_call = LONGEST_CALL

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._peaks, self._epochs = np.ones(slots), np.zeros(slots)
        self.filled: list[Any] = []
        """The schedules, in the order in which they were begun."""

    def fill(self, slot: int, schedule: Any, budget: int, seed: int, hparams: Any) -> None:
        self._peaks[slot], self._epochs[slot] = schedule.base_lr, 0
        self.filled.append(schedule)

    def advance(self, epochs: int) -> Computed:
        at = self._epochs + np.arange(1, epochs + 1)[:, None]
        self._epochs += epochs
        error = np.abs(np.log(self._peaks) - np.log(0.1)) + 1 / at
        return Computed({"error": error, "select_error": error, FINITE: np.ones_like(error)})

    def end(self, slot: int) -> None:
        pass

    def close(self) -> None:
        pass


def settings_of(workload: Any, **options: Any) -> Settings:
    """The settings of a sweep of that workload, or of one that declares this."""
    declaration = workload if isinstance(workload, Declaration) else Declaration.of(workload)
    return resolve(declaration, SweepConfig(**{**DEFAULTS, **options}))


def searched(
    storage: BaseStorage,
    settings: Settings,
    name: str = "s",
    remarks: list[str] | None = None,
    heard: list[Progress] | None = None,
) -> tuple[bool, Falling]:
    """Begins or goes on with the study; returns whether it came to its end, and the slots."""
    said = (remarks if remarks is not None else []).append
    progressed = (heard if heard is not None else []).append
    seed = create_study(storage, name, settings, resume=True)
    callback = Callback(progressed, said)
    coordinator = AloneCoordinator(storage, name, callback)
    slots = Falling(settings.slots or 1)
    begun = Begun(coordinator, seed, places(settings, coordinator))
    reached, _ = run(settings, begun, slots, PhaseTimer(), callback=callback)
    return reached, slots
