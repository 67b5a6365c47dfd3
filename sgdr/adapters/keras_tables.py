"""The cycles of a schedule in a table, in which Keras looks steps up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from keras import ops
from numpy.typing import NDArray

from sgdr.schedule import WarmRestarts

Tensor: TypeAlias = Any  # of the backend's own type
Located: TypeAlias = tuple[Tensor, Tensor]  # the index of the cycle, and the share of it that is to go
Ints: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float32]

LAST_STEP = 2**31 - 1
"""The last one that Keras counts on every backend; later ones have its rate."""
EXTREME = 1e30
"""Beyond it, or below its inverse, a number is too large or small for float32."""


@dataclass(frozen=True)
class GrowingCycles:
    """A table of cycles, but for those that hold no whole step.

    A cycle's first whole step `first` is `lead` after its start.
    """

    index: Ints
    first: Ints
    lead: Floats
    length: Floats

    @classmethod
    def of(cls, schedule: WarmRestarts) -> Self:
        first = [0, *schedule.restarts(LAST_STEP + 1)]
        cycles = [schedule.cycle(step) for step in first]
        return cls(
            np.array([cycle.index for cycle in cycles], np.int32),
            np.array(first, np.int32),
            np.array([cycle.position for cycle in cycles], np.float32),
            np.array([min(cycle.length, EXTREME) for cycle in cycles], np.float32),
        )

    def __call__(self, step: Tensor) -> Located:
        row = last_not_above(self.first, step)
        position = ops.cast(step - ops.take(self.first, row), "float32") + ops.take(self.lead, row)
        length = ops.take(self.length, row)
        return ops.take(self.index, row), (length - position) / length


def last_not_above(starts: Ints, step: Tensor) -> Tensor:
    """The place of the last of the ascending `starts` that is not above each step; the first one is 0."""
    after = ops.searchsorted(starts, ops.reshape(step, (-1,)), side="right")  # not all backends take a scalar
    return ops.reshape(ops.cast(after, "int32"), ops.shape(step)) - 1
