"""The studies of one storage, held open and read on as they grow."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy.exc
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage

from sgdr.search.storage.connect import StorageError
from sgdr.search.storage.schema import is_readable
from sgdr.search.study.study import Study
from sgdr_service.problems import Problem
from sgdr_service.storage_handle import HeldStorage

FAILURES = (StorageError, StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError)
MOST_OPEN = 256
"""Studies that are kept in memory."""
RETRY_SECONDS = "5"

log = logging.getLogger("service.storage")


class Library:
    """Studies by name. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._held = HeldStorage(url, create=False)
        self._lock = threading.Lock()
        self._storage: BaseStorage | None = None
        """The storage of the studies that are kept in memory."""
        self._open: dict[str, Study] = {}

    def study(self, name: str) -> Study:
        """The study called `name`, as it stands now. Raises a problem: 404 for none, 503 without storage."""
        with self._reachable() as storage:
            study = self._read(storage, name)
        if study is None:
            raise Problem(404, f"there is no study {name!r}; GET /v1/studies lists them")
        return study

    def all(self) -> list[Study]:
        """All studies that were made by sweeps, by name, as they stand now. Raises a problem, 503."""
        with self._reachable() as storage:
            names = sorted(
                study.study_name for study in storage.get_all_studies() if is_readable(study.user_attrs)
            )
            studies = (self._read(storage, name) for name in names)
            return [study for study in studies if study is not None]  # less those deleted meanwhile

    def close(self) -> None:
        """Gives the storage up, until it is asked for again."""
        with self._lock:
            self._held.close()
            self._storage, self._open = None, {}

    def check(self) -> None:
        """Raises a problem, 503, where the storage cannot be read."""
        with self._reachable() as storage:
            storage.get_all_studies()

    def _read(self, storage: BaseStorage, name: str) -> Study | None:
        if "\0" in name:  # which PostgreSQL takes for a failure, and no study has
            return None
        known = self._open.get(name)
        if known is not None:
            with suppress(ValueError):  # deleted, and perhaps made again
                known.refresh()
                return known
        try:
            number = storage.get_study_id_from_name(name)
            if not is_readable(storage.get_study_user_attrs(number)):
                return None
            study = Study(name, self.url, storage, number)
        except (KeyError, ValueError):  # a database may refuse some characters
            return None
        with self._lock:
            self._open.pop(name, None)
            while len(self._open) >= MOST_OPEN:
                del self._open[next(iter(self._open))]
            self._open[name] = study
        return study

    @contextmanager
    def _reachable(self) -> Iterator[BaseStorage]:
        """The storage; its failures are problems."""
        try:
            yield self._opened()
        except (*FAILURES, ValueError) as error:
            log.warning("storage unreachable", extra={"why": str(error).splitlines()[0]})
            raise Problem(
                503,
                "the storage cannot be read at the moment; try again",
                headers={"Retry-After": RETRY_SECONDS},
            ) from None

    def _opened(self) -> BaseStorage:
        """The storage; of another than before no study is known yet."""
        with self._lock:
            storage = self._held.get()
            if storage is not self._storage:
                self._storage, self._open = storage, {}
            return storage
