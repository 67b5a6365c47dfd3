"""A process that has imported what `sgdr` needs and forks for each command, which then begins in no time.

It reads a command a line on stdin, as JSON, and answers each with the exit status on stdout. It starts no
device of JAX and no thread, so that what it forks is as good as a fresh process.
"""

import atexit
import gc
import importlib
import json
import os
import sys
import threading
import traceback
import warnings
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from optuna.storages import RDBStorage
from sqlalchemy.orm import configure_mappers

PRELOADED = (
    "jax",
    "optax",
    "pandas",
    "scipy.stats",
    "matplotlib",
    "rich.progress",
    "sgdr.plot",
    "sgdr.cli",
    "sgdr.export.parity",
    "sgdr.search.sweeps.launch",
    "sgdr.search.evaluation.confirm",
    "sgdr.search.evaluation.compare_study",
    "sgdr.search.backend.population",
    "sgdr.search.backend.processes",
    # What commands import only when they come to it.
    "alembic.command",
    "jax.experimental.multihost_utils",
    "jaxlib.mlir.dialects.mhlo",
    "mako.template",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "pandas.io.formats.csvs",
    "pyarrow.pandas_compat",
    "rich.markdown",
    "sgdr.cli.report",
    "sgdr.cycles_jax",
    "sgdr.real_cycles_jax",
    "sqlalchemy.dialects.sqlite",
    "typer._adapters",
    "typer.rich_utils",
)


def read_schema_steps_once() -> None:
    """Optuna's steps from schema to schema are read from their files once, and not with each storage.

    That is four fifths of the time in which a storage is opened.
    """
    read, known = ScriptDirectory.from_config, dict[str, ScriptDirectory]()

    def once(config: Config) -> ScriptDirectory:
        folder = str(config.get_main_option("script_location"))
        if folder not in known:
            steps = read(config)
            steps.get_heads()
            known[folder] = steps
        return known[folder]

    ScriptDirectory.from_config = once  # type: ignore[method-assign]


def run(command: dict[str, Any]) -> int:
    """Becomes `python -m sgdr ARGUMENTS` in that folder and environment."""
    for number, (name, flags) in enumerate(
        (
            (command["stdin"], os.O_RDONLY),
            (command["stdout"], os.O_WRONLY),
            (command["stderr"], os.O_WRONLY),
        )
    ):
        opened = os.open(name, flags)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.path[:0] = [command["folder"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv[:] = ["sgdr", *command["arguments"]]
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        mode = "r" if number == 0 else "w"
        setattr(
            sys,
            name,
            os.fdopen(number, mode, encoding="utf-8", errors="strict" if number < 2 else "backslashreplace"),
        )
    from sgdr.cli import main

    try:
        return main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1


def serve() -> None:
    """Forks for one command after another."""
    for name in PRELOADED:
        importlib.import_module(name)
    # What each command would do anew: with Optuna's tables, and with their schema.
    configure_mappers()
    read_schema_steps_once()
    RDBStorage("sqlite://").engine.dispose()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # JAX warns of forks, lest its threads should be running
            child = os.fork()
        if child == 0:
            status = run(json.loads(line))
            threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does at its end
            atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(status & 0xFF)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
