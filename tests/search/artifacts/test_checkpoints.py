"""Trials that were cut off go on from the troughs at which they were kept."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from sgdr import search
from sgdr.search.artifacts import checkpoints as module
from sgdr.search.artifacts.checkpoints import Checkpoints
from sgdr.search.artifacts.snapshots import SUFFIX, Snapshots, study_folder

CURVES = {"error": [0.5, 0.25, 0.125]}
TOLD = ["state", "value", "arm", "base_lr", "T_0", "T_mult", "eta_min", "seed"]


@pytest.fixture
def state(tiny: Any) -> Any:
    return jax.tree.map(np.asarray, tiny.workload.init(jax.random.key(3)))


@pytest.fixture
def kept(tiny: Any, tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "kept", tiny.workload)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0.0)


def same(one: Any, other: Any) -> bool:
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in leaves)


def test_the_last_trough_is_kept_and_those_before_are_removed(kept: Checkpoints, state: Any) -> None:
    assert kept.load(7, 11) is None
    kept.save(7, 11, 3, state, CURVES)
    later = jax.tree.map(lambda leaf: leaf + 1 if leaf.dtype == np.float32 else leaf, state)
    kept.save(7, 11, 4, later, {"error": [*CURVES["error"], 0.1]})
    checkpoint = kept.load(7, 11)
    assert (
        checkpoint is not None
        and checkpoint.epoch == 4
        and checkpoint.curves == {"error": [*CURVES["error"], 0.1]}
    )
    assert same(checkpoint.state, later)
    assert kept.load(8, 11) is None and kept.load(7, 12) is None
    kept.forget(7)
    assert kept.load(7, 11) is None


def test_nothing_else_is_removed(kept: Checkpoints, state: Any, tmp_path: Path) -> None:
    for trial in (7, 70):
        kept.save(trial, 11, 3, state, CURVES)
    other = tmp_path / "kept" / "notes.txt"
    other.write_text("mine")
    kept.forget(7)
    assert kept.load(70, 11) is not None and other.read_text() == "mine"


@pytest.mark.parametrize("damage", ["state", "curves", "short", "no curves"])
def test_what_is_damaged_is_remarked_and_not_used(tiny: Any, state: Any, tmp_path: Path, damage: str) -> None:
    remarks: list[str] = []
    checkpoints = Checkpoints(tmp_path, tiny.workload, search.Callback(on_remark=remarks.append))
    checkpoints.save(7, 11, 3, state, CURVES)
    (model,), (curves,) = tmp_path.glob(f"*{SUFFIX}"), tmp_path.glob("*.json")
    if damage == "state":
        model.write_bytes(model.read_bytes()[:-7])
    elif damage == "curves":
        curves.write_text('{"error": [0.5')
    elif damage == "short":
        curves.write_text(json.dumps({"error": [0.5]}))
    else:
        curves.unlink()
    assert checkpoints.load(7, 11) is None


def test_a_full_disk_is_remarked_and_what_was_kept_stays(
    tiny: Any, state: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remarks: list[str] = []
    checkpoints = Checkpoints(tmp_path, tiny.workload, search.Callback(on_remark=remarks.append))
    checkpoints.save(7, 11, 3, state, CURVES)

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Snapshots, "save", full)
    checkpoints.save(7, 11, 4, state, {"error": [0.0] * 4})
    checkpoint = checkpoints.load(7, 11)
    assert checkpoint is not None and checkpoint.epoch == 3
    assert len(remarks) == 1 and "No space left" in remarks[0]
    assert len(list(tmp_path.iterdir())) == 2


def sweep(tiny: Any, folder: Path, name: str, **more: Any) -> pd.DataFrame:
    storage = f"sqlite:///{folder}/s.db"
    options = {"trials": 6, "budget": 12, "slots": 2, "pruner": "none", "sampler": "tpe", "seed": 5}
    space = search.Space(T_0=(2, 5), T_mult=(1,))
    search.sweep(tiny.workload, study=name, storage=storage, space=space, **options, **more)
    return search.load(name, storage).trials()


@pytest.mark.usefixtures("always")
def test_an_interrupted_sweep_goes_on_from_troughs_as_if_nothing_had_been(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sweep(tiny, tmp_path, "whole")
    folder = tmp_path / "checkpoints"

    def stop(progress: search.Progress) -> None:
        if progress.epochs >= 10 and list(folder.rglob(f"*{SUFFIX}")):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(tiny, tmp_path, "cut", checkpoints=folder, callback=search.Callback(stop))
    restored = []
    load = Checkpoints.load

    def noted(self: Checkpoints, trial: int, seed: int) -> Any:
        checkpoint = load(self, trial, seed)
        restored.append((trial, 0 if checkpoint is None else checkpoint.epoch))
        return checkpoint

    monkeypatch.setattr(Checkpoints, "load", noted)
    table = sweep(tiny, tmp_path, "cut", checkpoints=folder, resume=True)
    complete = table[table.state == "COMPLETE"].set_index("seed").sort_index()
    expected = whole.set_index("seed").sort_index()
    told = [name for name in TOLD if name != "seed"]
    shared = complete.index.intersection(expected.index)
    assert len(complete) == 6 and len(shared) >= 2 and any(epoch > 0 for _, epoch in restored)
    pd.testing.assert_frame_equal(complete.loc[shared, told], expected.loc[shared, told])
    repeated = table[table.retry_of.notna()]
    assert len(repeated) and repeated.epochs.eq(12).all()
    assert not list(study_folder(folder, "cut").iterdir())  # all have ended


@pytest.mark.usefixtures("always")
def test_a_folder_that_cannot_be_written_is_remarked_and_the_sweep_goes_on(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "s").write_text("not a folder")
    remarks: list[str] = []
    table = sweep(tiny, tmp_path, "s", checkpoints=folder, callback=search.Callback(on_remark=remarks.append))
    assert (table.state == "COMPLETE").sum() == 6
    assert len(remarks) == 1 and "are not kept" in remarks[0]


def test_a_file_in_the_place_of_the_folder_is_refused(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"checkpoints=.*is a file"):
        sweep(tiny, tmp_path, "s", checkpoints=tmp_path / "file")
    assert not (tmp_path / "s.db").exists()


def test_nothing_is_kept_of_what_is_trained_in_a_moment(tiny: Any, tmp_path: Path) -> None:
    sweep(tiny, tmp_path, "s", checkpoints=tmp_path / "kept")
    assert not list((tmp_path / "kept").iterdir())


def test_a_trial_that_begins_anew_is_kept_again(kept: Checkpoints, state: Any) -> None:
    kept.save(7, 11, 3, state, CURVES)
    kept.save(7, 11, 6, state, {"error": [0.5] * 6})
    kept.save(7, 11, 6, state, {"error": [0.25] * 6})
    checkpoint = kept.load(7, 11)
    assert checkpoint is not None and checkpoint.epoch == 6 and checkpoint.curves == {"error": [0.25] * 6}
    kept.save(7, 11, 3, state, CURVES)  # by one that could not read what was kept later
    checkpoint = kept.load(7, 11)
    assert checkpoint is not None and checkpoint.epoch == 3


@pytest.mark.parametrize(
    "text", ["[]", "3", "null", '{"error": 3}', '{"error": "abc"}', '{"error": [1.0, null, "x"]}']
)
def test_curves_that_are_none_are_not_used(kept: Checkpoints, state: Any, tmp_path: Path, text: str) -> None:
    kept.save(7, 11, 3, state, CURVES)
    (curves,) = tmp_path.rglob("*.json")
    curves.write_text(text)
    assert kept.load(7, 11) is None


def test_curves_need_not_be_finite(kept: Checkpoints, state: Any) -> None:
    kept.save(7, 11, 3, state, {"error": [float("inf"), float("nan"), 1e-45]})
    checkpoint = kept.load(7, 11)
    assert checkpoint is not None and repr(checkpoint.curves) == "{'error': [inf, nan, 1e-45]}"


def test_what_cannot_be_removed_is_left(kept: Checkpoints, state: Any, tmp_path: Path) -> None:
    kept.save(7, 11, 3, state, CURVES)
    (model,) = tmp_path.rglob(f"*{SUFFIX}")
    kept._remove(replace(kept._snapshots.of(7)[0], path=model.parent))  # a folder, which is none of its files
    assert kept.load(7, 11) is not None


def test_a_trial_is_due_some_seconds_after_it_was_kept(
    kept: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    assert not kept.due(now) and not kept.due(now - module.CHECKPOINT_SECONDS + 1)
    assert kept.due(now - module.CHECKPOINT_SECONDS)


@pytest.mark.usefixtures("always")
def test_only_troughs_are_kept(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []
    save = Checkpoints.save

    def noted(self: Checkpoints, trial: int, seed: int, epoch: int, state: Any, curves: Any) -> None:
        saved.append((trial, seed, epoch))
        save(self, trial, seed, epoch, state, curves)

    monkeypatch.setattr(Checkpoints, "save", noted)
    table = sweep(tiny, tmp_path, "s", checkpoints=tmp_path / "kept")
    assert len(saved) == len(set(saved)) > 6
    for number, row in table.iterrows():
        epochs = [epoch for trial, _, epoch in saved if trial == number]
        # What has no cycles has no trough before its end.
        assert epochs == ([] if pd.isna(row.T_0) else list(range(int(row.T_0), 12, int(row.T_0))))
    assert not list((tmp_path / "kept" / "s").iterdir())
