"""What importing costs and needs: the direction of imports, no extra, and nothing heavy before its time."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sgdr
from sgdr.extras import SEARCH

ROOT = Path(__file__).parent.parent
EXTRAS = (
    "ray",
    "grpc",
    "torch",
    "keras",
    "tensorflow",
    "braintools",
    "fastapi",
    "uvicorn",
    "nicegui",
    "psycopg",
    "sklearn",
    "mnist1d",
)
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "sgdr").rglob("*.py")
    if path.name != "__main__.py"
)
FRAMEWORKS = tuple(f"sgdr.adapters.{name}" for name in ("torch", "keras", "braintools"))
NEED_FRAMEWORK = [name for name in MODULES if name.startswith(FRAMEWORKS)]
NEED_RAY = [name for name in MODULES if name.startswith("sgdr.search.tune")]


def without(*packages: str) -> str:
    """Code that makes imports of these packages fail, as where they are not installed."""
    return f"""
import importlib, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""


BLOCKED = without(*EXTRAS)
CORE = (
    "sgdr",
    "sgdr.export",
    "sgdr.relatives",
    "sgdr.saved_state",
    "sgdr.search",
    "sgdr.stepping",
)
"""What is offered where the library is installed without any extra."""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_imports_point_one_way(tmp_path):
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--config",
            str(ROOT / "pyproject.toml"),
            "--cache-dir",
            str(tmp_path),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout)


def test_optuna_s_private_modules_are_imported_by_the_storage_wing_alone():
    """They change without notice: one folder has to follow."""
    private = re.compile(r"(from|import) optuna(\.\w+)*\._")
    folders = {
        path.relative_to(ROOT).parent for path in ROOT.glob("s*/**/*.py") if private.search(path.read_text())
    }
    assert folders == {Path("sgdr/search/storage")}


def test_every_module_is_imported_and_a_sweep_runs_with_no_extra_but_the_search_s(tmp_path):
    assert len(MODULES) > 20
    names = [name for name in MODULES if name not in (*NEED_RAY, *NEED_FRAMEWORK)]
    (tmp_path / "tiny.py").write_text((ROOT / "tests" / "tiny.py").read_text())
    code = BLOCKED + (
        "import tiny\nfrom sgdr import search\n"
        "if __name__ == '__main__':\n"
        "    search.sweep(tiny.workload, trials=1, storage='sqlite:///a.db', slots=1).best\n"
        f"    for name in {names!r}:\n        importlib.import_module(name)\n"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert python(BLOCKED + "import sklearn", tmp_path).returncode == 1  # the block blocks


def test_the_packages_of_the_search_are_those_of_its_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [re.split("[>=]", needed)[0] for needed in extras["search"]] == list(SEARCH)


def test_schedules_need_numpy_alone_and_the_rest_says_what_to_install(tmp_path):
    code = without(*EXTRAS, *SEARCH) + (
        f"for name in {CORE!r}:\n    importlib.import_module(name)\n"
        "import numpy as np\nfrom sgdr import WarmRestarts, Warmup, export, relatives, search\n"
        "schedule = WarmRestarts(0.1, 10)\n"
        "assert schedule(np.arange(20)).shape == (20,) and relatives.OneCycle(0.1, 10)(3) > 0\n"
        "codes = [export.code(schedule, target, steps_per_epoch=5, budget=20) for target in export.TARGETS]\n"
        "assert all(codes)\n"
        "search.workload(metric='error', direction='minimize', budget=6)(lambda run: None)\n"
        "calls = (\n"
        "    lambda: search.sweep,\n"
        "    lambda: search.find('digits'),\n"
        "    lambda: importlib.import_module('sgdr.plot'),\n"
        "    lambda: importlib.import_module('sgdr.adapters.optax'),\n"
        "    lambda: WarmRestarts(np.array([0.1, 0.2]), 10)(3),\n"
        "    lambda: relatives.OneCycle(np.array([0.1, 0.2]), 10)(3),\n"
        "    lambda: Warmup(WarmRestarts(np.array([0.1, 0.2]), 10), 3)(1),\n"
        ")\n"
        "for call in calls:\n"
        "    try:\n        call()\n"
        "    except (ImportError, ValueError) as error:\n        print(error)\n"
        "from sgdr.__main__ import main\nsys.argv[1:] = ['studies']\nassert main() == 2\n"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    users = (
        "sgdr.search.sweep needs optuna",
        "workload 'digits' needs optax",
        "sgdr.plot needs matplotlib",
        "sgdr.adapters.optax needs jax",
        *["a schedule whose fields are arrays needs jax"] * 3,
    )
    said = "{}, which is not installed; pip install '.[search]' in the folder of sgdr's source"
    assert done.stdout.splitlines() == [said.format(user) for user in users]
    assert done.stderr == f"sgdr: {said.format('the command sgdr needs typer')}\n"


@pytest.mark.slow
def test_what_is_for_users_of_ray_says_what_to_install(tmp_path):
    assert len(NEED_RAY) > 3
    code = (
        "import sys; sys.modules['ray'] = None\n"  # as where it is not installed
        "from sgdr.search import *\nfrom sgdr import search\n"
        "assert 'tune_space' not in dir(search)\n"
        "for name in ('tune_space', 'trainable', 'RestartAwareScheduler'):\n"
        "    try:\n        getattr(search, name)\n"
        "    except ImportError as error:\n        print(error)\n"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all("needs Ray Tune: pip install '.[ray]'" in line for line in lines)


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import sgdr", {"jax", "optuna", "pandas", "matplotlib", "optax", "sqlalchemy", "typer", "rich"}),
        ("import sgdr.search", {"jax", "optuna", "pandas", "matplotlib", "optax", "sqlalchemy"}),
        ("import sgdr.search; sgdr.search.Space()", {"jax", "optuna", "pandas"}),
        ("import sgdr.search; sgdr.search.load", {"jax", "pandas", "matplotlib", "scipy"}),
        ("from sgdr import WarmRestarts; WarmRestarts(0.1, 10)(3)", {"jax", "optuna"}),
    ],
)
def test_nothing_is_imported_before_its_time(tmp_path, statement, absent):
    done = python(
        f"{statement}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})", tmp_path
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "sgdr" in loaded and not loaded & absent


@pytest.mark.slow
def test_importing_every_module_starts_no_device(tmp_path):
    names = [name for name in MODULES if name not in NEED_FRAMEWORK]
    code = (
        f"import importlib\nfor name in {names!r}:\n    importlib.import_module(name)\n"
        "import jax; jax.config.update('jax_num_cpu_devices', 3); assert jax.local_device_count('cpu') == 3"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there():
    from sgdr import search

    for package in (sgdr, search):
        assert all(getattr(package, name) is not None for name in package.__all__)
    of_ray = {"RestartAwareScheduler", "trainable", "tune_space"}
    assert set(dir(search)) == {*search.__all__, *of_ray}
    assert all(callable(getattr(search, name)) for name in of_ray)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        search.nothing  # noqa: B018


def test_whole_cycles_import_nothing_of_those_that_are_not_whole(tmp_path):
    done = python(
        "import sys, jax.numpy as jnp\nfrom sgdr import WarmRestarts\n"
        "real = {'sgdr.pairs', 'sgdr.real_cycles_jax'}\n"
        "for T_mult in (1, 2):\n"
        "    WarmRestarts(0.1, 10, T_mult)(jnp.arange(3))\n"
        "print(len(real & sys.modules.keys()))\n"
        "WarmRestarts(0.1, 2.5)(jnp.arange(3))\n"
        "print(len(real & sys.modules.keys()))",
        tmp_path,
    )
    assert done.stdout.split() == ["0", "2"], done.stderr
