"""`sgdr serve` and `sgdr token`, by the entry point with which they come to the command line.

Neither this module nor the help of its commands imports what the extra `service` installs.
"""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from sgdr.cli import options
from sgdr.extras import install

app = typer.Typer()

SERVE_EXAMPLES = """
[bold]Examples[/bold]

  sgdr serve

  curl 'http://127.0.0.1:8000/v1/lr?base_lr=0.1&T_0=10&T_mult=2&step=37'

  sgdr token && sgdr serve --host 0.0.0.0 --workers 2 --storage postgresql://…

Every setting is also an environment variable SGDR_…, or a line of a file .env: SGDR_MAX_RUNNING (sweeps at
once), SGDR_MAX_QUEUED, SGDR_MAX_TRIALS, SGDR_MAX_BUDGET, SGDR_MAX_SECONDS, SGDR_MAX_WORKERS (of a sweep on
Ray), SGDR_RAY_ADDRESS (of a cluster; none: Ray is started here), SGDR_CHECKPOINTS (a folder for the last
troughs of trials), SGDR_TOKEN_HASH, SGDR_TOKEN_FILE, SGDR_PUBLIC_READING, SGDR_CORS_ORIGINS,
SGDR_ALLOWED_HOSTS, SGDR_ROOT_PATH, SGDR_MAX_BODY_BYTES, SGDR_SHUTDOWN_SECONDS, SGDR_DASHBOARD (false: none),
SGDR_LOG_LEVEL.
"""
TOKEN_EXAMPLES = """
[bold]Examples[/bold]

  export SGDR_TOKEN=$(sgdr token)

  curl -H "Authorization: Bearer $SGDR_TOKEN" --json '{"workload": "digits"}' http://127.0.0.1:8000/v1/sweeps
"""


@app.command(epilog=SERVE_EXAMPLES)
def serve(
    host: Annotated[
        str | None,
        typer.Option(help="Address; another than loopback needs a token.", show_default="127.0.0.1"),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="0: any free one, which is printed.", show_default="8000")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; only one alone has the dashboard.", show_default="1")
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(help="Path below which a proxy shows it, as /sgdr.", show_default="the host's own"),
    ] = None,
    storage: options.Storage = None,
) -> None:
    """Serve the dashboard in a browser, and rates, studies and sweeps over HTTP; documentation at /docs."""
    _needs_service()
    from sgdr_service.server import serve as run
    from sgdr_service.settings import read_settings

    settings = read_settings(host=host, port=port, workers=workers, root_path=root_path, storage=storage)
    if not run(settings):
        raise typer.Exit(options.FAILED)


@app.command(epilog=TOKEN_EXAMPLES)
def token(
    file: Annotated[
        Path | None,
        typer.Option(
            help="Where its hash is kept.", show_default="~/.config/sgdr/token", envvar="SGDR_TOKEN_FILE"
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="End the token that there is.")] = False,
) -> None:
    """Make the bearer token that writing to the service needs, and print it, this once."""
    _needs_service()
    from sgdr_service.tokens import default_file, hashed, make_token, write_hash

    path = file or default_file()
    secret = make_token()
    write_hash(path, secret, replace=replace)
    print(secret)  # noqa: T201
    told = "" if file is None else f" when it is told so, by SGDR_TOKEN_FILE={shlex.quote(str(path))}"
    words = (
        f"Its hash is in {path}, where `sgdr serve` finds it{told}. Elsewhere, set\n"
        f"  SGDR_TOKEN_HASH={hashed(secret)}"
    )
    print(words, file=sys.stderr)  # noqa: T201


def _needs_service() -> None:
    if importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("uvicorn") is None:
        raise ValueError(f"the service is not installed; {install('service')}")
