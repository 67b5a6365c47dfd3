"""MNIST-1D: generated once, then read from the cache."""

from __future__ import annotations

import importlib.metadata
import random
from pathlib import Path

import numpy as np
import pytest

from sgdr.workloads import mnist1d

pytest.importorskip("mnist1d")


def test_a_seed_names_the_same_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generated = []
    for run in range(2):
        monkeypatch.setenv("SGDR_CACHE", str(tmp_path / str(run)))
        generated.append(mnist1d.examples(200, seed=3))
    (signals, labels), again = generated
    np.testing.assert_array_equal(signals, again[0])
    np.testing.assert_array_equal(labels, again[1])
    assert signals.shape == (200, 40)
    assert signals.dtype == np.float32
    assert labels.dtype == np.int32
    assert signals.mean() == pytest.approx(0, abs=1e-5)
    assert signals.std() == pytest.approx(1, rel=1e-5)
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 20))
    assert (np.diff(labels) != 0).any()
    assert len(np.unique(signals, axis=0)) == 200
    other, _ = mnist1d.examples(200, seed=4)
    assert (other != signals).any()


def test_the_second_time_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SGDR_CACHE", str(tmp_path))
    first = mnist1d.examples(100, seed=0)
    (file,) = tmp_path.iterdir()
    version = importlib.metadata.version("mnist1d")
    assert file.name == f"mnist1d-{version}-100-0.npz"
    monkeypatch.setattr("mnist1d.data.make_dataset", lambda options: pytest.fail("generated again"))
    for read, known in zip(mnist1d.examples(100, seed=0), first, strict=True):
        np.testing.assert_array_equal(read, known)


def test_the_noisy_workload_differs_in_training_labels_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SGDR_CACHE", str(tmp_path))
    monkeypatch.setattr(mnist1d, "TRAIN", 1000)
    monkeypatch.setattr(mnist1d, "VALID", 200)
    clean, noisy = mnist1d.mnist1d(), mnist1d.mnist1d_noisy()
    assert (clean.name, noisy.name) == ("mnist1d", "mnist1d-noisy")
    (signals, labels), (noisy_signals, noisy_labels) = clean._train, noisy._train
    np.testing.assert_array_equal(signals, noisy_signals)
    np.testing.assert_array_equal(noisy_labels, mnist1d.mnist1d_noisy()._train[1])
    assert 0.24 < np.mean(labels != noisy_labels) < 0.30  # 27 % expected, see test_noise.py
    for half in ("", "select_"):
        for of_clean, of_noisy in zip(clean._halves[half]._rest, noisy._halves[half]._rest, strict=True):
            np.testing.assert_array_equal(of_clean, of_noisy)


def test_global_random_numbers_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SGDR_CACHE", str(tmp_path))
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    mnist1d.examples(10, seed=5)
    assert (random.random(), np.random.rand()) == expected


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ValueError, match=r"mnist1d.*pip install '\.\[workloads\]'"):
        mnist1d.mnist1d()
