"""Frameworks run in a process of their own: they take seconds and hundreds of megabytes to import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from sgdr.export.parity import cache
from sgdr.export.parity.job import Job
from sgdr.export.parity.measured import Difference

TIMEOUT_SECONDS = 120.0
"""Seconds for the import of a framework, and a dozen schedules, on a busy machine."""
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "0",
    "KERAS_BACKEND": "jax",
    "CUDA_VISIBLE_DEVICES": "",
}
"""Rates are computed on the processor, in 32 bits where the framework has no others."""

Found: TypeAlias = list[Difference] | str
"""What was measured, or why it was not, in one line."""
Started: TypeAlias = Callable[["subprocess.Popen[str]"], None]


def measured(
    jobs: Sequence[Job],
    *,
    timeout: float = TIMEOUT_SECONDS,
    niceness: int = 0,
    environment: Mapping[str, str] | None = None,
    on_start: Started | None = None,
) -> list[Found]:
    """What is found of each of these jobs, which are for one framework that is installed.

    What is kept on disk is not measured again, and what is measured is kept. `environment` is that of the
    process, None for this one's; `on_start` is called with the process, which may be killed.
    """
    known = [cache.kept(job) for job in jobs]
    missing = [job for job, found in zip(jobs, known, strict=True) if found is None]
    fresh = iter(_run(missing, timeout, niceness, environment, on_start) if missing else ())
    return [next(fresh) if found is None else found for found in known]


def _run(
    jobs: Sequence[Job],
    timeout: float,
    niceness: int,
    environment: Mapping[str, str] | None,
    on_start: Started | None,
) -> list[Found]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "sgdr.export.parity.child", jobs[0].target, str(niceness)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**(os.environ if environment is None else environment), **ENVIRONMENT},
        encoding="utf-8",
        errors="replace",
    )
    if on_start is not None:
        on_start(process)
    late = False
    with process:
        try:
            answers, said = process.communicate(
                "".join(json.dumps(job.to_dict()) + "\n" for job in jobs), timeout
            )
        except subprocess.TimeoutExpired:
            late = True
            process.kill()
            answers, said = process.communicate()
        except BaseException:
            process.kill()
            raise
    lines = answers.split("\n")[:-1]  # whole ones
    found: list[Found] = []
    for job, line in zip(jobs, lines, strict=False):
        differences = [Difference.from_dict(each) for each in json.loads(line)]
        cache.keep(job, differences)
        found.append(differences)
    why = f"it took longer than {timeout:g} s" if late else _end_of(process.returncode, said)
    return found + [why] * (len(jobs) - len(found))


def _end_of(status: int, said: str) -> str:
    last = ["", *filter(None, map(str.strip, said.splitlines()))][-1]
    return f"its process ended with status {status}{f': {last[:200]}' if last else ''}"
