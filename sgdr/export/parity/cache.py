"""What was measured, kept on disk: by schedule, framework, steps, code and versions."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from sgdr.cache_folder import directory
from sgdr.export.parity.installed import versions
from sgdr.export.parity.job import Job
from sgdr.export.parity.measured import Difference

MOST_FILES = 2_000
"""The most files, of a kilobyte each; the older half is deleted when there are more."""


def kept(job: Job) -> list[Difference] | None:
    """What is kept of the job; None for nothing, or nothing that can be read."""
    with contextlib.suppress(OSError, RuntimeError, ValueError, TypeError, KeyError):
        return [Difference.from_dict(each) for each in json.loads(_path(job).read_text())]
    return None


def keep(job: Job, found: list[Difference]) -> None:
    """Keeps it, where it can be written."""
    # Home may be unknown (RuntimeError), the folder read-only or full (OSError).
    with contextlib.suppress(OSError, RuntimeError):
        path = _path(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps([each.to_dict() for each in found]))
        unfinished.replace(path)
        _tidy(path.parent)


def _path(job: Job) -> Path:
    said = json.dumps([job.to_dict(), job.own.call, job.looked.words(), job.code, versions(job.target)])
    return directory() / "parity" / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.json"


def _tidy(folder: Path) -> None:
    files = list(folder.iterdir())
    if len(files) > MOST_FILES:
        for file in sorted(files, key=lambda each: each.stat().st_mtime)[: len(files) // 2]:
            file.unlink(missing_ok=True)
