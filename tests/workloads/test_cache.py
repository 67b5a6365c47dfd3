"""Arrays on disk: made once, made again where the file is broken, and never needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sgdr.workloads import cache


class Maker:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> cache.Arrays:
        self.calls += 1
        return {"a": np.arange(1000), "b": np.ones((2, 3), np.float32)}


@pytest.fixture
def make() -> Maker:
    return Maker()


def test_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Maker) -> None:
    monkeypatch.setenv("SGDR_CACHE", str(tmp_path / "new" / "directory"))
    first, second = cache.cached("key-1.0", make), cache.cached("key-1.0", make)
    assert make.calls == 1
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
        assert first[name].dtype == second[name].dtype
    assert [path.name for path in cache.directory().iterdir()] == ["key-1.0.npz"]
    cache.cached("key-1.1", make)
    assert make.calls == 2


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_broken_file_is_made_again(
    kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Maker
) -> None:
    monkeypatch.setenv("SGDR_CACHE", str(tmp_path))
    cache.cached("key", make)
    file = tmp_path / "key.npz"
    file.write_bytes(file.read_bytes()[:kept])
    np.testing.assert_array_equal(cache.cached("key", make)["a"], np.arange(1000))
    assert make.calls == 2
    cache.cached("key", make)
    assert make.calls == 2


def test_a_directory_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Maker
) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a directory")
    monkeypatch.setenv("SGDR_CACHE", str(occupied))
    for calls in (1, 2):
        np.testing.assert_array_equal(cache.cached("key", make)["a"], np.arange(1000))
        assert make.calls == calls


def test_nothing_is_left_of_a_write_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Maker
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setenv("SGDR_CACHE", str(tmp_path))
    monkeypatch.setattr(np, "savez", full)
    cache.cached("key", make)
    assert list(tmp_path.iterdir()) == []


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "SGDR_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.directory() == tmp_path / ".cache/sgdr"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache.directory() == tmp_path / "b/sgdr"
    monkeypatch.setenv("SGDR_CACHE", str(tmp_path / "c"))
    assert cache.directory() == tmp_path / "c"
