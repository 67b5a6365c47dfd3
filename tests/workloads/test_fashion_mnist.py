"""Fashion-MNIST: from idx files, else from OpenML, else one line that says how to get it."""

from __future__ import annotations

import gzip
import struct
import sys
import types
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from sgdr.workloads import fashion_mnist
from sgdr.workloads.fashion_mnist import DIRECTORY, FILES

COUNTS = (200, 20)


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with tiny files of the published form, the training ones gzipped."""
    random = np.random.default_rng(0)
    for count, (images, labels) in zip(COUNTS, FILES, strict=True):
        pixels = random.integers(256, size=(count, 28, 28)).astype(np.uint8)
        for name, array in ((images, pixels), (labels, (np.arange(count) % 10).astype(np.uint8))):
            if count == COUNTS[0]:
                (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
            else:
                (tmp_path / name).write_bytes(idx_bytes(array))
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    return tmp_path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DIRECTORY, raising=False)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "absent")


def openml(monkeypatch: pytest.MonkeyPatch, fetch: object) -> None:
    """Puts `fetch` in the place of scikit-learn's fetch_openml."""
    datasets = types.ModuleType("sklearn.datasets")
    datasets.fetch_openml = fetch  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sklearn", types.ModuleType("sklearn"))
    monkeypatch.setitem(sys.modules, "sklearn.datasets", datasets)


def test_files_in_the_named_directory_are_read(files: Path) -> None:
    (images, labels), (valid_images, valid_labels) = fashion_mnist.read()
    assert images.shape == (200, 28, 28)
    assert valid_images.shape == (20, 28, 28)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, np.arange(200) % 10)
    np.testing.assert_array_equal(valid_labels, np.arange(20) % 10)


def test_debians_files_are_read_where_none_are_named(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DIRECTORY)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", files)
    assert fashion_mnist.read()[1][0].shape == (20, 28, 28)


@pytest.mark.parametrize("name", [name for pair in FILES for name in pair])
def test_a_missing_file_is_named(name: str, files: Path) -> None:
    (file,) = files.glob(f"{name}*")
    file.unlink()
    with pytest.raises(ValueError, match=rf"{files} has no {name}, plain or \.gz; FASHION_MNIST_DIR"):
        fashion_mnist.mlp()


@pytest.mark.parametrize("name", [name for pair in FILES for name in pair])
def test_a_file_that_is_cut_short_is_named(name: str, files: Path) -> None:
    (file,) = files.glob(f"{name}*")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ValueError, match=str(file)):
        fashion_mnist.mlp()


def test_files_of_another_dataset_are_named(files: Path) -> None:
    images, labels = (files / name for name in FILES[1])
    images.write_bytes(idx_bytes(np.zeros((20, 32, 32), np.uint8)))
    with pytest.raises(ValueError, match=rf"{images} holds \[20, 32, 32\]"):
        fashion_mnist.mlp()
    images.write_bytes(idx_bytes(np.zeros((19, 28, 28), np.uint8)))
    with pytest.raises(ValueError, match=rf"{labels} holds \[20\], not a label for each of 19 images"):
        fashion_mnist.mlp()


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("failure", [URLError("no network"), ImportError("pandas"), ValueError("checksum")])
def test_one_line_says_both_ways_where_there_is_no_data(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: object, **__: object) -> None:
        raise failure

    openml(monkeypatch, fetch)
    with pytest.raises(ValueError, match=r"FASHION_MNIST_DIR.*dataset-fashion-mnist.*OpenML") as raised:
        fashion_mnist.cnn()
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("nowhere")
def test_what_openml_gives_is_split_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(name: str, **options: object) -> tuple[np.ndarray, np.ndarray]:
        assert name == "Fashion-MNIST"
        pixels = np.arange(5 * 784).reshape(5, 784) % 256
        return pixels.astype(np.float64), np.array(["9", "0", "1", "2", "3"], object)

    openml(monkeypatch, fetch)
    monkeypatch.setattr(fashion_mnist, "TRAIN", 3)
    (images, labels), (valid_images, valid_labels) = fashion_mnist.read()
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images.ravel(), np.arange(3 * 784) % 256)
    np.testing.assert_array_equal(labels, [9, 0, 1])
    assert valid_images.shape == (2, 28, 28)
    np.testing.assert_array_equal(valid_labels, [2, 3])


def test_the_published_data_where_it_is_installed() -> None:
    try:
        if not fashion_mnist.DEBIAN.is_dir():
            pytest.skip("dataset-fashion-mnist is not installed")
        train, valid = fashion_mnist._read_idx(fashion_mnist.DEBIAN)
    except ValueError as error:
        pytest.fail(str(error))
    for (images, labels), count in ((train, 60_000), (valid, 10_000)):
        assert images.shape == (count, 28, 28)
        np.testing.assert_array_equal(np.bincount(labels), np.full(10, count // 10))
