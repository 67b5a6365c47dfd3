"""What is drawn of a study, made once for all who look at it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, ParamSpec, TypeVar

from fastapi.concurrency import run_in_threadpool

from sgdr.search.study.study import Study

Params = ParamSpec("Params")
Drawn = TypeVar("Drawn")


class Seen(NamedTuple):
    """A study as it stood: equal to another while nothing was written."""

    study: Study
    trials: list[Any]
    attributes: dict[str, Any]

    @classmethod
    def of(cls, study: Study) -> Seen:
        """A study that has just been read."""
        return cls(study, study.frozen, study.attributes)

    def is_as(self, other: Seen) -> bool:
        """Whether nothing was written between the two."""
        return all(one is two for one, two in zip(self, other, strict=True))


class Shared:
    """What is drawn of studies, shared within one event loop. `most`: studies of which something is kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._studies: OrderedDict[str, tuple[Seen, dict[Hashable, asyncio.Task[Any]]]] = OrderedDict()

    async def get(
        self,
        seen: Seen,
        key: Hashable,
        make: Callable[Params, Drawn],
        *args: Params.args,
        **options: Params.kwargs,
    ) -> Drawn:
        """What `make` gives of the rest, in a thread; `key` says what it is, and what it depends on."""
        name = seen.study.name
        if name not in self._studies or not seen.is_as(self._studies[name][0]):
            self._studies[name] = (seen, {})
            self._studies.move_to_end(name)
            while len(self._studies) > self._most:
                self._studies.popitem(last=False)
        tasks = self._studies[name][1]
        if key not in tasks:
            tasks[key] = asyncio.create_task(run_in_threadpool(make, *args, **options))
        try:
            # One who looks and leaves does not take it from the others.
            drawn: Drawn = await asyncio.shield(tasks[key])
        except Exception:
            tasks.pop(key, None)
            raise
        return drawn
