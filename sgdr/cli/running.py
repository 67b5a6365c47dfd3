"""What commands do around a long run: progress on stderr, and how the command ends where the run does not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from sgdr.cli import options
from sgdr.cli.progress import Shown, progress

if TYPE_CHECKING:
    from sgdr.search.problem.callback import Callback


@contextmanager
def running(shown: Callable[[Any], Shown], kept: str, again: str) -> Iterator[Callback]:
    """The callback of a run whose progress `shown` puts in words.

    A run that is interrupted or fails ends the command; `kept` says what is kept then, `again` is the command
    line that goes on.
    """
    from sgdr.search.storage.connect import StorageError

    say = Console(stderr=True, highlight=False, markup=False)
    try:
        with progress(say, shown) as callback, redirect_stdout(sys.stderr):
            yield callback
    except KeyboardInterrupt:
        say.print(f"Interrupted; {kept} are kept. Go on with:\n  {again}", soft_wrap=True)
        raise typer.Exit(options.INTERRUPTED) from None
    except (StorageError, MemoryError, RuntimeError) as error:
        say.print(f"sgdr: {error}", soft_wrap=True)
        raise typer.Exit(options.FAILED) from None
