"""What a slot gives, call by call, and how long a call may be."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from sgdr.search.backend.slots import FINITE, LONGEST_CALL, Ended

if TYPE_CHECKING:
    from jaxtyping import Float

CALL_SECONDS = 0.25
"""About how long one call of the devices may take, so that progress moves and Ctrl-C is heard."""


class Curves(dict[str, list[float]]):
    """The values of one run by name, one an epoch."""

    def extend(
        self,
        values: Mapping[str, Float[np.ndarray, "epochs slots"]],
        slot: int,
        ended: Ended | None = None,
    ) -> None:
        """Appends what a call has given in that slot, up to where its trial ended by itself."""
        for name, rows in values.items():
            self.setdefault(name, []).extend(rows[: ended.epochs if ended else None, slot].tolist())

    @property
    def epochs(self) -> int:
        """Completed epochs."""
        return len(self.get(FINITE, ()))

    @property
    def diverged_at(self) -> int | None:
        """The first epoch after which something was not finite, None where all was."""
        finite = np.array(self.get(FINITE, [1.0])) > 0
        return None if finite.all() else int(np.argmin(finite)) + 1


class Pace:
    """How many epochs a call may advance, by how long the last one took."""

    def __init__(self) -> None:
        self._epoch_seconds = CALL_SECONDS

    def epochs(self, most: int) -> int:
        """The epochs of the next call: at least one, at most `most` and `LONGEST_CALL`."""
        return max(1, min(most, LONGEST_CALL, int(CALL_SECONDS / self._epoch_seconds)))

    @contextmanager
    def timing(self, epochs: int) -> Iterator[None]:
        """Times a call of so many epochs."""
        began = time.perf_counter()
        yield
        self._epoch_seconds = (time.perf_counter() - began) / epochs
