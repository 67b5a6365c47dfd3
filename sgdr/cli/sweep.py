"""`sgdr sweep`."""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console

from sgdr.cli import confirm as confirmation
from sgdr.cli import options
from sgdr.cli.imports import imported, importing
from sgdr.cli.progress import Shown, progress
from sgdr.search.problem.arms import DEFAULT_SHARE
from sgdr.shapes import CONTROLS, RELATIVES, SHAPES

if TYPE_CHECKING:
    from sgdr.search.study.verdict import Verdict
    from sgdr.search.sweeps.launch import Result
    from sgdr.search.sweeps.worker import Progress as SweepProgress

ON_RAY = "Several workers"
EXAMPLES = """
[bold]Examples[/bold]

  sgdr sweep --workload digits --trials 64

  sgdr sweep --workload mnist1d --budget 60 --T-0 5:60 --T-mult 1,2 --pruner hyperband --timeout 30m

  sgdr sweep --workload my_package.my_module:workload --study mine --storage sqlite:///mine.db --resume

  sgdr sweep --workload digits --trials 256 --engine ray --workers 2 --storage postgresql://sgdr@db/sgdr
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
        typer.Option(help="restart-aware, hyperband, median or none."),
    ] = "restart-aware",
    sampler: Annotated[str, typer.Option(help="tpe or random.")] = "tpe",
    slots: options.SlotCount = "auto",
    engine: Annotated[
        str, typer.Option(help="local, one worker here, or ray, several on Ray.", rich_help_panel=ON_RAY)
    ] = "local",
    workers: Annotated[
        int,
        typer.Option(
            help="How many; on this machine one for each core at most is sensible.", rich_help_panel=ON_RAY
        ),
    ] = 1,
    cpus_per_worker: Annotated[float, typer.Option(help="Cores of a worker.", rich_help_panel=ON_RAY)] = 1,
    gpus_per_worker: Annotated[
        float,
        typer.Option(help="GPUs of a worker; a fraction shares one, and its memory.", rich_help_panel=ON_RAY),
    ] = 0,
    address: Annotated[
        str | None,
        typer.Option(
            help="Of a Ray cluster: auto, or HOST:PORT.",
            envvar="SGDR_RAY_ADDRESS",
            show_default="Ray is started on this machine",
            rich_help_panel=ON_RAY,
        ),
    ] = None,
    checkpoints: Annotated[
        str | None,
        typer.Option(
            help="Folder for the last trough of each trial; what is cut off goes on from there (functions of "
            "other frameworks begin anew). On Ray, one that all nodes have.",
            show_default="trials begin anew",
        ),
    ] = None,
    controls: Annotated[
        float,
        typer.Option(
            help="Share of the trials without restarts: "
            f"{', and '.join(SHAPES[name].words for name in CONTROLS)}."
        ),
    ] = DEFAULT_SHARE,
    relatives: Annotated[
        str | None,
        typer.Option(
            help=f"Further arms without restarts, each half as many as the controls: {', '.join(RELATIVES)}.",
            show_default="none, or the study's",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sweep.")] = 0,
    timeout: Annotated[
        str | None,
        typer.Option(help="Stop after so long (90s, 30m, 2h); --resume goes on.", show_default="never"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the study where there is one.")
    ] = False,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="Then train the best again on new seeds, as `sgdr confirm` does."),
    ] = False,
    json: options.Json = False,
) -> None:
    """Search the schedule that is best for a workload."""
    from sgdr.search.problem.space import Space
    from sgdr.search.storage.connect import StorageError, default_url

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

    with importing():
        import optuna

        from sgdr.search.problem.workload import registered
        from sgdr.search.study.study import load
        from sgdr.search.sweeps.launch import sweep as run
        from sgdr.search.sweeps.trial_log import TakenOver
        from sgdr.search.sweeps.worker import TooManyFailures

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        found = imported(workload)
    name = found.name if study is None else study
    try:
        with progress(say, _shown) as callback, redirect_stdout(sys.stderr):
            result = run(
                workload if engine == "ray" and workload in registered() else found,
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
                workers=workers,
                cpus_per_worker=cpus_per_worker,
                gpus_per_worker=gpus_per_worker,
                address=address if engine == "ray" else None,
                checkpoints=checkpoints,
                controls=controls,
                relatives=[name.strip() for name in relatives.split(",")] if relatives else (),
                seed=seed,
                timeout=stop,
                resume=resume,
                callback=callback,
            )
    except KeyboardInterrupt:
        say.print(f"Interrupted; nothing finished is lost. Go on with:\n  {_again()}", soft_wrap=True)
        raise typer.Exit(options.INTERRUPTED) from None
    except (StorageError, TooManyFailures, TakenOver, MemoryError) as error:
        say.print(f"sgdr: {error}", soft_wrap=True)
        raise typer.Exit(options.FAILED) from None
    verdict = None
    if confirm and result.reached and result.study.counts.get("COMPLETE"):
        again = _command(_confirm(workload), name, url)
        verdict = confirmation.run(name, found, url, confirmation.TOP, confirmation.SEEDS, count, again)
        result = replace(result, study=load(name, url))
    _print(result, verdict, workload, url, json)


def _shown(state: SweepProgress) -> Shown:
    parts = [f"{state.running} running"]
    if state.best is not None:
        parts.append(f"best {state.best:.4g}")
    if state.failed:
        parts.append(f"{state.failed} failed")
    return Shown("trials", state.finished, state.trials, ", ".join(parts))


def _again() -> str:
    """The command line that goes on."""
    words = ["sgdr", *sys.argv[1:]]
    return shlex.join(words if "--resume" in words else [*words, "--resume"])


def _print(result: Result, verdict: Verdict | None, workload: str, url: str, json: bool) -> None:
    from sgdr.cli import report
    from sgdr.schedule import WarmRestarts
    from sgdr.search.storage.connect import shown

    study = result.study
    name = study.name
    top = study.top(5)
    if json:
        report.print_json(
            {
                "study": name,
                "storage": shown(url),
                "reached": result.reached,
                "best": top[0].to_dict() if top else None,
                "top": [best.to_dict() for best in top],
                "verdict": verdict.to_dict() if verdict else None,
                "trials": study.counts,
                "arms": study.arms,
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
    if not top:
        out.print(f"No trial was completed; {study.why_none()}", soft_wrap=True)
        return
    report.describe(study, 5)
    if verdict:
        report.verdict(verdict, name)
    best = study.best.schedule
    lines = (
        "Go on with",
        *([] if verdict else [f"  {_command(_confirm(workload), name, url)}"]),
        f"  {_command('best -k 10', name, url)}",
        f"  {_command('plot -o ' + shlex.quote('./' + name + '.png'), name, url)}",
        *(
            [
                f"  sgdr lr --base-lr {best.base_lr:g} --T-0 {best.T_0} --T-mult {best.T_mult}"
                f" --eta-min {best.eta_min:g} --steps 0:{study.best.budget}"
            ]
            if isinstance(best, WarmRestarts)
            else []
        ),
    )
    out.print("\n".join(lines), soft_wrap=True)  # a command is one line, to be copied
    if shown(url) != url:
        out.print("*** stands for the password, which is not shown")


def _confirm(workload: str) -> str:
    """The command that confirms what trained that workload."""
    return f"confirm -w {shlex.quote(workload)}" if ":" in workload else "confirm"


def _command(command: str, name: str, url: str) -> str:
    """A command line on that study."""
    from sgdr.search.storage.connect import DEFAULT_URL, shown

    where = "" if url == DEFAULT_URL else f" --storage {shlex.quote(shown(url))}"
    quoted = f"-- {shlex.quote(name)}" if name.startswith("-") else shlex.quote(name)
    return f"sgdr {command}{where} {quoted}"
