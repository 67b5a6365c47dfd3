"""A text that may be long, on stdout."""

from __future__ import annotations

import os
import sys

import typer


def write(text: str) -> None:
    """Prints it; ends the command quietly where its reader, as `head`, has seen enough."""
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        raise typer.Exit(0) from None
