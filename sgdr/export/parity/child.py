"""The process in which a framework runs, `python -m sgdr.export.parity.child TARGET NICENESS`.

It gets a job a line on stdin, and writes what was measured a line on stdout.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial

from sgdr.cycles import FloatArray
from sgdr.export.parity.job import Job
from sgdr.export.parity.measured import CODE, Difference, compared
from sgdr.export.parity.own import Steps


def measure(job: Job) -> list[Difference]:
    """How far the exported code, and the framework's own scheduler, are from the schedule."""
    plan, own = job.plan, job.own
    running = importlib.import_module(f"sgdr.export.parity.running.{job.target}")

    def found(of: str, steps: Steps, rates: Callable[[Steps], FloatArray]) -> Difference:
        return compared(of, plan, steps, rates)

    differences = [found(CODE, job.looked.at(plan.cycles), partial(running.code, job.code, plan))]
    steps = job.looked.at(*filter(None, (plan.cycles, own.cycles)))
    if own.until is not None:
        steps = steps[steps < own.until]
    return differences + [found(way, steps, partial(rates, plan, own)) for way, rates in running.WAYS.items()]


def main(target: str, niceness: str) -> None:
    """Answers every line."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what frameworks print is no answer
    os.nice(int(niceness))
    for line in sys.stdin:
        job = Job.from_dict(json.loads(line))
        answers.write(json.dumps([each.to_dict() for each in measure(job)]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
