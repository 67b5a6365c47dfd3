"""Handwritten digits of 8 x 8 pixels: seconds a trial, the workload to try a search with.

Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI machine learning repository, 1998, of
which scikit-learn carries the test part.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import optax

from sgdr.extras import install
from sgdr.search.problem.supervised import Supervised
from sgdr.workloads import mlp
from sgdr.workloads.noise import redrawn

TRAIN = 1280
BATCH = 64
SIZES = (64, 64, 64, 10)
CLASSES = 10
NOISE = 0.3
SEED = 0
TABLE = "datasets/data/digits.csv.gz"
"""Inside scikit-learn's package."""

Examples = tuple[np.ndarray, np.ndarray]


def digits() -> Supervised:
    """An MLP 64-64-64-10 on 1,280 digits, 20 steps an epoch; the other 517 validate."""
    train, valid = split()
    return _workload("digits", train, valid)


def digits_noisy() -> Supervised:
    """The same with 30 % of the training labels drawn anew at random, so that it overfits.

    One in ten of the new labels is the old one: 27 % of the labels are wrong. Validation is clean.
    """
    (images, labels), valid = split()
    return _workload("digits-noisy", (images, redrawn(labels, NOISE, CLASSES, SEED + 1)), valid)


def split() -> tuple[Examples, Examples]:
    """(images [n, 64] in [0, 1], labels [n]) to train on and to validate on, always the same ones."""
    images, labels = read()
    order = np.random.default_rng(SEED).permutation(len(labels))
    train, valid = order[:TRAIN], order[TRAIN:]
    return (images[train], labels[train]), (images[valid], labels[valid])


def read() -> Examples:
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise ValueError(f"digits: scikit-learn, which carries them, is missing: {install('workloads')}")
    # `import sklearn.datasets` takes seconds, reading the table that it would read takes none.
    table = Path(package.origin).parent / TABLE
    if table.exists():
        values = np.loadtxt(table, delimiter=",", dtype=np.float32)
        images, labels = values[:, :-1], values[:, -1]
    else:
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
    return (images / 16).astype(np.float32), labels.astype(np.int32)


def _workload(name: str, train: Examples, valid: Examples) -> Supervised:
    return Supervised(
        name,
        params=functools.partial(mlp.init, sizes=SIZES),
        apply=mlp.apply,
        train=train,
        valid=valid,
        optimizer=functools.partial(optax.sgd, momentum=0.9),
        batch_size=BATCH,
        budget=100,
        base_lr=(1e-3, 1.0),
    )
