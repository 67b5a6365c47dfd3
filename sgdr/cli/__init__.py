"""The command `sgdr`: parsing and printing only. Each command imports what it needs when it runs."""

from __future__ import annotations

import gc
import sys

import typer
from typer.exceptions import Abort, TyperException

from sgdr.cli import confirm, export, options, rates, serve, studies, sweep

BAD_INPUT = 2

app = typer.Typer(
    name="sgdr",
    help="Find the warm-restart learning-rate schedule (SGDR) that is best for a model and a budget.",
    epilog="Begin with:  sgdr sweep --workload digits --trials 64   then:  sgdr best digits",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
app.command("sweep", epilog=sweep.EXAMPLES)(sweep.sweep)
app.command("confirm", epilog=confirm.EXAMPLES)(confirm.confirm)
app.command("best")(studies.best)
app.command("lr")(rates.lr)
app.command("plot")(rates.plot)
app.command("export", epilog=export.EXAMPLES)(export.export)
app.command("studies")(studies.studies)
app.command("workloads")(studies.workloads)
app.command("delete")(studies.delete)
app.command("serve", epilog=serve.SERVE_EXAMPLES)(serve.serve)
app.command("token", epilog=serve.TOKEN_EXAMPLES)(serve.token)


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
        print("sgdr: interrupted", file=sys.stderr)  # noqa: T201
        return options.INTERRUPTED


def _refuse(message: str) -> int:
    line = " ".join(message.split())
    print(f"sgdr: {line}", file=sys.stderr)  # noqa: T201
    return BAD_INPUT
