"""Trains given schedules on given seeds in slots, to their ends: no sampler, no pruner, nothing stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sgdr.search.backend.curves import Curves, Pace
from sgdr.search.backend.slots import MOST_ATTEMPTS, Slots
from sgdr.search.problem.objective import chosen_epoch, curve_of, value
from sgdr.search.problem.types import Schedule


@dataclass(frozen=True)
class Job:
    """A schedule to train on a seed."""

    number: int
    """The number of the trial whose schedule it is; in a comparison, that of the schedule."""
    schedule: Schedule
    """The schedule, in epochs."""
    budget: int
    seed: int
    hparams: Mapping[str, Any]
    objective: str
    """The objective by which the run is to be read."""
    watched: bool = False
    """Whether it is to be looked at after every epoch."""


@dataclass
class Trained:
    """What a job has given so far."""

    job: Job
    curves: Curves = field(default_factory=Curves)
    error: str | None = None
    attempts: int = 1

    @property
    def epochs(self) -> int:
        """Completed epochs."""
        return self.curves.epochs

    @property
    def diverged_at(self) -> int | None:
        """The first epoch after which something was not finite, None where all was."""
        return self.curves.diverged_at


def retrain(
    slots: Slots,
    jobs: Sequence[Job],
    on_epochs: Callable[[int], None] = lambda epochs: None,
    on_watched: Callable[[int, Trained], None] = lambda slot, trained: None,
    on_ended: Callable[[Sequence[Trained]], None] = lambda ended: None,
) -> list[Trained]:
    """Trains all jobs, and returns them in their order.

    `on_epochs` hears how many epochs have been trained since it was last called, over all jobs. `on_watched`
    is called after every epoch of a job that is `watched`, with its slot, until it diverges. `on_ended` is
    called with those that have come to their end, or diverged, at the same time.
    """
    done = [Trained(job) for job in jobs]
    queue = deque(done)
    training: dict[int, Trained] = {}
    pace = Pace()
    while queue or training:
        for slot in range(slots.slots):
            if slot not in training and queue:
                run = training[slot] = queue.popleft()
                slots.fill(slot, run.job.schedule, run.job.budget, run.job.seed, run.job.hparams)
        watched = any(run.job.watched for run in training.values())
        left = 1 if watched else min(run.job.budget - run.epochs for run in training.values())
        call, busy = pace.epochs(min(left, slots.longest_call)), len(training)
        with pace.timing(call):
            pending = slots.advance(call)
            values, failed, stopped = pending.read(), pending.failed(), pending.ended()
        ended: list[Trained] = []
        for slot, run in list(training.items()):
            run.curves.extend(values, slot, stopped.get(slot))
            if slot in failed:
                del training[slot]
                _failed(run, failed[slot], queue)
                continue
            if slot in stopped and not run.epochs:
                del training[slot]
                run.error = "it ended before its first report"
                continue
            if run.job.watched and run.diverged_at is None:
                on_watched(slot, run)
            if run.epochs >= run.job.budget or run.diverged_at is not None or slot in stopped:
                del training[slot]
                ended.append(run)
                if run.epochs < run.job.budget:
                    slots.end(slot)
        if ended:
            on_ended(ended)
        on_epochs(call * busy)
    return done


def worth(trained: Trained, metric: str, chosen_by: str, direction: str) -> tuple[float, int]:
    """What a run that came to its end is worth by its job's objective, and the epoch at which it is."""
    job = trained.job
    select = trained.curves[chosen_by]
    curve = trained.curves[curve_of(job.objective, metric)]
    epoch = chosen_epoch(job.objective, select, job.schedule, direction)
    return value(job.objective, curve, job.schedule, direction, select, job.budget), epoch


def _failed(run: Trained, error: str | None, queue: deque[Trained]) -> None:
    """Notes the error of a job, or begins it again where its process died."""
    run.curves = Curves()
    if error is None and run.attempts < MOST_ATTEMPTS:
        run.attempts += 1
        queue.append(run)
    else:
        run.error = error or f"its process died {run.attempts} times"
