"""How far a framework's rates are from ours: of exported code, and of the scheduler that it has itself.

A framework is run in a process of its own, if it is installed; nothing of it is imported here.
"""

from __future__ import annotations

from sgdr import checks
from sgdr.export.parity.job import Job
from sgdr.export.parity.measured import Difference
from sgdr.export.parity.measuring import TIMEOUT_SECONDS, measured
from sgdr.export.parity.report import Report, drafted
from sgdr.schedule import WarmRestarts
from sgdr.stepping import Interval

__all__ = ["Difference", "Job", "Report", "drafted", "measured", "report", "report_of"]


def report(
    schedule: WarmRestarts,
    target: str,
    *,
    steps_per_epoch: int | None = None,
    budget: int | None = None,
    interval: Interval | None = None,
    measure: bool = True,
    timeout: float = TIMEOUT_SECONDS,
) -> Report:
    """What `target` makes of `schedule`, with the arguments of `export.code`.

    In words always; and by how much its rates differ where it is installed, unless `measure` is False: that
    takes seconds, but for what was measured before and is kept in `~/.cache/sgdr`. It ends after `timeout`
    seconds. A target that is not installed, or does not run, is not an error: the report's `status` and
    `remark` say so.

    Raises:
        ValueError: for arguments that `export.code` refuses, other than fields beyond what the framework has.
    """
    job = Job(schedule, target, checks.plain(steps_per_epoch), checks.plain(budget), interval)
    return report_of(job, measure=measure, timeout=timeout)


def report_of(job: Job, *, measure: bool = True, timeout: float = TIMEOUT_SECONDS) -> Report:
    """What the job's target makes of its schedule: see `report`."""
    _ = job.plan
    draft = drafted(job)
    if not measure or draft.versions is None:
        return draft
    return draft.with_found(measured([job], timeout=timeout)[0])
