"""Trains given schedules on given seeds in slots, to their ends: no sampler, no pruner, nothing stored."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sgdr.schedule import WarmRestarts
from sgdr.search.slots import FINITE, LONGEST_CALL, Slots

CALL_SECONDS = 0.25
"""About how long one call of the devices may take, so that progress moves and Ctrl-C is heard."""
MOST_ATTEMPTS = 3
"""How often a job is begun whose process dies."""


@dataclass(frozen=True)
class Job:
    """A schedule to train on a seed."""

    number: int
    """Of the trial whose schedule it is."""
    schedule: WarmRestarts
    """In epochs."""
    budget: int
    seed: int
    hparams: Mapping[str, Any]
    objective: str
    """By which it is to be read."""
    watched: bool = False
    """Whether it is to be looked at after every epoch."""


@dataclass
class Trained:
    """What a job has given so far."""

    job: Job
    curves: dict[str, list[float]] = field(default_factory=dict)
    """By name, a value an epoch."""
    error: str | None = None
    attempts: int = 1

    @property
    def epochs(self) -> int:
        """Completed epochs."""
        return len(self.curves.get(FINITE, ()))

    @property
    def diverged_at(self) -> int | None:
        """The first epoch after which something was not finite, None where all was."""
        finite = np.array(self.curves.get(FINITE, [1.0])) > 0
        return None if finite.all() else int(np.argmin(finite)) + 1


def retrain(
    slots: Slots,
    jobs: Sequence[Job],
    on_epochs: Callable[[int], None] = lambda epochs: None,
    on_watched: Callable[[int, Trained], None] = lambda slot, trained: None,
) -> list[Trained]:
    """Trains all jobs, and returns them in their order.

    `on_epochs` hears how many epochs have been trained since it was last called, over all jobs. `on_watched`
    is called after every epoch of a job that is `watched`, with its slot, until it diverges.
    """
    done = [Trained(job) for job in jobs]
    queue = deque(done)
    training: dict[int, Trained] = {}
    epoch_seconds = CALL_SECONDS
    while queue or training:
        for slot in range(slots.slots):
            if slot not in training and queue:
                each = training[slot] = queue.popleft()
                slots.fill(slot, each.job.schedule, each.job.budget, each.job.seed, each.job.hparams)
        watched = any(each.job.watched for each in training.values())
        left = 1 if watched else min(each.job.budget - each.epochs for each in training.values())
        call = max(1, min(left, LONGEST_CALL, int(CALL_SECONDS / epoch_seconds)))
        busy = len(training)
        began = time.perf_counter()
        pending = slots.advance(call)
        values, failed = pending.read(), pending.failed()
        epoch_seconds = (time.perf_counter() - began) / call
        for slot, each in list(training.items()):
            for name, rows in values.items():
                each.curves.setdefault(name, []).extend(rows[:, slot].tolist())
            if slot in failed:
                del training[slot]
                _failed(each, failed[slot], queue)
                continue
            if each.job.watched and each.diverged_at is None:
                on_watched(slot, each)
            if each.epochs >= each.job.budget or each.diverged_at is not None:
                del training[slot]
                if each.epochs < each.job.budget:
                    slots.end(slot)
        on_epochs(call * busy)
    return done


def _failed(each: Trained, error: str | None, queue: deque[Trained]) -> None:
    """Notes the error of a job, or begins it again where its process died."""
    each.curves = {}
    if error is None and each.attempts < MOST_ATTEMPTS:
        each.attempts += 1
        queue.append(each)
    else:
        each.error = error or f"its process died {each.attempts} times"
