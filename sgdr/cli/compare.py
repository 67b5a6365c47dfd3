"""`sgdr compare`."""

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
    from sgdr.search.evaluation.compare import CompareProgress
    from sgdr.search.evaluation.study_comparison import PairedDifference, StudyComparison
    from sgdr.search.problem.workload import CallableWorkload, Workload

EXAMPLES = """
[bold]Examples[/bold]

  sgdr compare digits "cosine base_lr=0.03"

  sgdr compare digits trial:12 "restarts base_lr=0.1 T_0=10 T_mult=2 warmup=3" --seeds 32

  sgdr compare mine "linear base_lr=0.03" --workload my_package.my_module:workload

  sgdr compare digits --json
"""


def compare(
    study: options.StudyName,
    schedules: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCHEDULE",
            help='Each as of --start, "cosine base_lr=0.03", or trial:12 for a trial of the study; '
            "none: what the study keeps.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each schedule.")] = 16,
    workload: options.StudyWorkload = None,
    storage: options.Storage = None,
    slots: options.SlotCount = "auto",
    json: options.Json = False,
) -> None:
    """Train any schedules, and the recommended one, on the same new seeds.

    The seeds are those of a confirmation, which the search has not seen, and each run goes to its end. The
    study keeps every value: what is known is not trained again, and a comparison that was cut off goes on.
    """
    count = options.slots("--slots", slots)
    with importing():
        from sgdr.cli import report

        workload_object = None if workload is None else imported(workload)
    again = shlex.join(["sgdr", *sys.argv[1:]])
    result = _run(study, schedules or [], workload_object, storage, seeds, count, again)
    if json:
        report.print_json(result.to_dict())
    else:
        _print(result, study)


def _run(
    study: str,
    schedules: list[str],
    workload: Workload | CallableWorkload | None,
    storage: str | None,
    seeds: int,
    slots: int | str,
    again: str,
) -> StudyComparison:
    """Compares with progress on stderr. Ends the command where it is interrupted or fails."""
    from sgdr.search.evaluation.compare_study import compare_study

    with running(_shown, "finished runs", again) as callback:
        return compare_study(
            study,
            schedules,
            storage=storage,
            workload=workload,
            seeds=seeds,
            slots=slots,
            callback=callback,
        )


def _shown(progress: CompareProgress) -> Shown:
    return Shown("epochs", progress.epochs, progress.planned, "")


def _print(result: StudyComparison, study: str) -> None:
    """A table of the schedules, and what it says in a sentence, on stdout."""
    from sgdr.cli import report
    from sgdr.search.problem.objective import measure

    rows = [
        [
            str(place),
            "–" if one.number is None else str(one.number),
            one.words,
            "–" if one.mean is None else f"{report.number(one.mean)}{_interval(one.low, one.high)}",
            str(len(one.values) + len(one.diverged)),
            str(len(one.diverged)),
            _difference(one.difference),
        ]
        for place, one in enumerate(result.schedules, 1)
    ]
    measured = f"{measure(result.objective, result.metric)}, mean (95 %)"
    headings = ["", "trial", "schedule", measured, "seeds", "diverged", "minus that of 1 (95 %)"]
    report.table(headings, rows, title=f"Schedules of study {study!r} on the same new seeds")
    report.console().print(result.words, soft_wrap=True)


def _interval(low: float | None, high: float | None, form: str = ".4g") -> str:
    return "" if low is None or high is None else f" ({low:{form}} to {high:{form}})"


def _difference(apart: PairedDifference | None) -> str:
    return "–" if apart is None else f"{apart.mean:+.2g}{_interval(apart.low, apart.high, '+.2g')}"
