"""`python -m experiments.paper` on a workload that trains in no time."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from experiments.paper import __main__ as command
from experiments.paper import scenes
from experiments.paper.scenes import Scene
from experiments.paper.training import Training
from sgdr.search.problem.supervised import Supervised

EPOCHS, SEEDS = 5, 3
SOME = ("decay-low", "t50", "t10-double")


def linear() -> Supervised:
    """Logistic regression on 48 points, 3 steps an epoch."""
    random = np.random.default_rng(0)
    points = random.normal(size=(112, 4)).astype(np.float32)
    labels = (points @ np.array([1, -2, 0.5, 0]) + random.normal(size=112) > 0).astype(np.int32)
    return Supervised(
        "linear",
        params=lambda key: 0.1 * jax.random.normal(key, (4, 2)),
        apply=lambda params, x: x @ params,
        train=(points[:48], labels[:48]),
        valid=(points[48:], labels[48:]),
        optimizer=partial(optax.sgd, momentum=0.9),
        batch_size=16,
        budget=EPOCHS,
    )


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scenes.SCENES, "mnist1d", Scene(linear, EPOCHS, "A line"))


def run(out: Path, *options: str, schedules: tuple[str, ...] = SOME, seeds: int = SEEDS) -> None:
    chosen = ["--workload", "mnist1d", "--schedules", *schedules, "--seeds", str(seeds), "--out", str(out)]
    command.main([*chosen, *options])


def refused(capsys: pytest.CaptureFixture[str], out: Path, *options: str) -> str:
    """The one line that it ends with."""
    with pytest.raises(SystemExit) as ended:
        run(out, *options)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison; only to be read."""
    out = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scenes.SCENES, "mnist1d", Scene(linear, EPOCHS, "A line"))
        run(out)
    return out


def test_what_it_keeps_and_tells(done: Path) -> None:
    assert {path.name for path in done.rglob("*") if path.is_file()} == {
        "tables.md",
        *(f"{key}.json" for key in SOME),
    }
    text = (done / "tables.md").read_text()
    assert text.startswith(f"### A line\n\n{EPOCHS} epochs, {SEEDS} paired seeds; ")
    for name in ("step decay, lr 0.05", "T_0 = 50, T_mult = 1", "T_0 = 10, T_mult = 2"):
        assert text.count(f"| {name} ") == (4 if name.startswith("T_0") else 3)
    assert "constant" not in text


def test_all_schedules_have_the_same_seeds_and_begin_alike(done: Path) -> None:
    stored = {key: json.loads((done / "mnist1d" / f"{key}.json").read_text()) for key in SOME}
    seeds = [[run["seed"] for run in runs["runs"]] for runs in stored.values()]
    assert seeds[0] == seeds[1] == seeds[2] and len(set(seeds[0])) == SEEDS
    for runs in stored.values():
        for each in runs["runs"]:
            assert len(each["error"]) == len(each["select"]) == EPOCHS and not each["diverged"]
    # T_0 = 1 for both in so few epochs, so that their first epochs are the same.
    ours, theirs = (stored[key]["runs"] for key in ("t50", "t10-double"))
    assert [run["error"][0] for run in ours] == [run["error"][0] for run in theirs]


def test_ensembles_are_of_the_last_troughs(done: Path) -> None:
    runs = json.loads((done / "mnist1d" / "t50.json").read_text())["runs"]
    for run in runs:
        assert set(run["ensembles"]) == {"ensemble of 1", "ensemble of 3", "ensemble of all"}
        # T_0 = 1: the last trough is the last epoch, and one model is an ensemble of itself.
        assert run["ensembles"]["ensemble of 1"] == pytest.approx(run["error"][-1])
    decay = json.loads((done / "mnist1d" / "decay-low.json").read_text())["runs"]
    assert all(run["ensembles"] == {} for run in decay)


def test_it_goes_on_where_it_stopped(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mnist1d").mkdir()
    for key in SOME[:2]:
        (tmp_path / "mnist1d" / f"{key}.json").write_bytes((done / "mnist1d" / f"{key}.json").read_bytes())
    trained: list[str] = []
    train = Training.train

    def noted(self: Training, setting: object, on_epochs: object) -> object:
        trained.append(setting.key)  # type: ignore[attr-defined]
        return train(self, setting, on_epochs)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "train", noted)
    run(tmp_path, "--resume")
    assert trained == [SOME[2]]
    told = [(folder / "tables.md").read_text().splitlines()[4:] for folder in (done, tmp_path)]
    assert told[0] == told[1]


def test_what_is_done_is_not_lost(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = done / "mnist1d" / "decay-low.json"
    before = path.read_bytes()
    line = refused(capsys, done)
    assert line.endswith(f"{path} exists; give --resume to keep it, or another --out")
    assert path.read_bytes() == before


def test_what_was_made_otherwise_is_not_mixed_in(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, done, "--resume", "--epochs", "7")
    assert line.endswith("was made with epochs=5, not 7; give another --out")
    line = refused(capsys, done, "--resume", "--seeds", "4")
    assert line.endswith("was made with seeds=3, not 4; give another --out")


def test_a_broken_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mnist1d").mkdir()
    (tmp_path / "mnist1d" / "t50.json").write_text("{")
    assert refused(capsys, tmp_path, "--resume").endswith(
        "t50.json cannot be read (JSONDecodeError); delete it"
    )


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--workload", "cifar10"], "--workload cifar10 needs --data, the directory of its files"),
        (
            ["--workload", "cifar10", "--data", "/nowhere"],
            "/nowhere holds neither cifar-10-batches-py/test_batch",
        ),
        (["--workload", "cifar100", "--data", "/nowhere", "--depth", "12"], "depth=12 must be 6n + 4"),
        (["--seeds", "0"], "argument --seeds: must be a whole number of at least 1, got '0'"),
    ],
)
def test_bad_options(
    options: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert line in refused(capsys, tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_a_run_that_diverges_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scenes.SCENES, "mnist1d", Scene(linear, EPOCHS, "A line", peak=1e38))
    with pytest.raises(SystemExit):
        run(tmp_path, schedules=("t50",))
    content = json.loads((tmp_path / "mnist1d" / "t50.json").read_text())
    assert [run["diverged"] for run in content["runs"]] == [True] * SEEDS


@pytest.mark.slow
def test_cifar_with_a_small_network_on_made_up_files(tmp_path: Path) -> None:
    """Two epochs of the full command: what is lit in the images says their label."""
    random = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, count in (*((f"data_batch_{part}", 52) for part in range(1, 6)), ("test_batch", 60)):
        labels = random.integers(10, size=(count, 1)).astype(np.uint8)
        rows = random.integers(60, size=(count, 3, 32, 32)).astype(np.uint8)
        for row, (label,) in zip(rows, labels, strict=True):
            row[label % 3, 3 * label : 3 * label + 3] += 190
        (folder / f"{name}.bin").write_bytes(np.concatenate([labels, rows.reshape(count, -1)], 1).tobytes())
    network = ["--depth", "10", "--width", "1", "--data", str(tmp_path)]
    chosen = ["--workload", "cifar10", "--schedules", "decay-low", "t200", "--seeds", "2", "--epochs", "2"]
    command.main([*chosen, *network, "--out", str(tmp_path / "out")])
    for key in ("decay-low", "t200"):
        content = json.loads((tmp_path / "out" / "cifar10" / f"{key}.json").read_text())
        assert content["made"]["workload"] == "cifar10-wrn-10-1" and content["made"]["steps_per_epoch"] == 2
        errors = np.array([run["error"] for run in content["runs"]])
        assert errors.shape == (2, 2) and np.isfinite(errors).all()
    assert "WRN-10-1" in (tmp_path / "out" / "tables.md").read_text()
