"""MNIST-1D: signals of 40 points that depict the ten digits, generated, so that any number can validate.

Greydanus and Kobak, "Scaling down deep learning with MNIST-1D", ICML 2024.
"""

from __future__ import annotations

import functools
import importlib.metadata
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import optax

from sgdr.extras import install
from sgdr.search.problem.supervised import Supervised
from sgdr.workloads import mlp
from sgdr.workloads.cache import Arrays, cached
from sgdr.workloads.noise import redrawn

if TYPE_CHECKING:
    from jaxtyping import Float32, Int32

TRAIN = 4_000
VALID = 8_000
BATCH = 100
SIZES = (40, 100, 100, 10)
CLASSES = 10
NOISE = 0.3
SEED = 42


def mnist1d() -> Supervised:
    """An MLP 40-100-100-10 on 4,000 signals, 40 steps an epoch; 8,000 others validate.

    The generator takes seconds: its signals are kept in the cache directory (see `cache`).
    """
    signals, labels = examples(TRAIN + VALID, SEED)
    return _workload("mnist1d", signals, labels, labels[:TRAIN])


def mnist1d_noisy() -> Supervised:
    """The same with 30 % of the training labels drawn anew at random; validation is clean."""
    signals, labels = examples(TRAIN + VALID, SEED)
    return _workload("mnist1d-noisy", signals, labels, redrawn(labels[:TRAIN], NOISE, CLASSES, SEED))


def _workload(name: str, signals: np.ndarray, labels: np.ndarray, trained: np.ndarray) -> Supervised:
    return Supervised(
        name,
        params=functools.partial(mlp.init, sizes=SIZES),
        apply=mlp.apply,
        train=(signals[:TRAIN], trained),
        valid=(signals[TRAIN:], labels[TRAIN:]),
        optimizer=functools.partial(optax.sgd, momentum=0.9),
        batch_size=BATCH,
        budget=100,
        base_lr=(1e-3, 1.0),
    )


def examples(count: int, seed: int) -> tuple[Float32[np.ndarray, "count 40"], Int32[np.ndarray, " count"]]:
    """Standardised signals and their labels in random order; count is a multiple of ten."""
    try:
        version = importlib.metadata.version("mnist1d")
    except importlib.metadata.PackageNotFoundError as error:
        raise ValueError(
            f"mnist1d: the package of this name, its generator, is missing: {install('workloads')}"
        ) from error
    arrays = cached(f"mnist1d-{version}-{count}-{seed}", lambda: _generate(count, seed))
    return arrays["signals"], arrays["labels"]


def _generate(count: int, seed: int) -> Arrays:
    # Here, since it imports matplotlib and requests, which takes a second.
    from mnist1d.data import get_dataset_args, make_dataset

    options = get_dataset_args()
    options.num_samples, options.seed = count, seed
    with _global_random_state_kept():
        data = make_dataset(options)
    return {
        "signals": np.concatenate([data["x"], data["x_test"]]).astype(np.float32),
        "labels": np.concatenate([data["y"], data["y_test"]]).astype(np.int32),
    }


@contextmanager
def _global_random_state_kept() -> Iterator[None]:
    """Undoes the generator's seeding of Python's and NumPy's global random numbers."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
