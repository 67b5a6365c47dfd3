"""What is trained: the workloads of the comparison, and how long."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optax

from experiments.paper.grid import PEAK, RATES
from experiments.workloads.cifar import cifar
from sgdr.search.problem.supervised import Supervised
from sgdr.workloads import cnn, fashion_mnist
from sgdr.workloads.mnist1d import mnist1d

IMAGES, TESTED = 3_000, 4_000
"""The numbers of images taken of Fashion-MNIST's 60,000 and 10,000, so that the comparison takes minutes."""


@dataclass(frozen=True)
class Scene:
    """A workload with the settings of the comparison on it."""

    make: Callable[[], Supervised]
    """Reads the data. Raises ValueError where there is none."""
    epochs: int
    """The budget, unless another is asked for."""
    words: str
    """What it is, for the table."""
    rates: tuple[float, float] = RATES
    """The rates of the step decays."""
    peak: float = PEAK
    """The peak of the others: the rate at which step decay was better, on four seeds not compared here."""
    slots: int | str = "auto"


def scene(name: str, data: Path | None, depth: int, width: int) -> Scene:
    """The scene of that name; `data`, `depth` and `width` are those of the wide residual network.

    Raises ValueError where CIFAR is asked for without a directory of its files.
    """
    if name not in CIFAR:
        return SCENES[name]
    if data is None:
        raise ValueError(f"--workload {name} needs --data, the directory of its files")
    return Scene(
        functools.partial(cifar, name, data, depth, width),
        epochs=200,
        words=f"{name} from {data}, WRN-{depth}-{width}",
        slots=1,  # one such network fills a GPU
    )


def fashion() -> Supervised:
    """Convolutions to 8 and 16 channels and an MLP 784-32-10 on 3,000 images, 23 steps an epoch."""
    (images, labels), (test, test_labels) = fashion_mnist.read()
    return Supervised(
        f"fashion-mnist-cnn-{IMAGES}",
        params=functools.partial(cnn.init, channels=(8, 16), sizes=(7 * 7 * 16, 32, 10)),
        apply=cnn.apply,
        train=(images[:IMAGES], labels[:IMAGES]),
        valid=(test[:TESTED], test_labels[:TESTED]),
        optimizer=functools.partial(optax.sgd, momentum=0.9),
        batch_size=fashion_mnist.BATCH,
        budget=SCENES["fashion-mnist"].epochs,
        base_lr=(1e-3, 1.0),
        evaluation_batch=fashion_mnist.BATCH,
    )


SCENES = {
    "mnist1d": Scene(
        mnist1d, 200, "mnist1d: an MLP 40-100-100-10 on 4,000 signals, 8,000 for the test", (0.2, 0.1), 0.2
    ),
    "fashion-mnist": Scene(
        fashion,
        40,
        "Fashion-MNIST: two convolutions and an MLP "
        f"on {IMAGES:,} of the 60,000 images, {TESTED:,} of the 10,000 for the test",
    ),
}
CIFAR = ("cifar10", "cifar100")
NAMES = (*SCENES, *CIFAR)
