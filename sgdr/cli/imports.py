"""Ctrl-C while a command is still importing what it needs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sgdr.cli.options import INTERRUPTED


@contextmanager
def importing() -> Iterator[None]:
    """Ends the process at once on Ctrl-C: nothing has begun, so that nothing is to be ended.

    An exception inside of an import may be swallowed there, or leave a library half made, which then crashes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(*_: Any) -> None:
    os.write(2, b"sgdr: interrupted\n")
    os._exit(INTERRUPTED)
