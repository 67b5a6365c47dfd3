"""What is heard of a sweep while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from sgdr.choices import Stage


@dataclass(frozen=True)
class Progress:
    """How far a sweep is."""

    finished: int
    trials: int | None
    """Asked for; None where a cost was."""
    spent: float
    """Full trainings that the trials of the study have trained; of those that are running the ones here."""
    cost: float | None
    """Asked for, in full trainings; None where trials were."""
    running: int
    failed: int
    best: float | None
    epochs: int
    """Epochs trained by this worker, over all trials."""
    stage: Stage | None = None
    """What a staged search is at, on this worker; None where it is not known."""
