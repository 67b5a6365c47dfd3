"""What the scheduler that a framework has itself cannot do of a schedule, and the nearest that it can.

It is said in words, without a framework: nothing of one is imported. `experiments/parity` runs them.
"""

from __future__ import annotations

import warnings

from sgdr import checks
from sgdr.export.parity.job import Job
from sgdr.export.parity.report import Report, report_of
from sgdr.shapes import Schedule
from sgdr.stepping import Interval

__all__ = ["Job", "Report", "report", "report_of"]


def report(
    schedule: Schedule,
    target: str,
    *,
    steps_per_epoch: int | None = None,
    budget: int | None = None,
    interval: Interval | None = None,
    measure: bool | None = None,
    timeout: float | None = None,
) -> Report:
    """What the own scheduler of `target` makes of `schedule`, with the arguments of `export.code`.

    Of other schedules than warm restarts, and of a warm-up, it says nothing.

    `measure` and `timeout` are deprecated, and do nothing: no framework is run.

    Raises:
        ValueError: for arguments that `export.code` refuses, other than fields beyond what the framework has.
    """
    if measure is not None or timeout is not None:
        warnings.warn("leave out measure and timeout: no framework is run", DeprecationWarning, stacklevel=2)
    job = Job(schedule, target, checks.plain(steps_per_epoch), checks.plain(budget), interval)
    _ = job.plan
    return report_of(job)


def drafted(job: Job) -> Report:
    """`report_of`, by a name that is deprecated."""
    warnings.warn("use sgdr.export.parity.report_of", DeprecationWarning, stacklevel=2)
    return report_of(job)
