"""Snapshots: what is saved is loaded bit for bit, damage is said, and files are whole or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from sgdr import WarmRestarts
from sgdr.search.artifacts.snapshots import Snapshots, folder, load_snapshot
from sgdr.search.backend.devices import local_devices
from sgdr.search.backend.population import Population
from sgdr.search.problem.supervised import Supervised

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(60, 4)).astype(np.float32)
LABELS = RANDOM.integers(3, size=60).astype(np.int32)


class State(NamedTuple):
    """Leaves of every kind."""

    half: Any
    small: Any
    odd: Any
    scalar: Any
    none: Any
    flags: Any
    empty: Any
    key: Any
    keys: Any


class Kinds:
    """A workload of such a state."""

    name = "kinds"
    metric = "error"
    direction = "minimize"
    steps_per_epoch = 1
    budget = 1

    def init(self, key: jax.Array) -> State:
        numbers = jax.random.normal(key, (3, 2))
        return State(
            half=numbers.astype(jnp.bfloat16),
            small=numbers.astype(jnp.float8_e5m2),
            odd=[jnp.array([[1], [-2]], jnp.int4), {"deep": numbers.T}],
            scalar=jnp.uint32(4_000_000_000),
            none=None,
            flags=numbers > 0,
            empty=jnp.zeros((0, 3)),
            key=jax.random.key(5),
            keys=jax.random.split(jax.random.key(7, impl="rbg"), 2),
        )

    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        return state

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"error": jnp.sum(state.odd[1]["deep"])}


class Wider(Kinds):
    def init(self, key: jax.Array) -> State:
        return super().init(key)._replace(scalar=jnp.zeros((2,), jnp.uint32))


class Fewer(Kinds):
    def init(self, key: jax.Array) -> State:
        return super().init(key)._replace(keys=None)


def bits(leaf: Any) -> tuple[Any, ...]:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return (str(leaf.dtype), *bits(jax.random.key_data(leaf)))
    return np.asarray(leaf).dtype, leaf.shape, np.asarray(leaf).tobytes()


@pytest.fixture
def kinds() -> State:
    return Kinds().init(jax.random.key(0))


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "db.snapshots" / "study")


def test_trained_model_is_restored_bit_for_bit(snapshots: Snapshots) -> None:
    workload = Supervised(
        "linear",
        params=lambda key: {"w": jax.random.normal(key, (4, 3)), "b": jnp.zeros(3)},
        apply=lambda params, x: x @ params["w"] + params["b"],
        train=(INPUTS[:40], LABELS[:40]),
        valid=(INPUTS[40:], LABELS[40:]),
        optimizer=optax.adam,
        batch_size=8,
        budget=4,
    )
    devices = local_devices()[0]
    population = Population(workload, 2 * len(devices), devices)
    population.compile()
    population.fill(1, WarmRestarts(0.1, 2), 4, 123, {})
    values = {name: float(value[-1, 1]) for name, value in population.advance(4).read().items()}
    state = population.state(1)
    path = snapshots.save(12, 123, 4, state, values)
    assert path.name == "trial-00012-seed-123-epoch-0004.safetensors"
    restored = load_snapshot(path, workload)
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert [bits(leaf) for leaf in jax.tree.leaves(restored)] == [
        bits(leaf) for leaf in jax.tree.leaves(state)
    ]
    evaluate = jax.jit(workload.evaluate)
    assert evaluate(restored) == evaluate(state)
    assert float(evaluate(restored)["loss"]) == pytest.approx(values["loss"], rel=1e-5)
    [found] = snapshots.all()
    assert (found.trial, found.seed, found.epoch, found.values) == (12, 123, 4, values)
    assert "state.params['w']" in load_file(path)  # for anybody else's tools


def test_leaves_of_every_kind_are_restored(snapshots: Snapshots, kinds: State) -> None:
    restored = load_snapshot(snapshots.save(1, 2, 3, kinds, {}), Kinds())
    assert jax.tree.structure(restored) == jax.tree.structure(kinds)
    for before, after in zip(jax.tree.leaves(kinds), jax.tree.leaves(restored), strict=True):
        assert bits(before) == bits(after)
    assert jax.random.normal(restored.key) == jax.random.normal(kinds.key)
    assert jax.random.normal(restored.keys[1]) == jax.random.normal(kinds.keys[1])


def test_they_are_listed_in_order_and_cleared(snapshots: Snapshots) -> None:
    assert snapshots.all() == snapshots.of(3) == []
    state = np.zeros(2, np.float32)
    for trial, seed, epoch in [(3, 10, 20), (3, 9, 20), (3, 9, 4), (100_000, 0, 1), (0, 2**32 - 1, 10_000)]:
        snapshots.save(trial, seed, epoch, state, {"error": 0.25})
    everything = [(0, 2**32 - 1, 10_000), (3, 9, 4), (3, 9, 20), (3, 10, 20), (100_000, 0, 1)]
    assert [(snapshot.trial, snapshot.seed, snapshot.epoch) for snapshot in snapshots.all()] == everything
    assert [(snapshot.seed, snapshot.epoch) for snapshot in snapshots.of(3)] == [(9, 4), (9, 20), (10, 20)]
    assert all(snapshot.values == {"error": 0.25} and snapshot.path.exists() for snapshot in snapshots.all())
    snapshots.clear(3, 9)
    snapshots.clear(3, 9)
    assert [(snapshot.trial, snapshot.seed) for snapshot in snapshots.all()] == [
        (0, 2**32 - 1),
        (3, 10),
        (100_000, 0),
    ]
    snapshots.delete()
    assert not snapshots.folder.exists()
    snapshots.delete()


def test_saving_again_replaces(snapshots: Snapshots) -> None:
    for value in (0.5, float("nan"), 0.25):
        snapshots.save(1, 2, 3, np.zeros(2), {"error": value})
    assert [snapshot.values for snapshot in snapshots.all()] == [{"error": 0.25}]


def test_other_files_are_neither_listed_nor_deleted(snapshots: Snapshots, kinds: State) -> None:
    path = snapshots.save(1, 2, 3, kinds, {})
    others = {"notes.txt": b"mine", "trial-00002-seed-1-epoch-0001.txt": b"mine"}
    for name, content in others.items():
        path.with_name(name).write_bytes(content)
    path.with_name("trial-00009-seed-1-epoch-0001.safetensors").write_bytes(path.read_bytes())  # renamed
    path.with_name("trial-00002-seed-1-epoch-0001.safetensors").write_bytes(b"cut short")
    save_file({"a": np.zeros(2)}, path.with_name("trial-00003-seed-1-epoch-0001.safetensors"))
    path.with_name(f".{path.name}.999").write_bytes(b"left by a process that was killed")
    assert [snapshot.path for snapshot in snapshots.all()] == [path]
    snapshots.delete()
    assert {path.name for path in snapshots.folder.iterdir()} == set(others)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def another_format(path: Path) -> None:
    path.write_bytes(b"PK" + bytes(1000))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def without_header(path: Path) -> None:
    save_file(load_file(path), path)


def with_another_array(path: Path) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        header = file.metadata()
    save_file({**load_file(path), "state.scalar": np.zeros((), np.int32)}, path, header)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "is cut short or no safetensors file"),
        (emptied, "is cut short or no safetensors file"),
        (another_format, "is cut short or no safetensors file"),
        (a_folder, "cannot be read"),
        (Path.unlink, "there is no snapshot"),
        (without_header, "but no snapshot of a sweep"),
        (with_another_array, r"not hold what its header says: int32\[\] is in the place of uint32\[\]"),
    ],
)
def test_damage_is_said_and_the_file_named(
    snapshots: Snapshots, kinds: State, damage: Callable[[Path], None], said: str
) -> None:
    path = snapshots.save(1, 2, 3, kinds, {})
    damage(path)
    with pytest.raises(ValueError, match=said) as caught:
        load_snapshot(path, Kinds())
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("saved", "loaded", "said"),
    [
        (Kinds, Wider, r"state\.scalar is uint32\[\] in it, uint32\[2\] in the workload"),
        (Kinds, Fewer, r"state\.keys is key<rbg>\[2\] in it, not there in the workload"),
        (Fewer, Kinds, r"state\.keys is not there in it, key<rbg>\[2\] in the workload"),
    ],
)
def test_snapshots_of_another_model_are_refused(
    snapshots: Snapshots, saved: type[Kinds], loaded: type[Kinds], said: str
) -> None:
    path = snapshots.save(1, 2, 3, saved().init(jax.random.key(0)), {})
    with pytest.raises(ValueError, match=rf"does not fit workload 'kinds': {said}"):
        load_snapshot(path, loaded())


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_full_disk_leaves_what_was_there(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    path = snapshots.save(1, 2, 3, np.zeros(3), {"error": 1.0})
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, function, full)
        for trial in (1, 2):
            with pytest.raises(OSError, match="No space left"):
                snapshots.save(trial, 2, 3, np.ones(3), {"error": 0.5})
    assert [path.name for path in snapshots.folder.iterdir()] == [path.name]
    assert path.read_bytes() == before


NAMES = [
    "digits",
    "Digits",
    "digIts",
    "..",
    ".",
    "",
    "a b",
    "a%20b",
    "\u00e9",
    "e\u0301",
    "CON",
    "~",
    "\x00",
    "a\n",
]


def test_folders_are_beside_the_database() -> None:
    assert folder("sqlite:////data/a.db", "digits-2.noisy") == Path("/data/a.db.snapshots/digits-2.noisy")
    assert folder("sqlite:///a.db", "digits") == Path("a.db.snapshots/digits")
    assert folder("postgresql://me:secret@host/sweeps", "digits") == Path("sgdr-snapshots/digits")
    with pytest.raises(ValueError, match="is no URL"):
        folder("a.db", "digits")


@given(st.sets(st.text() | st.sampled_from(NAMES), min_size=2))
@example({"x" * 300, "x" * 299, "X" * 300, "x" * 100, "x" * 101, "日" * 300})
@example(set(NAMES))
@settings(max_examples=100, deadline=None)
def test_every_study_has_a_folder_of_its_own_under_the_root(names: set[str]) -> None:
    folders = [folder("sqlite:///a.db", name) for name in names]
    assert all(each.parent == Path("a.db.snapshots") for each in folders)
    segments = [each.name for each in folders]
    assert len({segment.lower() for segment in segments}) == len(names)
    for segment in segments:
        assert 0 < len(segment.encode()) <= 150
        assert segment.isascii() and segment.isprintable() and segment not in (".", "..")


def test_folder_of_a_strange_name_can_be_made(tmp_path: Path) -> None:
    for name in [*NAMES, "日" * 300]:
        snapshots = Snapshots(folder(f"sqlite:///{tmp_path}/a.db", name))
        path = snapshots.save(1, 2, 3, np.zeros(3), {"name": float(len(name))})
        assert [snapshot.path for snapshot in snapshots.all()] == [path]


def test_the_older_name_loads_the_same_and_warns(snapshots: Snapshots) -> None:
    from sgdr.search.snapshots import load

    path = snapshots.save(1, 2, 3, Kinds().init(jax.random.key(0)), {})
    with pytest.warns(DeprecationWarning, match=r"use sgdr\.search\.load_snapshot"):
        older = load(path, Kinds())
    assert jax.tree.structure(older) == jax.tree.structure(load_snapshot(path, Kinds()))
