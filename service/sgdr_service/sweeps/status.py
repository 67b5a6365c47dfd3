"""How a sweep stands, as clients are told it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sgdr import choices
from sgdr.search.storage.leases import leases, living
from sgdr.search.study.study import Study
from sgdr_service.documented import documented
from sgdr_service.sweeps.record import STATES, SweepRecord, at_work, is_of_launch, read_record

SERVICE: Literal["service"] = "service"
COMMAND_LINE: Literal["command line"] = "command line"
"""The names of who began a sweep; the second stands for any process that the service did not start."""


if TYPE_CHECKING:
    State: TypeAlias = str
else:  # of words that are known at run time alone
    State = Literal[STATES]


@dataclass(frozen=True)
class BestValue:
    """The best completed trial so far."""

    number: int
    value: float


@documented(
    {
        "id": "digits",
        "study": "digits",
        "workload": "digits",
        "launched_by": "service",
        "state": "running",
        "resumable": False,
        "trials": 64,
        "cost": None,
        "finished": 21,
        "spent": 3.45,
        "running": 16,
        "workers": 1,
        "outcomes": {"complete": 2, "pruned": 19, "running": 16},
        "arms": {"restarts": 5, "cosine": 8, "constant": 8},
        "best": {"number": 6, "value": 0.01938},
        "requested": "2026-11-22T09:12:40.120+00:00",
        "started": "2026-11-22T09:12:40.502+00:00",
        "ended": None,
        "error": None,
        "host": "trainer",
        "pid": 4711,
        "request": {"workload": "digits", "trials": 64},
    }
)
@dataclass(frozen=True)
class SweepStatus:
    """A sweep, and how far it is. Times are ISO 8601, in UTC."""

    id: str
    """The name of its study, which is swept by one sweep at a time."""
    study: str
    workload: str
    launched_by: Literal["service", "command line"]
    state: State
    """How the sweep stands; dead: its process is gone without a word."""
    resumable: bool
    """Whether a POST with resume=true goes on with it."""
    trials: int | None
    """Asked for; null where a cost was, or the command line."""
    cost: float | None
    """Asked for, in full trainings; null where a number of trials was, or the command line."""
    finished: int
    """Trials that are complete or pruned, those of earlier runs included."""
    spent: float
    """What these have trained, in full trainings of the study's budget."""
    running: int
    workers: int
    """The number of workers that are at work."""
    outcomes: Mapping[str, int]
    """Trials by how they ended, in words."""
    arms: Mapping[str, int]
    """Finished trials of each arm."""
    best: BestValue | None
    requested: str | None
    started: str | None
    ended: str | None
    error: str | None
    """Why it failed."""
    host: str | None
    pid: int | None
    request: Mapping[str, Any] | None
    """All its arguments."""

    @property
    def share(self) -> float | None:
        """How much of what was asked for is done, from 0 to 1; None where that is not known."""
        done, asked = (self.finished, self.trials) if self.cost is None else (self.spent, self.cost)
        return min(done / asked, 1.0) if asked else None

    @property
    def so_far(self) -> str:
        """What is done of what was asked for, in words."""
        if self.cost is not None:
            return f"{self.spent:.1f} of {self.cost:g} full trainings"
        return (
            f"{self.finished} trials" if self.trials is None else f"{self.finished} of {self.trials} trials"
        )


def status(study: Study) -> SweepStatus:
    """The latest sweep of a study, as the study stood when it was read; a process of this host is looked at.

    A study that the command line has swept is finished where its last worker ended in order, else dead.
    """
    attributes = study.attributes
    record = read_record(attributes)
    if record is None or (not record.active and living(attributes, time.time())):
        return _of_command_line(study)
    process, end = record.process or {}, record.end or {}
    return _status(
        study,
        record.state,
        launched_by=SERVICE,
        resumable=record.resumable,
        trials=record.request["trials"],
        cost=record.request.get("cost"),  # of older sweeps there is none
        requested=_iso(record.requested),
        started=_iso(process.get("started")),
        ended=_iso(_ended(record)),
        error=end.get("error"),
        host=process.get("host", record.host),
        pid=process.get("pid"),
        request=record.request,
    )


def _of_command_line(study: Study) -> SweepStatus:
    # Workers that were launched end in order also where their launcher has not.
    claims = [claim for claim in leases(study.attributes).values() if not is_of_launch(claim)]
    last = max(claims, key=lambda claim: float(claim["seen"]), default=None)
    alive = at_work(study.attributes, time.time())
    claim = alive[0] if alive else last or {"ended": True}
    state = "running" if alive else "finished" if claim["ended"] else "dead"
    return _status(
        study,
        state,
        launched_by=COMMAND_LINE,
        resumable=state == "dead",
        trials=None,
        cost=None,
        requested=None,
        started=_iso(claim.get("started")),
        ended=_iso(claim.get("seen")) if state == "finished" else None,
        error=None,
        host=claim.get("host"),
        pid=claim.get("pid"),
        request=None,
    )


def _status(study: Study, state: str, **more: Any) -> SweepStatus:
    """The status of a sweep in that state, with what the study's trials say."""
    counts = study.counts
    best = next(iter(study.ranked()[:1]), None)
    goes_on = state in ("running", "confirming", "cancelling")  # else RUNNING is what a dead one left
    return SweepStatus(
        id=study.name,
        study=study.name,
        workload=study.stored.workload,
        state=state,
        finished=study.finished,
        spent=study.spent,
        running=counts.get(choices.State.RUNNING, 0) if goes_on else 0,
        workers=_workers(study) if goes_on else 0,
        outcomes=study.outcomes,
        arms=study.arms,
        best=None if best is None else BestValue(best.number, best.value),
        **more,
    )


def _workers(study: Study) -> int:
    """How many are at a study: whoever has launched others trains nothing itself."""
    claims = at_work(study.attributes, time.time())
    return sum(map(is_of_launch, claims)) or len(claims)


def _ended(record: SweepRecord) -> float | None:
    """Seconds since the epoch; None where it is not known."""
    if record.end:
        return float(record.end["time"])
    return float(record.cancel["time"]) if record.cancel and record.state == "cancelled" else None


def _iso(seconds: float | None) -> str | None:
    return (
        None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    )
