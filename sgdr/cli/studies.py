"""`sgdr best`, `answer`, `studies`, `workloads` and `delete`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from sgdr.cli import options


def best(
    study: options.StudyName,
    k: Annotated[int, typer.Option("-k", help="How many.")] = 5,
    storage: options.Storage = None,
    json: options.Json = False,
) -> None:
    """Show the best schedules of a study."""
    from sgdr.cli import report
    from sgdr.search.study.lookup import load

    loaded = load(study, storage)
    if json:
        report.print_json([trial.to_dict() for trial in loaded.top(k)])
    else:
        report.describe(loaded, k)
        report.verdict_line(loaded)


def answer(
    study: options.StudyName,
    margin: Annotated[
        float | None,
        typer.Option(
            help="Differences below it do not count, and the simplest is recommended; in the metric's unit.",
            show_default="the sweep's, else a fifth of the standard deviation between seeds",
        ),
    ] = None,
    storage: options.Storage = None,
    json: options.Json = False,
) -> None:
    """Say which schedule to use, how sure that is, and whether restarts help.

    What each schedule is truly worth is worked out from all trainings that the study has seen, those on new
    seeds too. It names others that cannot be told from it, and the gain over the schedule that
    the search started from and over one cosine, with 95 % intervals.
    """
    from sgdr.cli import report
    from sgdr.search.study.lookup import load

    loaded = load(study, storage)
    reached = loaded.answer_within(margin)
    if json:
        report.print_json(reached.to_dict())
    else:
        report.answer(reached)
        report.pasted(reached, loaded)


def studies(storage: options.Storage = None, json: options.Json = False) -> None:
    """List the studies of a storage."""
    from sgdr.cli import report
    from sgdr.search.study.lookup import studies as all_studies

    rows: list[dict[str, Any]] = []
    for study in all_studies(storage, on_remark=report.remark):
        top = study.top(1)
        rows.append(
            {
                "study": study.name,
                "workload": study.stored.workload,
                "budget": study.stored.budget,
                "objective": study.stored.objective,
                "trials": study.counts,
                "outcomes": study.outcomes,
                "spent": round(study.spent, 4),
                "metric": study.stored.metric,
                "best": top[0].value if top else None,
                "verdict": study.verdict.decision if study.verdict else None,
                "started": study.started.isoformat(" ", "seconds") if study.started else None,
            }
        )
    if json:
        report.print_json(rows)
        return
    headings = ["study", "workload", "budget", "objective", "trials", "cost", "best", "verdict", "started"]
    report.table(
        headings,
        [
            [
                str(row["study"]),
                str(row["workload"]),
                str(row["budget"]),
                str(row["objective"]),
                report.outcomes(row["outcomes"]) or "none",
                f"{row['spent']:.1f}",
                f"{row['metric']} {report.number(row['best'])}" if row["best"] is not None else "–",
                str(row["verdict"] or "unconfirmed"),
                str(row["started"] or "–"),
            ]
            for row in rows
        ],
    )


def workloads(json: options.Json = False) -> None:
    """List the registered workloads."""
    from sgdr.cli import report
    from sgdr.search.problem.lookup import registered

    points = registered()
    if json:
        report.print_json([{"name": name, "object": point.value} for name, point in points.items()])
        return
    report.table(["workload", "object"], [[name, point.value] for name, point in points.items()])


def delete(
    study: options.StudyName,
    storage: options.Storage = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a study with all its trials."""
    from sgdr.search.study.lookup import delete as delete_study
    from sgdr.search.study.lookup import load

    count = len(load(study, storage).frozen)
    if not yes:
        if not sys.stdin.isatty():
            raise ValueError(
                f"study {study!r} has {count} trials: give --yes to delete them without being asked"
            )
        typer.confirm(f"Delete study {study!r} with its {count} trials?", abort=True)
    delete_study(study, storage)
