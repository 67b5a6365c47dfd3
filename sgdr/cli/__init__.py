"""The command `sgdr`: parsing and printing only. Each command imports what it needs when it runs."""

from __future__ import annotations

import gc
import sys
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException
from typer.main import get_command

from sgdr.cli import compare, confirm, export, options, rates, studies, sweep, trials

BAD_INPUT = 2
ENTRY_POINTS = "sgdr.commands"
"""The group of the Typer apps of other packages whose commands are commands of `sgdr`."""


class _Commands(TyperGroup):
    """The commands here, and those of other packages, which are loaded only when they may be meant."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_others()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or _others().get(cmd_name)


@cache
def _others() -> dict[str, Any]:
    commands: dict[str, Any] = {}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            other: Any = get_command(point.load())
        except Exception as error:  # of another package, of which the commands here need nothing
            _say(f"the commands of {point.value} are left out: {type(error).__name__}: {error}")
        else:  # a Typer app of a single command is that command
            commands |= getattr(other, "commands", {point.name: other})
    return commands


app = typer.Typer(
    cls=_Commands,
    name="sgdr",
    help="Find the warm-restart learning-rate schedule (SGDR) that is best for a model and a budget.",
    epilog="Begin with:  sgdr sweep --workload digits   then:  sgdr best digits",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
app.command("sweep", epilog=sweep.EXAMPLES)(sweep.sweep)
app.command("confirm", epilog=confirm.EXAMPLES)(confirm.confirm)
app.command("compare", epilog=compare.EXAMPLES)(compare.compare)
app.command("answer")(studies.answer)
app.command("best")(studies.best)
app.command("trials", epilog=trials.EXAMPLES)(trials.trials)
app.command("lr")(rates.lr)
app.command("plot")(rates.plot)
app.command("export", epilog=export.EXAMPLES)(export.export)
app.command("studies")(studies.studies)
app.command("workloads")(studies.workloads)
app.command("delete")(studies.delete)


def main() -> int:
    """Runs the command line and returns its exit code: 2 with one line on stderr for bad input."""
    # JAX and Optuna make a million objects that stay; searching them for garbage, again and again while they
    # are made and once more at the end, would take most of a second.
    gc.set_threshold(100_000, 20, 100)
    try:
        return _run()
    finally:
        gc.freeze()


def _run() -> int:
    try:
        return int(app(standalone_mode=False) or 0)
    except TyperException as error:
        message = error.format_message()  # empty where the help has been shown instead
        return _refuse(f"{message.rstrip('.')}; see --help") if message else BAD_INPUT
    except ValueError as error:
        return _refuse(str(error))
    except (Abort, KeyboardInterrupt):
        _say("interrupted")
        return options.INTERRUPTED


def _refuse(message: str) -> int:
    _say(" ".join(message.split()))
    return BAD_INPUT


def _say(message: str) -> None:
    print(f"sgdr: {message}", file=sys.stderr)  # noqa: T201
