"""The help of every command, and what it costs to print."""

import os
import re
import subprocess
import sys

import pytest

COMMANDS = (
    "sweep",
    "confirm",
    "compare",
    "answer",
    "best",
    "trials",
    "lr",
    "plot",
    "export",
    "studies",
    "workloads",
    "delete",
    "serve",
    "token",
)
HEAVY = {
    "jax",
    "optuna",
    "optax",
    "pandas",
    "matplotlib",
    "scipy",
    "sqlalchemy",
    "sklearn",
    "torch",
    "ray",
    "fastapi",
}


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_help_names_every_command(swept):
    done = swept("--help")
    assert done.returncode == 0 and done.stderr == ""
    assert all(command in done.stdout for command in COMMANDS)
    assert "sgdr sweep --workload digits" in plain(done.stdout)
    bare = swept()
    assert bare.returncode == 2 and bare.stderr == "" and "sweep" in bare.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_help_with_its_options(swept, command):
    done = swept(command, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert f"sgdr {command}" in plain(done.stdout) and "--" in done.stdout
    assert not [letter for letter in done.stdout if ord(letter) > 0x1F000], (
        "a text like :100: is shown as one"
    )
    assert swept(command, "-h").stdout == done.stdout


def test_help_of_a_sweep_shows_examples_and_says_what_prunes(swept):
    said = " ".join(plain(swept("sweep", "--help").stdout).replace("│", " ").split())
    assert "sgdr sweep --workload digits --cost 16" in said
    for option in (
        "--budget",
        "--base-lr",
        "--T-0",
        "--T-mult",
        "--eta-ratio",
        "--closed",
        "--controls",
        "--resume",
        "--json",
    ):
        assert option in said
    assert "auto, restart-aware, hyperband, median or none" in said


@pytest.mark.parametrize(
    "arguments", [["--help"], ["sweep", "--help"], ["lr", "--base-lr", "1", "--T-0", "2"]]
)
def test_nothing_heavy_is_imported_for_the_help_and_for_rates(tmp_path, arguments):
    code = (
        "import sys\nfrom sgdr.cli import main\nsys.argv[1:] = " + repr(arguments) + "\n"
        "code = main()\nprint(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0
    loaded = set(done.stderr.split())
    assert "sgdr" in loaded and not loaded & HEAVY


def test_commands_of_a_package_that_cannot_be_imported_are_left_out(tmp_path):
    package = tmp_path / "broken-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[sgdr.commands]\nbroken = broken_commands:app\n")
    done = subprocess.run(
        [sys.executable, "-m", "sgdr", "--help"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "sweep" in done.stdout
    assert done.stderr == (
        "sgdr: the commands of broken_commands:app are left out: "
        "ModuleNotFoundError: No module named 'broken_commands'\n"
    )
