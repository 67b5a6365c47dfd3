"""The storage, held open for as long as its URL leads to the same database."""

from __future__ import annotations

import threading
from contextlib import suppress

from optuna.storages import BaseStorage

from sgdr.search.storage.connect import close_storage, open_storage, sqlite_file


class HeldStorage:
    """The storage of one URL. Safe for threads; opens nothing before it is asked for."""

    def __init__(self, url: str, *, create: bool) -> None:
        """`create`: makes what is not there. Raises ValueError for what is no URL."""
        self._url, self._create = url, create
        self._path = sqlite_file(url)
        self._lock = threading.Lock()
        self._storage: BaseStorage | None = None
        self._file: tuple[int, int] | None = None

    def get(self) -> BaseStorage:
        """The storage: the same as before, but where its SQLite file was deleted or replaced.

        Raises ValueError, StorageError where it cannot be opened.
        """
        with self._lock:
            # Looked at before it is opened: what comes in its place meanwhile is another one next time.
            file = self._identity()
            if self._path is not None and (file is None or file != self._file):
                self._close()
            if self._storage is None:
                self._storage = open_storage(self._url, create=self._create)
                self._file = file or self._identity()
            return self._storage

    def close(self) -> None:
        """Gives it up, until it is asked for again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._storage is not None:
            close_storage(self._storage)
        self._storage = None

    def _identity(self) -> tuple[int, int] | None:
        if self._path is not None:
            with suppress(FileNotFoundError):
                file = self._path.stat()
                return file.st_dev, file.st_ino
        return None
