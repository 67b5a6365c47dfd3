"""`sgdr trials`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sgdr.cli import options
from sgdr.schedule import FIELDS

if TYPE_CHECKING:
    from sgdr.search.study.study import Study

EXAMPLES = """
[bold]Examples[/bold]

  sgdr trials digits --sort value

  sgdr trials digits --failed

  sgdr trials digits --running

  sgdr trials digits --sort=-seconds -k 10 --json
"""


def trials(
    study: options.StudyName,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those that failed by an error, with where it happened.")
    ] = False,
    running: Annotated[bool, typer.Option("--running", help="Only those that are training now.")] = False,
    sort: Annotated[
        str, typer.Option(help="A column, as value, epochs, seconds or hparams.NAME; - before it reverses.")
    ] = "number",
    k: Annotated[int, typer.Option("-k", min=1, help="How many.")] = 50,
    storage: options.Storage = None,
    json: options.Json = False,
) -> None:
    """List the trials of a study, and what has become of each."""
    from sgdr.choices import Outcome
    from sgdr.cli import report
    from sgdr.search.study.listing import cells, ordered, row_outcome
    from sgdr.search.study.lookup import load

    loaded = load(study, storage)
    cell = cells(loaded.stored, sort.removeprefix("-"))
    wanted = {Outcome.FAILED} if failed else set[Outcome]()
    wanted |= {Outcome.RUNNING} if running else set()
    rows = [{**row, "outcome": row_outcome(row).value} for row in loaded.rows]
    rows = [row for row in rows if not wanted or row["outcome"] in wanted]
    shown = ordered(rows, cell, sort.startswith("-"))[:k]
    if json:
        report.print_json(shown)
        return
    if not shown:
        report.console().print(f"No {' or '.join(sorted(wanted)) or 'such'} trial in study {study!r}.")
        return
    _print(loaded, shown)
    if failed:
        for row in shown:
            if row["error"] is not None:
                report.console().print(f"Trial {row['number']}: {row['error'].rstrip()}\n", soft_wrap=True)
    if len(shown) < len(rows):
        report.remark(f"{len(shown)} of {len(rows)} trials; -k {len(rows)} shows all")


def _print(study: Study, rows: list[dict[str, Any]]) -> None:
    from sgdr.cli import report
    from sgdr.search.study.columns import flat_row, searched_column, searched_names

    searched = list(map(searched_column, searched_names(study.stored)))
    names = ["arm", "value", "epochs", *FIELDS, *searched, "seconds"]
    has_errors = any(row["error"] is not None for row in rows)
    table = []
    for row in rows:
        flat = flat_row(row)
        cells = [str(row["number"]), row["outcome"], *(_cell(flat[name]) for name in names)]
        table.append([*cells, *([_first_line(row["error"])] if has_errors else [])])
    named = {"value": study.stored.metric}
    headings = ["trial", "outcome", *(named.get(name, name) for name in names)]
    report.table([*headings, *(["error"] if has_errors else [])], table)


def _cell(value: Any) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _first_line(error: str | None) -> str:
    return next(iter((error or "").splitlines()), "–")
