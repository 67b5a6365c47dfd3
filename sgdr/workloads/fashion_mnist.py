"""Fashion-MNIST: 28 x 28 grey images of ten kinds of clothing, 60,000 to train on and 10,000 that validate.

Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
algorithms", 2017.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from sgdr.search.problem.supervised import Supervised
from sgdr.workloads import cnn as convolutional
from sgdr.workloads import idx
from sgdr.workloads import mlp as perceptron

DIRECTORY = "FASHION_MNIST_DIR"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""The folder into which Debian's package dataset-fashion-mnist puts the files."""
FILES = (
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
SHAPE = (28, 28)
TRAIN = 60_000
BATCH = 128
BUDGET = 30

Examples = tuple[np.ndarray, np.ndarray]


def mlp() -> Supervised:
    """An MLP 784-128-128-10, 468 steps an epoch."""
    init = functools.partial(perceptron.init, sizes=(784, 128, 128, 10))
    return _workload("fashion-mnist", init, perceptron.apply, evaluation_batch=1024)


def cnn() -> Supervised:
    """Two strided convolutions to 16 and 32 channels and an MLP 1568-64-10, 468 steps an epoch."""
    init = functools.partial(convolutional.init, channels=(16, 32), sizes=(7 * 7 * 32, 64, 10))
    # A population's activations then fit a processor's cache, which evaluates them twice as fast.
    return _workload("fashion-mnist-cnn", init, convolutional.apply, evaluation_batch=128)


def read() -> tuple[Examples, Examples]:
    """(images uint8 [n, 28, 28], labels int32 [n]) to train on and to validate on.

    The idx files in `$FASHION_MNIST_DIR`, else those of Debian, else OpenML's copy through scikit-learn,
    which needs a network. Raises ValueError where there is none, or a file is not what it should be.
    """
    if chosen := os.environ.get(DIRECTORY):
        return _read_idx(Path(chosen))
    if DEBIAN.is_dir():
        return _read_idx(DEBIAN)
    return _read_openml()


def _read_idx(directory: Path) -> tuple[Examples, Examples]:
    train, valid = (_examples(_find(directory, images), _find(directory, labels)) for images, labels in FILES)
    return train, valid


def _find(directory: Path, name: str) -> Path:
    for path in (directory / name, directory / f"{name}.gz"):
        if path.exists():
            return path
    raise ValueError(
        f"fashion-mnist: {directory} has no {name}, plain or .gz; {DIRECTORY} names the directory"
    )


def _examples(images_path: Path, labels_path: Path) -> Examples:
    images, labels = idx.read(images_path), idx.read(labels_path)
    if images.shape[1:] != SHAPE:
        raise ValueError(f"{images_path} holds {list(images.shape)}, not images of 28 x 28 pixels")
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{labels_path} holds {list(labels.shape)}, not a label for each of {len(images)} images"
        )
    return images, labels.astype(np.int32)


def _read_openml() -> tuple[Examples, Examples]:
    try:
        from sklearn.datasets import fetch_openml

        pixels, labels = fetch_openml("Fashion-MNIST", version=1, as_frame=False, return_X_y=True)
    except (ImportError, OSError, ValueError) as error:
        raise ValueError(
            f"fashion-mnist: no data: set {DIRECTORY} to the directory of its idx files (on Debian, install "
            "dataset-fashion-mnist), or install scikit-learn and be online, to fetch them from OpenML "
            f"({type(error).__name__})"
        ) from error
    images, labels = pixels.astype(np.uint8).reshape(-1, *SHAPE), labels.astype(np.int32)
    return (images[:TRAIN], labels[:TRAIN]), (images[TRAIN:], labels[TRAIN:])


def _workload(
    name: str,
    init: Callable[[jax.Array], Any],
    apply: Callable[[Any, jax.Array], jax.Array],
    evaluation_batch: int,
) -> Supervised:
    train, valid = read()
    return Supervised(
        name,
        params=init,
        apply=apply,
        train=train,
        valid=valid,
        optimizer=functools.partial(optax.sgd, momentum=0.9),
        batch_size=BATCH,
        budget=BUDGET,
        base_lr=(1e-3, 1.0),
        evaluation_batch=evaluation_batch,
    )
