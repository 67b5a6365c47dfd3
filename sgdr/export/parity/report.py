"""A report: in words what a framework cannot do of a schedule, and how far its rates are from ours."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from sgdr.export.parity import words
from sgdr.export.parity.installed import versions
from sgdr.export.parity.job import Job
from sgdr.export.parity.measured import Difference
from sgdr.export.parity.measuring import Found
from sgdr.export.plan import comment

Status: TypeAlias = Literal[
    "measured", "being measured", "not measured", "not installed", "no code", "failed"
]
DRAFTS = 1024


@dataclass(frozen=True)
class Report:
    """The report of one schedule in one framework."""

    status: Status
    """Whether the framework was run."""
    remark: str | None
    """How to install what is missing, or what failed."""
    cannot: tuple[str, ...]
    """What the framework's own scheduler cannot do of this schedule, a sentence each."""
    nearest: str | None
    """The nearest that it can do; None where the schedule has no code for the framework."""
    looked_at: str | None
    """The steps that are compared."""
    versions: dict[str, str] | None
    """The versions of what is run."""
    differences: tuple[Difference, ...] = ()
    """The differences of the exported code, and of the framework's own scheduler in every way to step it."""

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            **asdict(self),
            "cannot": list(self.cannot),
            "differences": [each.to_dict() for each in self.differences],
        }

    def with_found(self, found: Found) -> Report:
        """The report with what was measured, or with why it was not."""
        if isinstance(found, str):
            return replace(self, status="failed", remark=found)
        return replace(self, status="measured", differences=tuple(found))

    def with_status(self, status: Status) -> Report:
        """The report with another status."""
        return replace(self, status=status)

    def comments(self) -> str:
        """The report as the comments that stand below exported code."""
        lines = self._lines()
        return "".join(f"{comment(line, '  ' * line.startswith('- '))}\n" for line in lines)

    def _lines(self) -> list[str]:
        if self.nearest is None:
            return [f"No code: {self.remark}."]
        with_ = (
            "" if self.versions is None else f", with {' and '.join(map(' '.join, self.versions.items()))}"
        )
        lines = [f"Parity with the schedule, in {self.looked_at}{with_}:"]
        lines += [f"- {words.said(each)}" for each in self.differences]
        if self.status != "measured":
            lines.append(f"- {self.status}{f': {self.remark}' if self.remark else ''}.")
        lines.append(f"Its own scheduler: {self.nearest}")
        return lines + [f"- {sentence}" for sentence in self.cannot]


@lru_cache(maxsize=DRAFTS)
def drafted(job: Job) -> Report:
    """The report without measurements: what is known without the framework."""
    try:
        _ = job.code
    except ValueError as error:  # a framework that computes in float32 has no 1e30
        return Report("no code", str(error), (), None, None, None)
    said = (
        tuple(words.cannot(job.plan, job.target, job.looked)),
        words.nearest_said(job.plan, job.own, job.looked),
        job.looked.words(),
    )
    try:
        return Report("not measured", None, *said, versions(job.target))
    except LookupError as error:
        return Report("not installed", str(error), *said, None)
