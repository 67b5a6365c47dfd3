"""What the README and the pages of docs/ show is run."""

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sgdr
from experiments.tables.trials import Replay, course
from sgdr import search
from tests.tables.planted import table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = "\n".join([README, *(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))])
SOURCE = Path(__file__).read_text()
COMMANDS = sorted(set(re.findall(r"^sgdr (?!sweep)[a-z]+.*$", PAGES, re.MULTILINE)))
Sgdr = Callable[..., subprocess.CompletedProcess[str]]


def block(name: str) -> str:
    """The code between the marks of that name, which is the same on every page that shows it."""
    codes = set(re.findall(rf"<!-- {name} -->\n```python\n(.*?)```\n<!-- /{name} -->", PAGES, re.DOTALL))
    assert len(codes) == 1, f"the pages have {len(codes)} blocks {name!r}"
    return str(codes.pop())


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


def test_every_block_but_the_first_has_a_mark_by_which_it_is_run() -> None:
    asked = set(re.findall(r'block\("(\w+)"\)|^        (?:pytest\.param)?\("(\w+)", "', SOURCE, re.MULTILINE))
    marked = set(re.findall(r"<!-- (\w+) -->\n```python\n", PAGES))
    assert marked == {name for pair in asked for name in pair if name}
    unmarked = re.findall(
        r"(?<! -->)\n```python\n(.*)", PAGES.replace((ROOT / "docs" / "api.md").read_text(), "")
    )
    assert unmarked == ["import sgdr"]


def test_own_workload_of_about_20_lines(tmp_path: Path, sgdr: Sgdr) -> None:
    (tmp_path / "my_workload.py").write_text(block("own"))
    options = ("--trials", "4", "--budget", "3", "--slots", "2")
    done = sgdr("sweep", "--workload", "my_workload:workload", *options)
    assert done.returncode == 0, done.stderr
    assert "Best schedule of study 'mine'" in done.stdout


def test_own_script(tmp_path: Path, sgdr: Sgdr) -> None:
    (tmp_path / "my_script.py").write_text(block("script"))
    done = sgdr("sweep", "--workload", "my_script:train", "--trials", "3", "--budget", "3", "--slots", "2")
    assert done.returncode == 0, done.stderr
    assert "Best schedule of study 'train'" in done.stdout


def test_what_was_found_drives_an_optimizer(
    tmp_path: Path, sgdr: Sgdr, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from sgdr.adapters.torch import WarmRestartsLR

    (tmp_path / "my_script.py").write_text(block("script"))
    done = sgdr("sweep", "--workload", "my_script:train", "--trials", "3", "--budget", "3", "--slots", "2")
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters())
    names = {"WarmRestartsLR": WarmRestartsLR, "optimizer": optimizer, "loader": range(5)}
    exec(block("found"), names)
    assert optimizer.param_groups[0]["lr"] == names["schedule"](0)


def test_what_is_searched_is_said_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block("space").replace("cost=8", "cost=2, budget=8, slots=2"), names)
    rows = names["result"].study.rows
    assert len(rows) == 2 and all(0.003 <= row["base_lr"] <= 0.3 for row in rows)
    assert all(0 <= row["hparams"]["warmup"] <= 5 for row in rows)


def test_the_staged_sampler_in_a_study_of_ones_own() -> None:
    names: dict[str, object] = {
        "train": lambda base_lr, T_0, T_mult, seed: abs(math.log(base_lr / 0.1)) + 0.01 * (seed % 3)
    }
    exec(block("staged"), names)
    assert len(names["study"].trials) == 12
    assert 0.03 < names["study"].sampler.best_trial(names["study"]).params["base_lr"] < 0.3


def test_an_ensemble_beside_its_controls() -> None:
    code = block("ensembles").replace("seeds=16", "seeds=2").replace("T_0=12", "T_0=1").replace("60", "5")
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["result"].values.shape == (2, 3) and names["result"].objective == "ensemble"


def test_searches_that_are_replayed_on_tables() -> None:
    planted = table("cosine/0", noise=0.01)
    names: dict[str, Any] = {"MySampler": lambda seed, cost: search.StagedSampler(60, seed)}
    for code in (block("replayed_sampler"), block("replayed_rows")):
        exec(code, names)
        assert course(names["search"], Replay(planted, [1, 2], 6))


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


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("jax", "optax"),
        ("pytorch", "torch"),
        ("keras", "keras"),
        pytest.param("transformers", "accelerate", marks=pytest.mark.slow),
        pytest.param("lightning", "lightning", marks=pytest.mark.slow),
    ],
)
def test_schedule_in_a_framework(tmp_path: Path, name: str, package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    check = {
        "jax": "assert abs(rate(state) - 0.1) < 1e-6",
        "pytorch": "assert optimizer.param_groups[0]['lr'] == sgdr.WarmRestarts(0.1, 10, 2, 1e-4)(31)\n"
        "assert scheduler.get_last_lr() == [warm(0)]",
        "keras": "assert int(model.optimizer.iterations) == 16",
        "transformers": "assert trainer.lr_scheduler.get_last_lr() == [schedule(12)] == [0.01]",
        "lightning": "assert trainer.optimizers[0].param_groups[0]['lr'] == 0.1",
    }[name]
    (tmp_path / "used.py").write_text(f"{block(name)}{check}\n")
    done = subprocess.run(
        [sys.executable, "used.py"],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_pruner_in_any_optuna_study(tmp_path: Path) -> None:
    (tmp_path / "study.py").write_text(
        block("pruner") + "print(sum(t.state.name == 'PRUNED' for t in study.trials))"
    )
    done = subprocess.run(
        [sys.executable, "study.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert 10 <= int(done.stdout) < 30


@pytest.mark.slow
def test_sweep_and_snapshots_in_python(tmp_path: Path) -> None:
    env = {**os.environ, "SGDR_STORAGE": f"sqlite:///{tmp_path}/sgdr.db"}
    confirm = [sys.executable, "-m", "sgdr", "confirm", "digits", "--top", "1", "--seeds", "2"]
    for command in (
        [sys.executable, "-c", block("sweep") + "print(len(study.trials()))"],
        [sys.executable, "-c", block("answer")],
        [sys.executable, "-c", block("start") + "assert result.study.answer.gain_over_start is not None"],
        confirm,
        [sys.executable, "-c", block("compare") + "assert len(result.schedules) == 3"],
        [sys.executable, "-c", block("snapshots") + "print(state is not None)"],
    ):
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=250, check=False
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n"


@pytest.mark.slow
def test_client_of_the_service(tmp_path: Path) -> None:
    sweep(tmp_path, "digits", "--trials", "6", "--budget", "3", "--pruner", "none")
    server = subprocess.Popen(
        [sys.executable, "-m", "sgdr", "serve", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "SGDR_STORAGE": f"sqlite:///{tmp_path}/sgdr.db"},
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
        server.communicate(timeout=120)
    assert done.returncode == 0, done.stderr
    assert "CosineAnnealingWarmRestarts" in done.stdout and "[" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS)
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
