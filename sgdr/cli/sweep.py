"""`sgdr sweep`."""

from __future__ import annotations

import inspect
import shlex
import sys
from contextlib import redirect_stdout
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from sgdr.choices import Stage
from sgdr.cli import confirm as confirmation
from sgdr.cli import options, schedules
from sgdr.cli.imports import imported, importing
from sgdr.cli.progress import Shown, progress
from sgdr.search.problem.options import Place
from sgdr.search.problem.space import Space
from sgdr.search.sweeps.config import CONFIRM, OPTIONS

if TYPE_CHECKING:
    from sgdr.search.study.verdict import Verdict
    from sgdr.search.sweeps.launch import Result
    from sgdr.search.sweeps.progress import Progress as SweepProgress

EXAMPLES = """
[bold]Examples[/bold]

  sgdr sweep --workload digits --cost 16

  sgdr sweep --workload digits --cost 16 --start "cosine base_lr=0.03"

  sgdr sweep --workload digits --trials 64 --sampler tpe

  sgdr sweep --workload mnist1d --budget 60 --T-0 5:60 --T-mult 1,2 --pruner hyperband --timeout 30m

  sgdr sweep --workload my_package.my_module:workload --study mine --storage sqlite:///mine.db --resume

  sgdr sweep --workload digits --trials 256 --engine ray --workers 2 --storage postgresql://sgdr@db/sgdr
"""


_WORKLOAD = Annotated[
    str,
    typer.Option("--workload", "-w", help="A registered name (`sgdr workloads`), or package.module:object."),
]
_PARAMETERS = (
    inspect.Parameter("workload", inspect.Parameter.KEYWORD_ONLY, annotation=_WORKLOAD),
    *(options.parameter(option) for option in OPTIONS.values() if Place.COMMAND in option.shown),
    inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=options.Json),
)


def sweep(**typed: Any) -> None:
    """Search the schedule that is best for a workload."""
    from sgdr.search.storage.connect import StorageError, default_url

    workload = typed["workload"]
    asked = {name: options.read(OPTIONS[name], value) for name, value in typed.items() if name in OPTIONS}
    confirm, url = asked.pop(CONFIRM.name), asked["storage"] or default_url()
    space = Space(**{part.name: asked.pop(part.name) for part in fields(Space) if part.name in asked})
    if asked["engine"] == "local":  # the address may be the environment's
        asked["address"] = None
    say = Console(stderr=True, highlight=False, markup=False)
    if asked["relatives"]:
        say.print("sgdr: --relatives is deprecated: give --shapes, with those that are searched anyway")

    with importing():
        import optuna

        from sgdr.search.problem.lookup import registered
        from sgdr.search.study.lookup import load
        from sgdr.search.sweeps.launch import sweep as run
        from sgdr.search.sweeps.trial_log import TakenOver
        from sgdr.search.sweeps.worker import TooManyFailures

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        trained = imported(workload)
    name = trained.name if asked["study"] is None else asked["study"]
    try:
        with progress(say, _shown) as callback, redirect_stdout(sys.stderr):
            result = run(
                workload if asked["engine"] == "ray" and workload in registered() else trained,
                **{**asked, "storage": url, "study": name, "space": space},
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
        slots = asked["slots"]
        verdict = confirmation.run(name, trained, url, confirmation.TOP, confirmation.SEEDS, slots, again)
        result = replace(result, study=load(name, url))
    _print(result, verdict, workload, url, typed["json"])
    if result.reached and not result.study.counts.get("COMPLETE"):
        raise typer.Exit(options.FAILED)  # it has ended, and there is nothing that one could use


sweep.__signature__ = inspect.Signature(_PARAMETERS)  # type: ignore[attr-defined]
sweep.__annotations__ = {parameter.name: parameter.annotation for parameter in _PARAMETERS}


_DOING = {
    Stage.PEAK: "seeks the peak",
    Stage.SHAPES: "tries shapes",
    Stage.SEEDS: "repeats leaders on new seeds",
}


def _shown(state: SweepProgress) -> Shown:
    parts = [f"{state.running} running"]
    if state.cost is None:
        parts.append(f"cost {state.spent:.1f}")
    else:
        parts.insert(0, f"{state.finished} trials")
    if state.best is not None:
        parts.append(f"best {state.best:.4g}")
    if state.stage is not None:
        parts.append(_DOING[state.stage])
    if state.failed:
        parts.append(f"{state.failed} failed")
    if state.cost is None:
        return Shown("trials", state.finished, state.trials or 0, ", ".join(parts))
    return Shown("full trainings", state.spent, float(state.cost), ", ".join(parts))


def _again() -> str:
    """The command line that goes on."""
    words = ["sgdr", *sys.argv[1:]]
    return shlex.join(words if "--resume" in words else [*words, "--resume"])


def _print(result: Result, verdict: Verdict | None, workload: str, url: str, json: bool) -> None:
    from sgdr.cli import report
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
                "answer": study.answer.to_dict() if top else None,
                "trials": study.counts,
                "spent": round(study.spent, 4),
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
    report.answer(study.answer)
    report.describe(study, 5)
    if verdict:
        report.verdict(verdict, name)
    best = schedules.options_of(study.best.schedule)
    lines = (
        "Go on with",
        *([] if verdict else [f"  {_command(_confirm(workload), name, url)}"]),
        f"  {_command('answer', name, url)}",
        f"  {_command('best -k 10', name, url)}",
        f"  {_command('plot -o ' + shlex.quote('./' + name + '.png'), name, url)}",
        *([f"  sgdr lr {best} --steps 0:{study.best.budget}"] if best else []),
    )
    out.print("\n".join(lines), soft_wrap=True)  # a command is one line, to be copied
    if shown(url) != url:
        out.print("*** stands for the password, which is not shown")


def _confirm(workload: str) -> str:
    """The command that confirms what trained that workload."""
    return f"confirm -w {shlex.quote(workload)}" if ":" in workload else "confirm"


def _command(command: str, name: str, url: str) -> str:
    """A command line on that study."""
    from sgdr.cli import report

    return f"sgdr {command}{report.where(name, url)}"
