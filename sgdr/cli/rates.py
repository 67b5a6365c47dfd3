"""`sgdr lr` and `sgdr plot`, which need no study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sgdr.cli import options
from sgdr.cli.output import write


def lr(
    base_lr: options.BaseLr = None,
    T_0: options.T0 = None,
    T_mult: options.TMult = 1,
    eta_min: options.EtaMin = 0.0,
    peak_decay: options.PeakDecay = 1.0,
    cycles: options.CycleCount = None,
    steps: Annotated[str, typer.Option(help="START:STOP, START:STOP:STRIDE, or one step.")] = "0:100",
    json: options.Json = False,
) -> None:
    """Print the learning rate at steps, in the unit of T_0.

    Example: sgdr lr --base-lr 0.1 --T-0 10 --T-mult 2 --steps 0:200:20
    """
    import json as encoder

    import numpy as np

    schedule = options.schedule(base_lr, T_0, T_mult, eta_min, peak_decay, cycles)
    chosen = options.steps(steps)
    rates = schedule(np.arange(chosen.start, chosen.stop, chosen.step))
    if json:
        write(encoder.dumps({"steps": list(chosen), "lr": rates.tolist()}))
        return
    write(
        "step\tlr\n"
        + "\n".join(f"{step}\t{rate!r}" for step, rate in zip(chosen, rates.tolist(), strict=True))
    )


def plot(
    study: Annotated[
        str | None,
        typer.Argument(help="Name of a study, whose best schedule is plotted.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write: .png, .svg or .pdf.")] = Path(
        "schedule.png"
    ),
    base_lr: options.BaseLr = None,
    T_0: options.T0 = None,
    T_mult: options.TMult = 1,
    eta_min: options.EtaMin = 0.0,
    peak_decay: options.PeakDecay = 1.0,
    cycles: options.CycleCount = None,
    steps: Annotated[str, typer.Option(help="START:STOP, without a study.")] = "0:100",
    storage: options.Storage = None,
) -> None:
    """Plot a schedule, and under it the curve of the trial where it is a study's best.

    Examples: sgdr plot digits -o digits.png, or sgdr plot --base-lr 0.1 --T-0 10 --T-mult 2 -o schedule.png
    """
    from sgdr import plot as plots

    if study is None:
        schedule = options.schedule(base_lr, T_0, T_mult, eta_min, peak_decay, cycles)
        chosen = options.steps(steps)
        plots.save(plots.schedule_figure(schedule, chosen.start, chosen.stop), out)
    elif base_lr is not None or T_0 is not None:
        raise ValueError(f"give either the study {study!r} or a schedule by --base-lr and --T-0, not both")
    else:
        from sgdr.search.study.lookup import load

        plots.save(plots.best_figure(load(study, storage)), out)
    typer.echo(str(out))
