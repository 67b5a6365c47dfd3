"""A schedule as code for other frameworks: a script in which the optimizer's rate is ours at every step.

Every shape is written, also after a warm-up. The code imports the framework alone. It uses the framework's
own schedule where that one is right, and else a small function that finds the cycle, or the part of the
schedule, by exact arithmetic. Nothing is imported here: it is text that is written.

`parity` says what the framework's own scheduler cannot do of warm restarts, and the nearest that it can.
"""

from __future__ import annotations

from sgdr.export import parity
from sgdr.export.writers import TARGETS, code

__all__ = ["TARGETS", "code", "parity"]
