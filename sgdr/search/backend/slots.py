"""What a worker drives: slots that train trials side by side, an epoch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from sgdr.search.problem.types import Schedule
from sgdr.search.problem.workload import FINITE as FINITE

if TYPE_CHECKING:
    from jaxtyping import Float

LONGEST_CALL = 20
"""Epochs that one call can advance at most, and after which a diverged trial makes room at the latest."""

MOST_ATTEMPTS = 3
"""How often a run is begun whose process dies."""
DEATH = "death"
"""What is said of a trial whose process died: how, in words."""


@dataclass(frozen=True)
class Ended:
    """How a trial ended by itself before its budget, as by early stopping of its own."""

    epochs: int
    """Epochs of the call that it has trained."""
    pruned: bool
    """Whether it says that it was not worth going on with, and not that it has come to its end."""


class Pending(Protocol):
    """The values of a call, while or after they are computed."""

    def ready(self) -> bool:
        """Whether `read` would return at once."""

    def read(self) -> dict[str, Float[np.ndarray, "epochs slots"]]:
        """Values by name; NaN where a slot has none."""

    def failed(self) -> dict[int, str | None]:
        """The slots whose trial failed, and its error, after `read`; None where the process died."""

    def ended(self) -> dict[int, Ended]:
        """The slots whose trial has ended by itself before its budget, after `read`."""

    def said(self) -> dict[int, dict[str, Any]]:
        """What the trials said of themselves, by slot, after `read`: attributes to be kept with them; of one
        that died, `DEATH` too."""


class Slots(Protocol):
    """K slots that advance in lockstep."""

    slots: int
    longest_call: int
    """Epochs that one call can advance at most: 1 where a trial may end by itself, since what comes next is
    to depend on the epochs at which trials end, and not on how many of them a call happened to have."""

    def fill(self, slot: int, schedule: Schedule, budget: int, seed: int, hparams: Mapping[str, Any]) -> None:
        """Puts a new trial into a slot. `schedule` and `budget` are in epochs."""

    def advance(self, epochs: int) -> Pending:
        """Trains every slot for so many epochs, 1 to `longest_call`; may return before that is done."""

    def end(self, slot: int) -> None:
        """Ends the trial of a slot that has not come to its budget."""

    def close(self) -> None:
        """Frees what the slots hold: devices, processes."""


@runtime_checkable
class Restorable(Protocol):
    """Slots whose trials can be taken out as they are, and go on elsewhere."""

    def state(self, slot: int) -> Any:
        """A copy of what the slot holds, on the host."""

    def restore(self, slot: int, state: Any, epoch: int) -> None:
        """Puts such a state into a slot that was just filled, as of so many completed epochs."""
