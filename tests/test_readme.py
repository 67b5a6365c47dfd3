"""What the README shows is run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sgdr

README = (Path(__file__).parents[1] / "README.md").read_text()
Sgdr = Callable[..., subprocess.CompletedProcess[str]]


def block(name: str) -> str:
    """The code between the marks of that name."""
    found = re.search(rf"<!-- {name} -->\n```python\n(.*?)```\n<!-- /{name} -->", README, re.DOTALL)
    assert found, f"README.md has no block {name!r}"
    return found[1]


def sweep(folder: Path, workload: str, *options: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", "sgdr", "sweep", "--workload", workload, *options],
        cwd=folder,
        env={**os.environ, "SGDR_STORAGE": f"sqlite:///{folder}/sgdr.db"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_first_example_says_the_truth() -> None:
    schedule = sgdr.WarmRestarts(base_lr=0.1, T_0=10, T_mult=2, eta_min=1e-4)
    assert str(schedule(37)).startswith(re.search(r"schedule\(37\) +# ([\d.]+)\.\.\.", README)[1])
    assert repr(schedule.cycle(37)) in README
    assert f"schedule.restarts(until=100)  # {schedule.restarts(until=100)}" in README


def test_own_workload_of_about_20_lines(tmp_path: Path, sgdr: Sgdr) -> None:
    (tmp_path / "my_workload.py").write_text(block("own"))
    options = ("--trials", "4", "--budget", "3", "--slots", "2")
    done = sgdr("sweep", "--workload", "my_workload:workload", *options)
    assert done.returncode == 0, done.stderr
    assert "Best schedule of study 'mine'" in done.stdout


def test_torch_workload(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "torch_digits.py").write_text(block("torch"))
    out = sweep(tmp_path, "torch_digits:train", "--trials", "3", "--budget", "3", "--slots", "2")
    assert "Best schedule of study 'train'" in out


def test_steps_and_snapshots(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(block("steps"), names)
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["2", "6"]
    assert names["kept"] == ["a copy of the model"] * 2


def test_pruner_in_any_optuna_study(tmp_path: Path) -> None:
    (tmp_path / "study.py").write_text(
        block("pruner") + "print(sum(t.state.name == 'PRUNED' for t in study.trials))"
    )
    done = subprocess.run(
        [sys.executable, "study.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert 10 <= int(done.stdout) < 30


@pytest.mark.slow
def test_client_of_the_service(tmp_path: Path) -> None:
    sweep(tmp_path, "digits", "--trials", "6", "--budget", "3", "--pruner", "none")
    server = subprocess.Popen(
        [sys.executable, "-m", "sgdr", "serve", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "SGDR_STORAGE": f"sqlite:///{tmp_path}/sgdr.db", "SGDR_PARITY": "false"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        url = next(line["url"] for line in map(json.loads, server.stderr) if line["message"] == "serving")
        (tmp_path / "client.py").write_text(block("client"))
        done = subprocess.run(
            [sys.executable, "client.py"],
            cwd=tmp_path,
            env={**os.environ, "SGDR_SERVICE": url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        server.terminate()
        server.communicate(timeout=30)
    assert done.returncode == 0, done.stderr
    assert "CosineAnnealingWarmRestarts" in done.stdout and "[" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", re.findall(r"^sgdr (?!sweep)[a-z]+.*$", README, re.MULTILINE))
def test_options_of_every_shown_command_exist(command: str, sgdr: Sgdr) -> None:
    for part in command.split("#")[0].split(";"):
        name, *words = part.replace("sgdr", "", 1).split()
        shown = sgdr(name, "--help")
        assert shown.returncode == 0, shown.stderr
        for option in (word for word in words if word.startswith("-")):
            assert option in shown.stdout


@pytest.mark.slow
def test_workload_under_ray_tune(tmp_path: Path) -> None:
    (tmp_path / "tuned.py").write_text(block("tune"))
    process = subprocess.run(
        [sys.executable, "tuned.py"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip().splitlines()[-1].startswith("{'base_lr': ")
