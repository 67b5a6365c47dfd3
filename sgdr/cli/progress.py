"""Progress of what takes long, on stderr: a live bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sgdr.search.problem.callback import Callback

LINE_SECONDS = 10.0
"""Seconds between two lines where stderr is no terminal."""

State = TypeVar("State")


class Shown(NamedTuple):
    """How far something is."""

    what: str
    done: float
    total: float
    also: str

    @property
    def so_far(self) -> str:
        """What is done of all, where it is not counted with one decimal."""
        return "/".join(f"{part:.1f}" if isinstance(part, float) else str(part) for part in self[1:3])


@contextmanager
def progress(say: Console, shown: Callable[[State], Shown]) -> Iterator[Callback]:
    """A callback that says what it hears; `shown` puts into words how far something is."""
    if not say.is_terminal:
        lines = _Lines(say)
        yield Callback(lambda state: lines(shown(state)), lambda remark: say.print(f"sgdr: {remark}"))
        return
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[so_far]}", style="progress.download"),
        TextColumn("{task.fields[also]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        console=say,
    )
    with bar:
        task = bar.add_task("compiling", total=None, so_far="", also="")

        def show(state: State) -> None:
            now = shown(state)
            bar.update(
                task,
                description=now.what,
                completed=now.done,
                total=now.total,
                so_far=now.so_far,
                also=now.also,
            )

        yield Callback(show, lambda remark: bar.console.print(f"sgdr: {remark}"))


class _Lines:
    """Progress for a log file."""

    def __init__(self, say: Console) -> None:
        self._say = say
        self._next = time.monotonic() + LINE_SECONDS

    def __call__(self, shown: Shown) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_SECONDS
            self._say.print(f"{shown.so_far} {shown.what}  {shown.also}")
