"""The digits: always the same split, and noise in the training labels alone."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from sgdr.workloads import digits

pytest.importorskip("sklearn")


def test_the_split_is_fixed_and_covers_every_example_once() -> None:
    (images, labels), (valid_images, valid_labels) = digits.split()
    again, _ = digits.split()
    np.testing.assert_array_equal(images, again[0])
    np.testing.assert_array_equal(labels, again[1])
    assert images.shape == (1280, 64)
    assert valid_images.shape == (517, 64)
    everything = np.concatenate([images, valid_images])
    assert (
        len(np.unique(everything, axis=0)) == 1797
    )  # all of scikit-learn's differ, so none is in both parts
    assert set(labels) == set(valid_labels) == set(range(10))
    assert (everything.min(), everything.max()) == (0.0, 1.0)
    assert everything.dtype == np.float32
    assert labels.dtype == np.int32


def test_the_table_is_what_scikit_learn_loads() -> None:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    read_images, read_labels = digits.read()
    np.testing.assert_array_equal(read_images, (images / 16).astype(np.float32))
    np.testing.assert_array_equal(read_labels, labels)


def test_the_table_is_loaded_by_scikit_learn_where_it_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = digits.read()
    monkeypatch.setattr(digits, "TABLE", "elsewhere.csv.gz")
    for read, known in zip(digits.read(), expected, strict=True):
        np.testing.assert_array_equal(read, known)


def test_the_noisy_workload_differs_in_training_labels_alone() -> None:
    clean, noisy = digits.digits(), digits.digits_noisy()
    assert (clean.name, noisy.name) == ("digits", "digits-noisy")
    (images, labels), (noisy_images, noisy_labels) = clean._train, noisy._train
    np.testing.assert_array_equal(images, noisy_images)
    np.testing.assert_array_equal(noisy_labels, digits.digits_noisy()._train[1])
    assert 0.24 < np.mean(labels != noisy_labels) < 0.30  # 27 % expected, see test_noise.py
    assert set(noisy_labels) == set(range(10))
    for half in ("", "select_"):
        np.testing.assert_array_equal(clean._halves[half]._rest[1], noisy._halves[half]._rest[1])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"scikit-learn.*pip install '\.\[workloads\]'"):
        digits.digits()


def test_reading_does_not_import_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    digits.split()
    assert "sklearn" not in sys.modules
