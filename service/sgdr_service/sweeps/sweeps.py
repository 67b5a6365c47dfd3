"""Sweeps as clients ask for them: checked, written into their studies, cancelled. A dispatcher runs them."""

from __future__ import annotations

import importlib.util
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from optuna.storages import BaseStorage

from sgdr.extras import install
from sgdr.search.backend.devices import cores
from sgdr.search.problem.declaration import Declaration
from sgdr.search.storage.connect import StorageError, storage_errors
from sgdr.search.storage.leases import refuse_if_swept
from sgdr.search.storage.schema import is_readable
from sgdr.search.study.study import Study
from sgdr.search.sweeps.cluster import Cluster, cluster_of
from sgdr.search.sweeps.config import OPTIONS
from sgdr.search.sweeps.create_study import check_existing, create_study, study_name
from sgdr.search.sweeps.settings import Settings, resolve
from sgdr_service.storage_handle import HeldStorage
from sgdr_service.sweeps.declarations import Declarations, WorkloadUnavailable
from sgdr_service.sweeps.record import CANCEL, SWEEP, SweepRecord, at_work, read_record
from sgdr_service.sweeps.refusals import Conflict, Full, Invalid, NotFound, NotOurs, as_invalid
from sgdr_service.sweeps.request import OF_RAY, SweepRequest
from sgdr_service.sweeps.status import SweepStatus, status

EXTENT = ("trials", "cost")
"""The options of which one says how far a sweep goes."""
PLACE = "the service's storage"
"""What clients are told of where studies are."""


@dataclass(frozen=True)
class Possible:
    """A sweep that can be."""

    study: str
    """The name that its study has or will have."""
    request: SweepRequest
    """All its arguments: completed from the study's last sweep, and within the service's limits."""
    settings: Settings
    """The same with every default filled in, and what its workload declares."""
    cluster: Cluster | None
    """The sweep's workers on Ray; None: one on this host."""


def engines() -> tuple[str, ...]:
    """The engines that are installed here."""
    known = OPTIONS["engine"].choices
    return tuple(name for name in known if name != "ray" or importlib.util.find_spec("ray") is not None)


class Sweeps:
    """The sweeps of one storage. Safe for threads; reads and writes the studies alone."""

    def __init__(
        self,
        url: str,
        declarations: Declarations,
        *,
        max_running: int,
        max_queued: int,
        max_trials: int,
        max_budget: int,
        max_seconds: float | None,
        max_workers: int,
        ray_address: str | None = None,
        checkpoints: Path | None = None,
    ) -> None:
        """`max_running` and `max_queued`: sweeps at once; the other limits: of one sweep. Opens nothing yet.

        A cost is limited as the trials are, for it is trials that are trained to their end.

        `ray_address` and `checkpoints` as `sgdr.search.sweep` takes them, for every sweep.
        """
        self.url, self.max_running = url, max_running
        self.ray_address, self.checkpoints = ray_address, checkpoints
        self._declarations, self._max_queued = declarations, max_queued
        self._max_trials, self._max_budget, self._max_seconds = max_trials, max_budget, max_seconds
        self._max_workers = max_workers
        self._submitting = threading.Lock()
        self._held = HeldStorage(url, create=True)
        self.changed = threading.Event()
        """Set when there is something to do for the dispatcher."""

    def check(self, request: SweepRequest) -> Possible:
        """The sweep that `submit` would queue for that request; begins none.

        What a request to resume does not say is as it was when the study's sweep was last asked for.
        Raises `Invalid`, `WorkloadUnavailable`, `Conflict`, `Full`, or StorageError.
        """
        possible = self._possible(request)
        with self.storage() as storage:
            self._refuse(storage, possible)
        return possible

    def submit(self, request: SweepRequest) -> SweepStatus:
        """Queues a sweep, once all of it is known to be possible.

        Raises what `check` does; nothing is written then.
        """
        possible = self._possible(request)
        name, settings, resume = possible.study, possible.settings, possible.request.resume
        with self._submitting, self.storage() as storage:
            self._refuse(storage, possible)
            try:
                create_study(storage, name, settings, resume)
            except ValueError as error:
                raise Conflict(str(error)) from error
            entry = {
                "nonce": secrets.token_hex(8),
                "request": possible.request.model_dump(),
                "requested": time.time(),
                "host": socket.gethostname(),
            }
            storage.set_study_user_attr(storage.get_study_id_from_name(name), SWEEP, entry)
        self.changed.set()
        return self.get(name)

    def get(self, name: str) -> SweepStatus:
        """How the sweep of that study stands. Raises `NotFound`, StorageError."""
        with self.storage() as storage:
            return self._status(storage, name, _number(storage, name))

    def all(self) -> list[SweepStatus]:
        """Every study's sweep, by name. Reads all trials; of a study that is held already, ask `status`."""
        statuses = []
        with self.storage() as storage:
            for study in sorted(storage.get_all_studies(), key=lambda study: study.study_name):
                if is_readable(study.user_attrs):
                    with suppress(NotFound):
                        statuses.append(self._status(storage, study.study_name, study._study_id))
        return statuses

    def _status(self, storage: BaseStorage, name: str, number: int) -> SweepStatus:
        try:
            return status(Study(name, self.url, storage, number))
        except ValueError:  # it was deleted meanwhile
            raise NotFound(f"there is no sweep {name!r}") from None

    def cancel(self, name: str) -> SweepStatus:
        """Ends a sweep, queued or running, to be resumed or not; of one that has ended, nothing changes.

        Its state is "cancelling" until its process is gone. Raises `NotFound`, `NotOurs`, StorageError.
        """
        with self.storage() as storage:
            number = _number(storage, name)
            attributes = storage.get_study_user_attrs(number)
            record = read_record(attributes)
            if record is not None and record.active:
                if not record.cancel:
                    mark = {"nonce": record.nonce, "time": time.time()}
                    storage.set_study_user_attr(number, CANCEL, mark)
            elif claims := at_work(attributes, time.time()):
                raise NotOurs(
                    f"study {name!r} is being swept by process {claims[0]['pid']} on {claims[0]['host']}, "
                    "which this service did not start; stop it there"
                )
        self.changed.set()
        return self.get(name)

    def records(self) -> dict[str, SweepRecord]:
        """The sweeps that this service, on whatever host, was asked for, by study. Reads no trial."""
        with self.storage() as storage:
            read = {
                study.study_name: read_record(study.user_attrs)
                for study in storage.get_all_studies()
                if is_readable(study.user_attrs)
            }
        return {name: record for name, record in read.items() if record is not None}

    def close(self) -> None:
        """Gives the storage up, until it is asked for again."""
        self._held.close()

    @contextmanager
    def storage(self) -> Iterator[BaseStorage]:
        """The storage, made where there is none. Raises StorageError when it fails, in the block too."""
        with storage_errors(self.url):
            try:
                opened = self._held.get()
            except ValueError as error:
                raise StorageError(str(error)) from error
            yield opened

    def _possible(self, request: SweepRequest) -> Possible:
        """The sweep that is asked for, where nothing that it says is at fault."""
        declared = self._declared(request.workload)
        name = declared.name if request.study is None else request.study
        if request.resume:
            request = self._completed(request, name)
        cluster = self._cluster(request)
        request = self._bounded(request, declared, cluster)
        with as_invalid():
            settings = resolve(declared, request.config())
            study_name(name)
        return Possible(name, request, settings, cluster)

    def _refuse(self, storage: BaseStorage, asked: Possible) -> None:
        """Raises `Conflict` or `Full` where the studies that there are do not allow it."""
        self._refuse_conflicts(storage, asked.study, asked.settings, asked.request.resume)
        queued = sum(record.state == "queued" for record in self.records().values())
        if queued >= self._max_queued:
            raise Full(f"{queued} sweeps are queued already; try again when some have ended, or cancel one")

    def _completed(self, request: SweepRequest, name: str) -> SweepRequest:
        """The request with what it does not say taken from the last one of that study, where there is one."""
        record = self.records().get(name)
        if record is None:
            return request
        before, said = dict(record.request), request.model_dump(exclude_unset=True)
        if not said.keys().isdisjoint(EXTENT):  # what is said now takes the place of the other, too
            before = {field: value for field, value in before.items() if field not in EXTENT}
        if said.get("engine") == "local":  # which has no such workers
            before = {field: value for field, value in before.items() if field not in OF_RAY}
        return SweepRequest.model_validate({**before, **said})

    def _declared(self, workload: str) -> Declaration:
        try:
            return self._declarations.get(workload)
        except WorkloadUnavailable:
            raise
        except ValueError as error:
            raise Invalid(str(error), "workload") from error

    def _cluster(self, request: SweepRequest) -> Cluster | None:
        """The request's workers on Ray, None for the engine local; connects to nothing. Raises `Invalid`."""
        address = self.ray_address if request.engine == "ray" else None
        with as_invalid():
            # Of too many slots, those of a function above all, the service's own limit speaks first.
            cluster = cluster_of(request.config(address=address, slots="auto"))
        if request.engine not in engines():
            raise Invalid(
                f"engine={request.engine!r} needs Ray, which is not installed where this service runs; "
                f"{install('ray')} there, or leave engine out",
                "engine",
            )
        return cluster

    def _bounded(self, request: SweepRequest, declared: Declaration, cluster: Cluster | None) -> SweepRequest:
        """The request, with what it does not say of how far it goes, and how long. Raises `Invalid`."""
        with as_invalid():
            config = request.config(slots="auto")
        extent = {name: getattr(config, name) for name in EXTENT}
        budget = declared.budget if request.budget is None else request.budget
        timeout = self._max_seconds if request.timeout is None else request.timeout
        slots = None if request.slots == "auto" else request.slots
        limits = {
            **{name: (asked, self._max_trials) for name, asked in extent.items()},
            "budget": (budget, self._max_budget),
            "timeout": (timeout, self._max_seconds),
            "workers": (request.workers, self._max_workers),
            # Each slot of a function is a process.
            "slots": (slots, _processes(cluster) if declared.kind == "callable" else None),
        }
        for name, (value, most) in limits.items():
            if value is not None and most is not None and value > most:
                raise Invalid(f"{name}={value!r} must be at most {most!r}, the limit of this service", name)
        if cluster and self.ray_address is None and cluster.workers * cluster.cpus_per_worker > cores():
            raise Invalid(
                f"workers={request.workers!r} with cpus_per_worker={request.cpus_per_worker!r} are more than "
                f"the {cores()} cores of the service's host; ask for less",
                "workers",
            )
        return request.model_copy(update={"timeout": timeout, **extent})

    def _refuse_conflicts(self, storage: BaseStorage, name: str, settings: Settings, resume: bool) -> None:
        """Raises `Conflict` where the study is there and cannot be gone on with, or is not to be."""
        try:
            if not check_existing(storage, name, settings, PLACE):
                return
            attributes = storage.get_study_user_attrs(storage.get_study_id_from_name(name))
            record = read_record(attributes)
            if record is not None and record.active:
                raise ValueError(
                    f"study {name!r} has a sweep that is {record.state}; wait for it, or cancel it"
                )
            refuse_if_swept(name, attributes)
            if not resume:
                raise ValueError(
                    f"study {name!r} exists: go on with it by resume=true, or choose another name"
                )
        except ValueError as error:
            raise Conflict(str(error)) from error


def _processes(cluster: Cluster | None) -> int:
    """The most processes that a worker may have for the slots of a function."""
    return cores() if cluster is None else cluster.cores


def _number(storage: BaseStorage, name: str) -> int:
    """Optuna's number of a study that was made by a sweep. Raises `NotFound`."""
    try:
        number = storage.get_study_id_from_name(name)
    except (KeyError, ValueError):  # a database may refuse some characters
        raise NotFound(f"there is no sweep {name!r}") from None
    if not is_readable(storage.get_study_user_attrs(number)):
        raise NotFound(f"study {name!r} was not made by sgdr")
    return number
