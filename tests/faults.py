"""Storages of which the n-th call goes wrong, or has something else happen in the middle of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol
from unittest.mock import patch

import sqlalchemy as sa
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage

from sgdr.search.storage.connect import close_storage, open_storage

Action = Callable[[], object]


class Away(Exception):
    """What a database that is away makes of a call."""

    connection_invalidated = True


class Killed(BaseException):
    """The worker that made the call is no more."""


def places(calls: Sequence[str], most: int) -> list[int]:
    """Some places of these calls, from 1, in rising order: of each kind, with the first and the last of it.

    Of each kind there are `most`, 2 or more, or all where they are fewer.
    """
    found = defaultdict[str, list[int]](list)
    for place, call in enumerate(calls, 1):
        found[re.sub(r"(\?, )+\?", "?", call)].append(place)  # of any number of variables
    return sorted({of[i * (len(of) - 1) // (most - 1)] for of in found.values() for i in range(most)})


def nothing() -> None:
    """Does nothing."""


def away() -> NoReturn:
    """Raises `Away`."""
    raise Away


def killed() -> NoReturn:
    """Raises `Killed`."""
    raise Killed


class Faults(Protocol):
    """A storage and what is to happen to it."""

    storage: Any
    """The storage as workers are given it."""
    inner: BaseStorage
    """The storage as it is looked into: nothing happens to it then."""

    def at(self, call: int, before: Action = nothing, after: Action = nothing) -> Any:
        """Within the block, does that before and after the n-th call, from 1; gives a list of the calls."""

    def close(self) -> None:
        """Closes the storage."""


class CallFaults:
    """Faults of a storage in memory: a call is one of Optuna's."""

    def __init__(self) -> None:
        self.inner = InMemoryStorage()
        self.storage: Any = _Calls(self)
        self._call = 0
        self._before: Action = nothing
        self._after: Action = nothing
        self._calls: list[str] = []

    @contextmanager
    def at(self, call: int, before: Action = nothing, after: Action = nothing) -> Iterator[list[str]]:
        """See `Faults`."""
        self._call, self._before, self._after, self._calls = call, before, after, []
        try:
            yield self._calls
        finally:
            self._call = 0

    def make(self, name: str, call: Callable[[], Any]) -> Any:
        """Makes that call."""
        self._calls.append(name)
        if len(self._calls) != self._call:
            return call()
        self._before()
        result = call()
        self._after()
        return result

    def close(self) -> None:
        """See `Faults`."""


class _Calls:
    def __init__(self, faults: CallFaults) -> None:
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._faults.inner, name)
        return lambda *args, **kwargs: self._faults.make(name, lambda: real(*args, **kwargs))


class StatementFaults:
    """Faults of a file of SQLite: a call is a statement, or a commit."""

    def __init__(self, url: str) -> None:
        self.storage, self.inner = (open_storage(url, create=True) for _ in range(2))

    @contextmanager
    def at(self, call: int, before: Action = nothing, after: Action = nothing) -> Iterator[list[str]]:
        """See `Faults`."""
        assert isinstance(self.storage, RDBStorage)
        engine, calls = self.storage.engine, list[str]()
        real = engine.dialect.do_commit

        def execute(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            calls.append(statement)
            if len(calls) == call:
                before()

        def executed(*rest: Any) -> None:
            if len(calls) == call:
                after()

        def commit(connection: Any) -> None:
            calls.append("COMMIT")
            if len(calls) == call:
                before()
            real(connection)
            if len(calls) == call:
                after()

        listeners = [("before_cursor_execute", execute), ("after_cursor_execute", executed)]
        for name, listener in listeners:
            sa.event.listen(engine, name, listener)
        try:
            with patch.object(engine.dialect, "do_commit", commit):
                yield calls
        finally:
            for name, listener in listeners:
                sa.event.remove(engine, name, listener)

    def close(self) -> None:
        """See `Faults`."""
        for storage in (self.storage, self.inner):
            close_storage(storage)
