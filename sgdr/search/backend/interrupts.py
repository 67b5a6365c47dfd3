"""What Ctrl-C and SIGTERM do to a block: held back, ending it in one way, or given to another handler."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, TypeAlias

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Handler: TypeAlias = Callable[[int, FrameType | None], Any] | signal.Handlers | int | None


@contextmanager
def handled_by(handler: Handler, *numbers: signal.Signals) -> Iterator[None]:
    """Gives these signals to `handler` in the block; other threads than the main one never get any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, own in before.items():
            signal.signal(number, own)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds SIGINT and SIGTERM back until the block is done, then lets them through."""
    held: list[int] = []
    try:
        with handled_by(lambda number, frame: held.append(number), *SIGNALS):
            yield
    finally:
        for number in held[:1]:
            signal.raise_signal(number)


def terminate_as_interrupt() -> AbstractContextManager[None]:
    """Lets SIGTERM, by which schedulers preempt, end the block as Ctrl-C does: by KeyboardInterrupt."""
    return handled_by(signal.default_int_handler, signal.SIGTERM)
