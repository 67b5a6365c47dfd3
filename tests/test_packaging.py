"""The wheel, and what its extras bring, outside of the checkout: each is used, and says what is missing."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
import venv
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest

import sgdr

ROOT = Path(__file__).parents[1]
SECONDS = 240
EXTRAS = ("search", "service", "ray", "postgres", "workloads", "cuda")
"""The extras with the search."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * SECONDS)]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
# Of the environment only what a new user has; what is built takes its own tools from the constraints too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SGDR_"))}
ENVIRONMENT["PIP_CONSTRAINT"] = str(ROOT / "constraints.txt")


def done(command, folder, **environment):
    """The finished process of that command."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The path of the wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    built = done([*PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT], folder)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("sgdr-*.whl"))


@dataclass
class Environment:
    """A virtual environment outside of the checkout, and the folder in which its commands run."""

    folder: Path
    wheel: Path

    def install(self, extra=None, *packages):
        """The wheel with that extra, or none, and further packages."""
        wheel = f"{self.wheel}[{extra}]" if extra else str(self.wheel)
        into = [*PIP, "--python", self.folder / "env/bin/python", "install", "--quiet", "--no-compile"]
        finished = done([*into, wheel, *packages], self.folder)
        assert finished.returncode == 0, finished.stderr

    def sgdr(self, *arguments):
        """The finished command."""
        return done([self.folder / "env/bin/python", "-m", "sgdr", *arguments], self.folder)

    def python(self, code, **environment):
        """What the code prints; it must succeed."""
        finished = done([self.folder / "env/bin/python", "-c", code], self.folder, **environment)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def refusals(self, *codes, **environment):
        """What each of these statements says in its error."""
        caught = "try:\n    {}\nexcept (ImportError, ValueError) as error:\n    print(error)\n"
        code = "from sgdr import search\n" + "".join(map(caught.format, codes))
        lines = self.python(code, **environment).splitlines()
        assert len(lines) == len(codes)
        return lines


def made(folder, wheel):
    """A new environment, with Python alone, and the workload `tiny` in its folder."""
    venv.create(folder / "env")
    shutil.copy(ROOT / "tests" / "tiny.py", folder)
    return Environment(folder, wheel)


@pytest.fixture(scope="module")
def searching(wheel, tmp_path_factory):
    """An environment with the search; only to be used."""
    environment = made(tmp_path_factory.mktemp("searching"), wheel)
    environment.install("search")
    return environment


@pytest.fixture
def environment(wheel, tmp_path, searching):
    """A new one, which finds in that of the search what is installed there.

    Every extra that is tested in one brings all that the search's does, so that this is only not installed
    once more; for Keras it is JAX, the backend.
    """
    environment = made(tmp_path, wheel)
    own, shared = (next(each.folder.glob("env/lib/*/site-packages")) for each in (environment, searching))
    (own / "search.pth").write_text(f"{shared}\n")
    return environment


def swept(environment, *options):
    """Searches with the command, and asks the study for its best schedule."""
    finished = environment.sgdr("sweep", "--workload", "tiny:workload", "--trials", "4", *options)
    assert finished.returncode == 0, finished.stderr
    assert "Best schedule of study 'tiny'" in finished.stdout


def test_the_wheel_has_two_packages_and_extras_that_bring_what_they_need(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        information = f"sgdr-{sgdr.__version__}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{information}/METADATA").decode())
    assert {name.split("/")[0] for name in names} == {"sgdr", "sgdr_service", information}
    assert {"sgdr/py.typed", "sgdr_service/dashboard/assets/dashboard.css"} <= set(names)
    needed = [re.split(r"; extra == ", line) for line in metadata.get_all("Requires-Dist")]
    brought = {extra: {line for line, *of in needed if of == [f"'{extra}'"]} for extra in EXTRAS}
    assert sorted(line.split(">")[0] for line, *of in needed if not of) == ["numpy", "wrapt"]
    assert brought["search"] and all(brought["search"] <= of_extra for of_extra in brought.values())


def test_alone_it_brings_schedules_and_numpy(wheel, tmp_path):
    environment = made(tmp_path, wheel)
    environment.install()
    listed = environment.python(
        "from importlib.metadata import distributions\nprint(*sorted(each.name for each in distributions()))"
    )
    assert listed.split() == ["numpy", "sgdr", "wrapt"]
    used = (
        "import numpy as np, sgdr, sgdr_service\nfrom sgdr import export, search\n"
        "schedule = sgdr.WarmRestarts(0.1, T_0=10, T_mult=2)\n"
        "stepped = sgdr.CosineAnnealingWarmRestarts(base_lr=0.1, T_0=10)\nstepped.step()\n"
        "print(schedule(np.arange(3))[0], len(export.code(schedule, 'torch')) > 0)"
    )
    assert environment.python(used) == "0.1 True\n"
    needs = "which is not installed; pip install '.[{}]' in the folder of sgdr's source"
    assert environment.refusals(
        "search.sweep", "import sgdr.adapters.torch", "import sgdr.adapters.keras"
    ) == [
        f"sgdr.search.sweep needs optuna, {needs.format('search')}",
        f"sgdr.adapters.torch needs PyTorch, {needs.format('torch')}",
        f"sgdr.adapters.keras needs Keras, {needs.format('keras')}",
    ]
    refused = environment.sgdr("sweep", "--workload", "digits")
    assert refused.returncode == 2 and not refused.stdout
    assert refused.stderr == f"sgdr: the command sgdr needs typer, {needs.format('search')}\n"


def test_the_search_sweeps_into_a_file_and_says_what_it_lacks(searching):
    swept(searching)
    best = done([searching.folder / "env/bin/sgdr", "best", "tiny"], searching.folder)
    assert best.returncode == 0 and "Best schedule of study 'tiny'" in best.stdout
    refused = searching.sgdr("serve")
    assert refused.returncode == 2
    assert (
        refused.stderr
        == "sgdr: the service is not installed; pip install '.[service]' in the folder of sgdr's source\n"
    )
    database, digits, tune = searching.refusals(
        "search.load('tiny', 'postgresql://host/db')", "search.find('digits')", "search.tune_space"
    )
    assert "it needs psycopg; run pip install '.[postgres]'" in database
    assert "scikit-learn, which carries them, is missing: pip install '.[workloads]'" in digits
    assert tune.startswith("sgdr.search.tune needs Ray Tune: pip install '.[ray]'")


def test_postgres_is_swept_into(environment, postgres_database):
    environment.install("postgres")
    swept(environment, "--storage", postgres_database)


def test_the_service_serves(environment):
    environment.install("service")
    with subprocess.Popen(
        [environment.folder / "env/bin/python", "-m", "sgdr", "serve", "--port", "0"],
        cwd=environment.folder,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            lines = iter(server.stderr.readline, "")
            url = next(match[0] for line in lines if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
            with urllib.request.urlopen(f"{url}/v1/lr?base_lr=0.1&T_0=10&step=0", timeout=120) as answer:
                assert b'"lr":0.1' in answer.read().replace(b" ", b"")
        finally:
            server.terminate()
            server.communicate()
    refused = environment.sgdr("sweep", "--workload", "tiny:workload", "--engine", "ray")
    assert refused.returncode == 2 and "pip install '.[ray]'" in refused.stderr


def test_keras_follows_a_schedule(environment):
    environment.install("keras")  # the extra leaves the choice of a backend
    code = (
        "from sgdr import WarmRestarts\nfrom sgdr.adapters.keras import WarmRestartsSchedule\n"
        "print(float(WarmRestartsSchedule(WarmRestarts(0.5, T_0=10))(10)))"
    )
    assert environment.python(code, KERAS_BACKEND="jax") == "0.5\n"
    (refused,) = environment.refusals("import sgdr.adapters.keras", KERAS_BACKEND="torch")
    assert "No module named 'torch'; set KERAS_BACKEND to jax, torch or tensorflow" in refused


def test_ray_sweeps(environment):
    environment.install("ray")
    swept(environment, "--engine", "ray")
    assert "pip install '.[service]'" in environment.sgdr("serve").stderr
