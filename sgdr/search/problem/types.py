"""Types and names that all wings of the search share."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

Schedule: TypeAlias = Any
"""A callable from steps to rates, in epochs: a `WarmRestarts`, one of `sgdr.relatives`, a `Warmup` of these,
or any other where slots take it."""


class Named(Protocol):
    """A workload or its declaration: it has a name, and may have `base_lr` and `hparams` of its own."""

    @property
    def name(self) -> str:
        """The name by which studies know the workload."""
