"""Reads CIFAR-10 and CIFAR-100 from the files in which they are published, pickled or binary.

Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
NEEDED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}
"""All that a pickle of an array names. Whoever may name anything may run anything."""

Examples = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Layout:
    """How one of the two is laid out on disk."""

    classes: int
    pickled: str
    """The folder of the pickled files."""
    binary: str
    """The folder of the binary files, which are named like the pickled ones, with .bin."""
    train: tuple[str, ...]
    test: str
    labels: str
    """The key of the labels in the pickled files."""
    label_bytes: int
    """The number of bytes before every image in the binary files; the last of them is the label."""


LAYOUTS = {
    "cifar10": Layout(
        10,
        "cifar-10-batches-py",
        "cifar-10-batches-bin",
        tuple(f"data_batch_{part}" for part in range(1, 6)),
        "test_batch",
        "labels",
        1,
    ),
    "cifar100": Layout(100, "cifar-100-python", "cifar-100-binary", ("train",), "test", "fine_labels", 2),
}


def read(name: str, directory: Path) -> tuple[Examples, Examples]:
    """(images uint8 [n, 32, 32, 3], labels int32 [n]) to train on and to test on.

    `name` is a key of `LAYOUTS`. `directory` holds the published folder, or is that folder. Raises
    ValueError, in one line, where a file is missing or is not what it should be.
    """
    layout = LAYOUTS[name]
    folder, ending = _folder(name, layout, directory)
    parts = [_examples(folder / f"{part}{ending}", layout) for part in (*layout.train, layout.test)]
    images, labels = zip(*parts[:-1], strict=True)
    return (np.concatenate(images), np.concatenate(labels)), parts[-1]


def _folder(name: str, layout: Layout, directory: Path) -> tuple[Path, str]:
    """The folder where the files are, and how their names end."""
    for folder, ending in ((layout.pickled, ""), (layout.binary, ".bin")):
        for place in (directory / folder, directory):
            if (place / f"{layout.test}{ending}").is_file():
                return place, ending
    raise ValueError(
        f"{name}: {directory} holds neither {layout.pickled}/{layout.test} nor "
        f"{layout.binary}/{layout.test}.bin; unpack the published archive of {name}, python or binary, there"
    )


def _examples(path: Path, layout: Layout) -> Examples:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    rows, labels = _binary(path, data, layout) if path.suffix == ".bin" else _pickled(path, data, layout)
    if not len(labels):
        raise ValueError(f"{path} holds no images")
    if labels.min() < 0 or labels.max() >= layout.classes:
        wrong = labels[(labels < 0) | (labels >= layout.classes)][0]
        raise ValueError(f"{path} has the label {wrong}, not one from 0 to {layout.classes - 1}")
    return rows.reshape(-1, *SHAPE).transpose(0, 2, 3, 1), labels.astype(np.int32)


def _binary(path: Path, data: bytes, layout: Layout) -> Examples:
    row = layout.label_bytes + PIXELS
    if len(data) % row:
        raise ValueError(f"{path} has {len(data)} bytes, which are not whole images of {row} bytes each")
    rows = np.frombuffer(data, np.uint8).reshape(-1, row)
    return rows[:, layout.label_bytes :], rows[:, layout.label_bytes - 1]


def _pickled(path: Path, data: bytes, layout: Layout) -> Examples:
    try:
        content = _Arrays(io.BytesIO(data), encoding="latin1").load()
        rows, labels = np.asarray(content["data"]), np.asarray(content[layout.labels])
    except Exception as error:  # a broken pickle raises whatever it likes
        said = str(error).splitlines()[:1] or [""]
        raise ValueError(
            f"{path} is not a pickled batch of images with {layout.labels!r}: "
            f"{type(error).__name__}: {said[0]}"
        ) from error
    if rows.dtype != np.uint8 or rows.shape[1:] != (PIXELS,):
        raise ValueError(
            f"{path} holds {rows.dtype} {list(rows.shape)}, not uint8 images of {PIXELS} numbers each"
        )
    if labels.shape != rows.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"{path} holds {list(labels.shape)} labels, not one for each of {len(rows)} images")
    return rows, labels


class _Arrays(pickle.Unpickler):
    """Reads numbers, texts, lists, dicts and arrays, and refuses every other object."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NEEDED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no array needs")
        return super().find_class(module, name)
