"""Locks between the processes of one user on one host, which the kernel opens when their holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from sgdr.search.storage.connect import shown, sqlite_file


class HostLock:
    """A lock that at most one process on this host holds."""

    def __init__(self, what: str, url: str, study: str = "") -> None:
        """Names the lock: `what`, for the storage at that URL, or for one study in it. Takes nothing yet."""
        file = sqlite_file(url)
        storage = shown(url) if file is None else str(file.resolve())
        name = hashlib.sha256("\n".join((what, storage, study)).encode()).hexdigest()[:32]
        self._path = Path(tempfile.gettempdir()) / f"sgdr-{os.getuid()}" / f"{name}.lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Takes the lock, if nobody else has it; returns whether this process has it now.

        Raises OSError where its folder is not the user's own: another user might have put links into it.
        """
        if self._descriptor is not None:
            if self._is_in_place(self._descriptor):
                return True
            self._close()  # the file was deleted: somebody else may hold another of that name
        _make_private(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        if self._is_in_place(descriptor):
            return True
        self._close()
        return False

    def release(self) -> None:
        """Gives the lock up, if this process has it, and leaves no file."""
        if self._descriptor is None:
            return
        if self._is_in_place(self._descriptor):
            self._path.unlink()
        self._close()

    def _is_in_place(self, descriptor: int) -> bool:
        """Whether the file that is locked is still the one of its name."""
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(descriptor), self._path.lstat())
        return False

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _make_private(folder: Path) -> None:
    """Makes a folder for this user alone. Raises OSError where it is there and is not."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} must be a folder of this user alone; remove it")
