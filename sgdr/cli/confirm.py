"""`sgdr confirm`."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sgdr.cli import options
from sgdr.cli.imports import imported, importing
from sgdr.cli.progress import Shown
from sgdr.cli.running import running

if TYPE_CHECKING:
    from sgdr.search.evaluation.race import ConfirmProgress
    from sgdr.search.problem.workload import CallableWorkload, Workload
    from sgdr.search.study.verdict import Verdict

TOP, SEEDS = 3, 64

EXAMPLES = """
[bold]Examples[/bold]

  sgdr confirm digits

  sgdr confirm digits --top 2 --seeds 32

  sgdr confirm mine --workload my_package.my_module:workload --storage sqlite:///mine.db
"""


def confirm(
    study: options.StudyName,
    top: Annotated[int, typer.Option(help="Candidates of each arm.")] = TOP,
    seeds: Annotated[
        int, typer.Option(help="The most per candidate; fewer where it is clear sooner.")
    ] = SEEDS,
    workload: options.StudyWorkload = None,
    storage: options.Storage = None,
    slots: options.SlotCount = "auto",
    json: options.Json = False,
) -> None:
    """Train the best schedules again on new seeds, and say whether restarts help.

    The best trials of each arm (restarts, one cosine cycle, a constant rate), and the schedules that the
    search started from, are trained side by side on seeds that the search has not seen. The study keeps the
    result; a confirmation that was cut off goes on.
    """
    count = options.slots("--slots", slots)
    with importing():
        from sgdr.cli import report

        workload_object = None if workload is None else imported(workload)
    again = shlex.join(["sgdr", *sys.argv[1:]])
    verdict = run(study, workload_object, storage, top, seeds, count, again)
    if json:
        report.print_json(verdict.to_dict())
    else:
        report.verdict(verdict, study)


def run(
    study: str,
    workload: Workload | CallableWorkload | None,
    storage: str | None,
    top: int,
    seeds: int,
    slots: int | str,
    again: str,
) -> Verdict:
    """Confirms with progress on stderr. Ends the command where it is interrupted or fails."""
    from sgdr.search.evaluation.confirm import confirm as confirmed

    with running(_shown, "finished rounds", again) as callback:
        return confirmed(
            study,
            storage=storage,
            workload=workload,
            top=top,
            seeds=seeds,
            slots=slots,
            callback=callback,
        )


def _shown(progress: ConfirmProgress) -> Shown:
    return Shown(
        what=f"epochs to seed {progress.seeds} of {progress.most}",
        done=progress.epochs,
        total=progress.planned,
        also=f"{progress.candidates} candidates",
    )
