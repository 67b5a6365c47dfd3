"""A report: what a framework's own scheduler cannot do of a schedule, and the nearest that it can."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sgdr.export.parity import words
from sgdr.export.parity.job import Job
from sgdr.export.plan import comment

REPORTS = 1024


@dataclass(frozen=True)
class Report:
    """The report of one schedule in one framework."""

    cannot: tuple[str, ...]
    """What the framework's own scheduler cannot do of this schedule, a sentence each."""
    nearest: str | None
    """The nearest that it can do; None where the schedule has no code for the framework, and for what is not
    warm restarts alone, of which nothing is said."""

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"cannot": list(self.cannot), "nearest": self.nearest}

    def comments(self) -> str:
        """The report as the comments that stand below exported code; empty where nothing is said."""
        if self.nearest is None:
            return ""
        lines = [comment(f"The framework's own scheduler: {self.nearest}")]
        return "\n".join([*lines, *(comment(f"- {sentence}", "  ") for sentence in self.cannot)]) + "\n"


@lru_cache(maxsize=REPORTS)
def report_of(job: Job) -> Report:
    """The report of the job's schedule in its target."""
    try:
        _ = job.code
    except ValueError:  # a framework that computes in float32 has no 1e30
        return Report((), None)
    if not job.plan.restarts or job.plan.warmup:
        return Report((), None)
    cannot = words.cannot(job.plan, job.target, job.looked)
    return Report(tuple(cannot), words.nearest_said(job.plan, job.own, job.looked))
