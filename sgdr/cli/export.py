"""`sgdr export`: a schedule as code, a study's trials or a schedule's rates as a table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sgdr.cli import options, schedules
from sgdr.cli.output import write
from sgdr.outfile import write_whole
from sgdr.search.study.spreadsheet import csv_text

if TYPE_CHECKING:
    import pandas as pd

    from sgdr.export.parity import Job
    from sgdr.search.study.study import Best, Study
    from sgdr.shapes import Schedule

TABLES = ("json", "csv")
STEPS = "0:100"

EXAMPLES = """
[bold]Examples[/bold]

  sgdr export digits --to torch

  sgdr export digits --to keras --trial 38 -o schedule.py

  sgdr export --base-lr 0.1 --T-0 10 --T-mult 2 --to optax --steps-per-epoch 500 --budget 150

  sgdr export --shape wsd --base-lr 0.1 --length 95 --warmup 5 --to torch --steps-per-epoch 500 --budget 100

  sgdr export digits --to csv --curves -o curves.csv

  sgdr export --base-lr 0.1 --T-0 10 --T-mult 2 --to csv --steps 0:1000:10
"""


@schedules.taking_schedule
def export(
    to: Annotated[
        str, typer.Option(help="torch, optax, keras, braintools or transformers: code; json or csv: a table.")
    ],
    study: Annotated[
        str | None,
        typer.Argument(help="Name of a study, whose best schedule is exported.", show_default=False),
    ] = None,
    trial: Annotated[
        int | None, typer.Option(help="The study's trial of that number, in place of its best.")
    ] = None,
    steps_per_epoch: Annotated[
        int | None,
        typer.Option(
            help="Optimizer updates in an epoch: lengths count epochs, and the code steps per batch.",
            show_default="the study's",
        ),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(
            help="step or epoch: lengths count epochs, and rates change at every update, or once an epoch.",
            show_default="the study's",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(help="Length of the training, in the unit of the lengths.", show_default="the trial's"),
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(
            help="START:STOP or START:STOP:STRIDE, of a schedule's table of rates.", show_default=STEPS
        ),
    ] = None,
    curves: Annotated[
        bool, typer.Option("--curves", help="A row an epoch of a trial, in a study's table.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File to write.", show_default="stdout")
    ] = None,
    measure: Annotated[
        bool | None, typer.Option("--measure/--no-measure", hidden=True, show_default=False)
    ] = None,
    storage: options.Storage = None,
    **shaped: Any,
) -> None:
    """Write a schedule as code for another framework, or as a table of its rates.

    Of a study, the schedule is that of its best trial, and the tables are its trials or their curves. Code
    needs no sgdr, and says in a comment whether it steps per batch or per epoch. Comments below that of warm
    restarts tell what the framework's own scheduler cannot do of the schedule, and the nearest that it can.

    The code of a study changes the rate as its trials did. Of a function that has not said how many optimizer
    updates an epoch has, nobody knows: give --steps-per-epoch, or, for torch and braintools and where the
    function asked for one rate an epoch, --interval epoch.
    """
    from sgdr import export as exports
    from sgdr.export.parity import Job
    from sgdr.stepping import checked_interval, checked_steps_per_epoch

    if measure is not None:
        typer.echo("sgdr: leave out --measure and --no-measure: no framework is run", err=True)
    if to not in (*exports.TARGETS, *TABLES):
        raise ValueError(f"--to {to!r} must be one of {', '.join((*exports.TARGETS, *TABLES))}")
    if study is not None and (option := schedules.given(shaped)):
        raise ValueError(f"give either the study {study!r} or a schedule by {option}, not both")
    if to in TABLES:
        meaningless = {"--steps-per-epoch": steps_per_epoch, "--interval": interval, "--budget": budget}
        _refuse(f"--to {to}", meaningless)
    else:
        _refuse(f"--to {to}", {"--steps": steps, "--curves": curves or None})
    if study is None:
        _refuse("a schedule", {"--trial": trial, "--curves": curves or None})
        schedule = schedules.schedule(shaped)
        if to in TABLES:
            text = _encoded(_rates(schedule, options.steps(STEPS if steps is None else steps)), to)
        else:
            text = _code(Job(schedule, to, steps_per_epoch, budget, checked_interval(interval)))
    else:
        from sgdr.search.study.lookup import load

        _refuse("a study", {"--steps": steps})
        loaded = load(study, storage)
        if to in TABLES:
            text = _encoded(_trials(loaded, trial, curves), to)
        else:
            best = _completed(loaded, trial)
            stepping = best.stepping.with_given(
                checked_steps_per_epoch(steps_per_epoch), checked_interval(interval)
            )
            length = best.budget if budget is None else budget
            text = _code(Job(best.schedule, to, stepping.steps_per_epoch, length, stepping.interval))
    _deliver(text, out)


def _code(job: Job) -> str:
    """The code, and below it what the framework's own scheduler can do of the schedule."""
    from sgdr.export.parity import report_of

    comments = report_of(job).comments()
    return f"{job.code}\n{comments}" if comments else job.code


def _refuse(what: str, values: Mapping[str, object]) -> None:
    """Raises ValueError for the first option that is given, but has no meaning together with `what`."""
    for option, value in values.items():
        if value is not None:
            raise ValueError(f"{option} has no meaning for {what}; leave it out")


def _completed(study: Study, number: int | None) -> Best:
    if number is None:
        return study.best
    best = study.completed(number)
    if best is None:
        raise ValueError(
            f"--trial {number}: study {study.name!r} has no completed trial of that number; see sgdr best"
        )
    return best


def _trials(study: Study, number: int | None, curves: bool) -> pd.DataFrame:
    table = study.curves() if curves else _with_stated(study)
    if number is None:
        return table
    chosen = table[table["number"] == number]
    if chosen.empty:
        what = "curve of a trial" if curves else "trial"
        raise ValueError(
            f"--trial {number}: study {study.name!r} has no {what} of that number; see sgdr best"
        )
    return chosen


def _with_stated(study: Study) -> pd.DataFrame:
    """The trials, whose searched values are told apart from what is missing."""
    import pandas as pd

    from sgdr.search.study.columns import flat_row, searched_column, searched_names

    rows = [flat_row(row) for row in study.rows]
    searched = map(searched_column, searched_names(study.stored))
    values = {name: pd.Series([row[name] for row in rows], dtype=object) for name in searched}
    return study.trials().reset_index().assign(**values)


def _rates(schedule: Schedule, steps: range) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    chosen = np.arange(steps.start, steps.stop, steps.step)
    return pd.DataFrame({"step": chosen, "lr": schedule(chosen)})


def _encoded(table: pd.DataFrame, to: str) -> str:
    """CSV, or JSON as a list of objects in which what is missing or no finite number is null."""
    import json

    import numpy as np

    if to == "csv":
        return csv_text(table)
    known = table.astype(object).where(table.notna() & ~table.isin([np.inf, -np.inf]), None)
    return json.dumps(known.to_dict("records"), indent=2, allow_nan=False, default=datetime.isoformat) + "\n"


def _deliver(text: str, out: Path | None) -> None:
    """Writes to stdout, or to a file that is then whole, or as it was. Raises ValueError where it cannot."""
    if out is None:
        write(text.removesuffix("\n"))
        return
    if not out.name or os.path.isdir(out):  # noqa: PTH112  (that of Path raises for a name that is too long)
        raise ValueError(f"--out {str(out)!r} is a folder; name a file in it")
    write_whole(out, partial(Path.write_text, data=text, encoding="utf-8"))
    typer.echo(str(out))
