"""A schedule as code for other frameworks: a script in which the optimizer's rate is ours at every step.

The code imports the framework alone. It uses the framework's own schedule where that one is right, and else a
small function that finds the cycle by exact arithmetic. Nothing is imported here: it is text that is written.

`parity` says what the framework's own scheduler cannot do of a schedule, and the nearest that it can.
"""

from __future__ import annotations

from sgdr.export import parity
from sgdr.export.writers import TARGETS, code

__all__ = ["TARGETS", "code", "parity"]
