"""Files in the published forms of CIFAR, made up: what is read, and what is refused in one line."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from experiments.workloads.cifar_files import LAYOUTS, PIXELS, read

COUNT = 4
"""Images in each file."""


class Harmful:
    """Would run a command where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("true",)


def write(directory: Path, name: str, binary: bool, count: int = COUNT) -> Path:
    """A made-up copy of `name` in `directory`; returns the folder of its files."""
    layout, random = LAYOUTS[name], np.random.default_rng(0)
    folder = directory / (layout.binary if binary else layout.pickled)
    folder.mkdir(parents=True)
    for part in (*layout.train, layout.test):
        rows = random.integers(256, size=(count, PIXELS)).astype(np.uint8)
        labels = np.arange(count) % layout.classes
        if binary:
            other = np.zeros((count, layout.label_bytes - 1), np.uint8)
            columns = [other, labels[:, None].astype(np.uint8), rows]
            (folder / f"{part}.bin").write_bytes(np.concatenate(columns, axis=1).tobytes())
        else:
            batch = {"data": rows, layout.labels: labels.tolist(), "filenames": ["a.png"] * count}
            (folder / part).write_bytes(pickle.dumps(batch, protocol=2))
    return folder


@pytest.mark.parametrize("name", LAYOUTS)
def test_both_forms_give_the_same_from_the_folder_or_the_one_above(name: str, tmp_path: Path) -> None:
    pickled = write(tmp_path / "one", name, binary=False)
    binary = write(tmp_path / "two", name, binary=True)
    (images, labels), (test_images, test_labels) = arrays = read(name, pickled)
    assert images.shape == (COUNT * len(LAYOUTS[name].train), 32, 32, 3) and images.dtype == np.uint8
    assert test_images.shape == (COUNT, 32, 32, 3)
    assert labels.tolist() == list(range(COUNT)) * len(LAYOUTS[name].train) and labels.dtype == np.int32
    assert test_labels.tolist() == list(range(COUNT))
    for directory in (pickled.parent, binary, binary.parent):
        for ours, theirs in zip(arrays, read(name, directory), strict=True):
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])


def test_colours_come_last(tmp_path: Path) -> None:
    """A row of the files has 1,024 reds, row by row of the image, then greens, then blues."""
    folder = write(tmp_path, "cifar10", binary=True)
    row = (np.arange(PIXELS) // 1024 * 100 + np.arange(PIXELS) % 1024 // 32).astype(np.uint8)
    (folder / "test_batch.bin").write_bytes(bytes([7]) + row.tobytes())
    (image,), labels = read("cifar10", folder)[1]
    assert labels.tolist() == [7]
    np.testing.assert_array_equal(image[:, 0], [[y, 100 + y, 200 + y] for y in range(32)])


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_empty_directory_is_told_what_belongs_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: .* holds neither {LAYOUTS[name].pickled}/.*archive"):
        read(name, tmp_path)


@pytest.mark.parametrize("binary", [False, True])
def test_a_missing_part_is_named(binary: bool, tmp_path: Path) -> None:
    folder = write(tmp_path, "cifar10", binary)
    path = folder / ("data_batch_3.bin" if binary else "data_batch_3")
    path.unlink()
    with pytest.raises(ValueError, match=rf"^{path} cannot be read: "):
        read("cifar10", tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "EOFError"),
        (b"cut short", "UnpicklingError"),
        (pickle.dumps({"data": np.zeros((2, PIXELS), np.uint8)}), "KeyError: 'labels'"),
        (pickle.dumps([1, 2]), "TypeError"),
        (pickle.dumps(Harmful()), r"it names (posix|nt)\.system, which no array needs"),
        (
            pickle.dumps({"data": np.zeros((2, 100), np.uint8), "labels": [0, 1]}, protocol=2),
            r"holds uint8 \[2, 100\], not uint8 images of 3072 numbers each",
        ),
        (
            pickle.dumps({"data": np.zeros((2, PIXELS), np.uint8), "labels": [0]}, protocol=2),
            r"holds \[1\] labels, not one for each of 2 images",
        ),
        (
            pickle.dumps({"data": np.zeros((1, PIXELS), np.uint8), "labels": [10]}, protocol=2),
            "has the label 10, not one from 0 to 9",
        ),
        (pickle.dumps({"data": np.zeros((0, PIXELS), np.uint8), "labels": []}, protocol=2), "no"),
    ],
)
def test_a_bad_pickle_is_refused_in_one_line(content: bytes, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path, "cifar10", binary=False) / "data_batch_2"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=problem) as raised:
        read("cifar10", tmp_path)
    assert str(raised.value).startswith(str(path)) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds no images"),
        (bytes(3074 * 2 - 1), "has 6147 bytes, which are not whole images of 3074 bytes each"),
        (bytes([0, 100]) + bytes(PIXELS), "has the label 100, not one from 0 to 99"),
    ],
)
def test_a_bad_binary_file_is_refused_in_one_line(content: bytes, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path, "cifar100", binary=True) / "train.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{path} {problem}$"):
        read("cifar100", tmp_path)
