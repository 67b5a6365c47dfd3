"""`sgdr sweep`."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sgdr.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdr.search.launch import Result
    from sgdr.search.worker import Progress as SweepProgress

INTERRUPTED = 130
FAILED = 1
LINE_SECONDS = 10.0
"""Between two lines of progress where stderr is no terminal."""

EXAMPLES = """
[bold]Examples[/bold]

  sgdr sweep --workload digits --trials 64

  sgdr sweep --workload mnist1d --budget 60 --T-0 5:60 --T-mult 1,2 --pruner hyperband --timeout 30m

  sgdr sweep --workload my_package.my_module:workload --study mine --storage sqlite:///mine.db --resume
"""


def sweep(
    workload: Annotated[
        str,
        typer.Option(
            "--workload", "-w", help="A registered name (`sgdr workloads`), or package.module:object."
        ),
    ],
    trials: Annotated[
        int, typer.Option(help="Trials to finish, those of earlier runs of the study included.")
    ] = 64,
    budget: Annotated[
        int | None, typer.Option(help="Epochs of one trial.", show_default="the workload's")
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="Name of the study.", show_default="the workload's")
    ] = None,
    storage: options.Storage = None,
    base_lr: Annotated[
        str | None,
        typer.Option("--base-lr", help="Range of the peak rate.", show_default="the workload's, else 1e-3:1"),
    ] = None,
    T_0: Annotated[
        str | None,
        typer.Option("--T-0", help="Range of the first cycle's length, in epochs.", show_default="1:budget"),
    ] = None,
    T_mult: Annotated[str, typer.Option("--T-mult", help="Factors by which cycles may grow.")] = "1,2,3",
    eta_ratio: Annotated[str, typer.Option("--eta-ratio", help="Range of eta_min / base_lr.")] = "0:0.1",
    closed: Annotated[
        bool,
        typer.Option("--closed", help="Search cycles in place of T_0, and end trials at their last trough."),
    ] = False,
    objective: Annotated[
        str, typer.Option(help="What a trial is worth: best-epoch, best-trough or final.")
    ] = "best-epoch",
    pruner: Annotated[
        str,
        typer.Option(
            help="restart-aware, hyperband, median or none. "
            "The restart-aware rule is not there yet: median takes its place."
        ),
    ] = "restart-aware",
    sampler: Annotated[str, typer.Option(help="tpe or random.")] = "tpe",
    slots: Annotated[str, typer.Option(help="Trials trained side by side: a number, or auto.")] = "auto",
    engine: Annotated[str, typer.Option(help="local.")] = "local",
    seed: Annotated[int, typer.Option(help="The same seed gives the same sweep.")] = 0,
    timeout: Annotated[
        str | None,
        typer.Option(help="Stop after so long (90s, 30m, 2h); --resume goes on.", show_default="never"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the study where there is one.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Search the schedule that is best for a workload."""
    from sgdr.search.space import Space
    from sgdr.search.storage import StorageError, default_url

    space = Space(
        base_lr=options.numbers("--base-lr", base_lr, float),
        T_0=cast("tuple[int, int] | int | None", options.numbers("--T-0", T_0, int)),
        T_mult=options.whole_numbers("--T-mult", T_mult),
        eta_ratio=options.numbers("--eta-ratio", eta_ratio, float) or 0.0,
        closed=closed,
    )
    count = options.slots(slots)
    stop = options.seconds(timeout)
    url = storage or default_url()
    say = Console(stderr=True, highlight=False, markup=False)

    import optuna

    from sgdr.search.devices import use_all_cores
    from sgdr.search.launch import sweep as run
    from sgdr.search.worker import TooManyFailures
    from sgdr.search.workload import find

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sys.path.insert(0, "")  # package.module:object is looked for in the current folder, as by `python -m`
    use_all_cores()
    with redirect_stdout(sys.stderr):  # what a module prints; stdout is for results
        found = find(workload, allow_import=True)
    name = found.name if study is None else study
    try:
        with _progress(say) as (on_progress, on_remark), redirect_stdout(sys.stderr):
            result = run(
                found,
                trials=trials,
                budget=budget,
                storage=url,
                study=name,
                space=space,
                objective=objective,
                pruner=pruner,
                sampler=sampler,
                slots=count,
                engine=engine,
                seed=seed,
                timeout=stop,
                resume=resume,
                on_progress=on_progress,
                on_remark=on_remark,
            )
    except KeyboardInterrupt:
        say.print(f"Interrupted; nothing finished is lost. Go on with:\n  {_again()}", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    except (StorageError, TooManyFailures, MemoryError) as error:
        say.print(f"sgdr: {error}", soft_wrap=True)
        raise typer.Exit(FAILED) from None
    _print(result, name, url, json)


@contextmanager
def _progress(say: Console) -> Iterator[tuple[Callable[[SweepProgress], None], Callable[[str], None]]]:
    """Shows progress on stderr: a live bar on a terminal, else a line now and then."""
    if not say.is_terminal:
        yield _Lines(say), lambda remark: say.print(f"sgdr: {remark}")
        return
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[best]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        console=say,
    )
    with bar:
        task = bar.add_task("compiling", total=None, best="")

        def show(progress: SweepProgress) -> None:
            bar.update(
                task,
                description="trials",
                completed=progress.finished,
                total=progress.trials,
                best=_summary(progress),
            )

        yield show, lambda remark: bar.console.print(f"sgdr: {remark}")


class _Lines:
    """Progress for a log file."""

    def __init__(self, say: Console) -> None:
        self._say = say
        self._next = time.monotonic() + LINE_SECONDS

    def __call__(self, progress: SweepProgress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_SECONDS
            self._say.print(f"{progress.finished}/{progress.trials} trials  {_summary(progress)}")


def _summary(progress: SweepProgress) -> str:
    parts = [f"{progress.running} running"]
    if progress.best is not None:
        parts.append(f"best {progress.best:.4g}")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    return ", ".join(parts)


def _again() -> str:
    """The command line that goes on."""
    words = ["sgdr", *sys.argv[1:]]
    return shlex.join(words if "--resume" in words else [*words, "--resume"])


def _print(result: Result, name: str, url: str, json: bool) -> None:
    from sgdr.cli import report
    from sgdr.search.storage import shown

    study = result.study
    complete = study.counts.get("COMPLETE", 0)
    if json:
        report.print_json(
            {
                "study": name,
                "storage": shown(url),
                "reached": result.reached,
                "best": report.as_json(study.best) if complete else None,
                "top": [report.as_json(best) for best in study.top(5)],
                "trials": study.counts,
                "outcomes": study.outcomes,
                "timing": {phase: round(seconds, 4) for phase, seconds in result.timing.items()},
                "compilations": result.compilations,
                "slots": result.slots,
                "devices": result.devices,
                "epochs": result.epochs,
                "trial_steps_per_second": result.trial_steps_per_second,
            }
        )
        return
    out = report.console()
    out.print(
        f"Trials: {report.outcomes(study.outcomes)}; this run took {result.timing['wall']:.1f} s "
        f"with {result.slots} slots on {result.devices}"
    )
    if study.last_error:
        out.print(f"The last that failed said {study.last_error}", soft_wrap=True)
    if not result.reached:
        out.print(f"Stopped at the timeout. Go on with:\n  {_again()}", soft_wrap=True)
    if not complete:
        out.print(f"No trial was completed; {study.why_none()}", soft_wrap=True)
        return
    report.describe(study, 5)
    where = "" if url == "sqlite:///sgdr.db" else f" --storage {shlex.quote(shown(url))}"
    best = study.best.schedule
    quoted = f"-- {shlex.quote(name)}" if name.startswith("-") else shlex.quote(name)
    lines = (
        "Go on with",
        f"  sgdr best -k 10{where} {quoted}",
        f"  sgdr plot -o {shlex.quote('./' + name + '.png')}{where} {quoted}",
        f"  sgdr lr --base-lr {best.base_lr:g} --T-0 {best.T_0} --T-mult {best.T_mult}"
        f" --eta-min {best.eta_min:g} --steps 0:{study.best.budget}",
    )
    out.print("\n".join(lines), soft_wrap=True)  # a command is one line, to be copied
