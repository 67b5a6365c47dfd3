"""Training schedules again for a study: its workload, its lease, and slots as the sweep had them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from optuna.storages import BaseStorage

from sgdr.errors import ArgumentError
from sgdr.search.backend.allocation import SlotAllocator
from sgdr.search.backend.interrupts import terminate_as_interrupt
from sgdr.search.backend.population import is_plain
from sgdr.search.backend.slots import Slots
from sgdr.search.problem.arguments import whole
from sgdr.search.problem.callback import Callback
from sgdr.search.problem.ensembles import trained_for
from sgdr.search.problem.lookup import find
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.workload import CallableWorkload, Workload
from sgdr.search.storage.connect import open_storage, storage_errors
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.schema import SAID_LATER
from sgdr.search.study.study import Study, study_id
from sgdr.shapes import SHAPES

MOST_SEEDS = 10_000
"""A number beyond which no difference matters."""


class HeldStudy:
    """A study in its storage while nobody else may work on it."""

    def __init__(self, storage: BaseStorage, number: int, lease: Lease) -> None:
        self._storage, self._number, self._lease = storage, number, lease

    def write(self, name: str, value: Any) -> None:
        """Gives the study the attribute of that name."""
        self._storage.set_study_user_attr(self._number, name, value)

    def renew(self) -> None:
        """Says that somebody is at work."""
        self._lease.renew()


@contextmanager
def held(study: Study) -> Iterator[HeldStudy]:
    """The study, which is nobody else's meanwhile; a request to end comes as KeyboardInterrupt.

    Raises ValueError where somebody is at work on it, StorageError when the storage fails.
    """
    with storage_errors(study.url), terminate_as_interrupt():
        opened = open_storage(study.url, create=True)
        number = study_id(opened, study.name, study.url)
        lease = Lease(opened, number)
        try:
            yield HeldStudy(opened, number, lease)
        finally:
            lease.end()


@contextmanager
def slots_for(
    study: Study,
    workload: Workload | CallableWorkload,
    schedules: Sequence[Schedule],
    slots: int | None,
    jobs: int,
    callback: Callback,
) -> Iterator[Slots]:
    """Slots in which those schedules are trained as the study's trials were; `slots` None: as suits.

    Raises ValueError where the workload, or the number of slots, cannot be.
    """
    others = any(SHAPES[arm].is_formula for arm in study.stored.arms)
    others |= not all(map(is_plain, schedules))
    as_trained = trained_for(study.stored.objective, workload)
    hparams = study.stored.hparams
    driven = SlotAllocator(as_trained, slots, jobs, hparams, callback, any_schedule=others).finish()
    try:
        yield driven
    finally:
        driven.close()


def workload_of(
    study: Study, workload: Workload | CallableWorkload | str | None
) -> Workload | CallableWorkload:
    """The study's workload, the one that is given, or the registered one of its name where None is.

    Raises ValueError when it is not to be found, or another.
    """
    stored = study.stored
    try:
        resolved = (
            workload
            if isinstance(workload, Workload | CallableWorkload)
            else find(stored.workload if workload is None else workload)
        )
    except ValueError as error:
        if workload is not None:
            raise
        reason = f"was made with the workload {stored.workload!r}, which is not registered"
        fix = "give it as --workload package.module:object, or in Python as workload=object"
        message = f"study {study.name!r} {reason}; {fix}"
        raise ArgumentError("workload", None, reason, fix, message=message) from error
    for name in ("name", "metric", "direction", "select_metric", *SAID_LATER):
        now, then = getattr(resolved, name, None), getattr(stored, "workload" if name == "name" else name)
        if now != then and not (name in SAID_LATER and None in (now, then)):
            reason = f"has {name} {now!r}, study {study.name!r} was made with {then!r}"
            raise ArgumentError("workload", resolved.name, reason, "give the workload that it was made with")
    return resolved


def checked_seeds(seeds: int) -> int:
    """The number of seeds. Raises ArgumentError where it is none, or gives no interval."""
    seeds = whole("seeds", seeds, 2)
    if seeds > MOST_SEEDS:
        raise ArgumentError("seeds", seeds, f"must be at most {MOST_SEEDS:,}")
    return seeds
