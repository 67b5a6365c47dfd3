"""What a command imports: workloads, and Ctrl-C while it is at it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AbstractContextManager, redirect_stdout
from typing import TYPE_CHECKING, Any

from sgdr.cli.options import INTERRUPTED
from sgdr.search.backend.interrupts import handled_by

if TYPE_CHECKING:
    from sgdr.search.problem.workload import CallableWorkload, Workload


def importing() -> AbstractContextManager[None]:
    """Ends the process at once on Ctrl-C: nothing has begun, so that nothing is to be ended.

    An exception inside of an import may be swallowed there, or leave a library half made, which then crashes.
    """
    return handled_by(_leave, signal.SIGINT)


def _leave(*_: Any) -> None:
    os.write(2, b"sgdr: interrupted\n")
    os._exit(INTERRUPTED)


def imported(workload: str) -> Workload | CallableWorkload:
    """The workload of that name, or at that path. Raises ValueError where there is none."""
    from sgdr.search.backend.devices import use_all_cores
    from sgdr.search.problem.lookup import find

    sys.path.insert(0, "")  # package.module:object is looked for in the current folder, as by `python -m`
    use_all_cores()
    with redirect_stdout(sys.stderr):  # what a module prints; stdout is for results
        return find(workload, allow_import=True)
