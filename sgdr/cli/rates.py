"""`sgdr lr` and `sgdr plot`, which need no study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sgdr.cli import options, schedules
from sgdr.cli.output import write


@schedules.taking_schedule
def lr(
    steps: Annotated[str, typer.Option(help="START:STOP, START:STOP:STRIDE, or one step.")] = "0:100",
    json: options.Json = False,
    **shaped: Any,
) -> None:
    """Print the learning rate at steps, in the unit of the lengths, of a schedule of any shape.

    Examples: sgdr lr --base-lr 0.1 --T-0 10 --T-mult 2 --steps 0:200:20, or
    sgdr lr --shape linear --base-lr 0.1 --length 60 --warmup 5 --steps 0:60:10
    """
    import json as encoder

    import numpy as np

    schedule = schedules.schedule(shaped)
    chosen = options.steps(steps)
    rates = schedule(np.arange(chosen.start, chosen.stop, chosen.step))
    if json:
        write(encoder.dumps({"steps": list(chosen), "lr": rates.tolist()}))
        return
    write(
        "step\tlr\n"
        + "\n".join(f"{step}\t{rate!r}" for step, rate in zip(chosen, rates.tolist(), strict=True))
    )


@schedules.taking_schedule
def plot(
    study: Annotated[
        str | None,
        typer.Argument(help="Name of a study, whose best schedule is plotted.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write: .png, .svg or .pdf.")] = Path(
        "schedule.png"
    ),
    steps: Annotated[str, typer.Option(help="START:STOP, without a study.")] = "0:100",
    storage: options.Storage = None,
    **shaped: Any,
) -> None:
    """Plot a schedule, and under it the curve of the trial where it is a study's best.

    Examples: sgdr plot digits -o digits.png, or sgdr plot --base-lr 0.1 --T-0 10 --T-mult 2 -o schedule.png
    """
    from sgdr import plot as plots

    if study is None:
        schedule = schedules.schedule(shaped)
        chosen = options.steps(steps)
        plots.save(plots.schedule_figure(schedule, chosen.start, chosen.stop), out)
    elif option := schedules.given(shaped):
        raise ValueError(f"give either the study {study!r} or a schedule by {option}, not both")
    else:
        from sgdr.search.study.lookup import load

        plots.save(plots.best_figure(load(study, storage)), out)
    typer.echo(str(out))
