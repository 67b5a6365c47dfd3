"""Counts what XLA compiles in this process: a silent compilation per trial is the classic way to be slow."""

from __future__ import annotations

import functools

EVENT = "/jax/core/compile/backend_compile_duration"

_seen: list[float] = []


@functools.cache
def _listen() -> None:
    import jax

    def note(event: str, duration_secs: float, **_: str | int) -> None:
        if event == EVENT:
            _seen.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(note)


def compilations() -> int:
    """Programs compiled since the first call of this function in the process."""
    _listen()
    return len(_seen)
