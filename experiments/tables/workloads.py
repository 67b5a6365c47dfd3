"""The workloads of the tables: small, and as different in kind as a laptop trains in minutes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.bench.tables import halved
from experiments.tables import bible, transformer
from sgdr.search.problem.supervised import Supervised, cross_entropy, misclassified
from sgdr.workloads import cnn, digits, fashion_mnist, mlp, mnist1d
from sgdr.workloads.noise import redrawn

VALID = 8_000
BUDGET = 60
SHORT_BUDGET = 30
"""Epochs: the shorter one for those whose epochs are long."""
MOMENTUM = functools.partial(optax.sgd, momentum=0.9)
ADAMW = functools.partial(optax.adamw, weight_decay=0.01)


def clean() -> Supervised:
    """mnist1d: an MLP on 4,000 signals, SGD with momentum."""
    return _mnist1d("mnist1d", None, MOMENTUM, (1e-3, 1.0))


def noisy() -> Supervised:
    """The same with 30 % of the training labels drawn anew."""
    return _mnist1d("mnist1d-noisy", 0.3, MOMENTUM, (1e-3, 1.0))


def adamw() -> Supervised:
    """mnist1d under AdamW, whose accuracy is maximised."""
    return _mnist1d("mnist1d-adamw", None, ADAMW, (1e-4, 1e-1), maximized=True)


def _mnist1d(
    name: str,
    noise: float | None,
    optimizer: Callable[..., optax.GradientTransformation],
    base_lr: tuple[float, float],
    maximized: bool = False,
) -> Supervised:
    signals, labels = mnist1d.examples(mnist1d.TRAIN + VALID, mnist1d.SEED)
    trained = labels[: mnist1d.TRAIN]
    if noise is not None:
        trained = redrawn(trained, noise, mnist1d.CLASSES, mnist1d.SEED)
    return Supervised(
        name,
        params=functools.partial(mlp.init, sizes=mnist1d.SIZES),
        apply=mlp.apply,
        train=(signals[: mnist1d.TRAIN], trained),
        valid=(signals[mnist1d.TRAIN :], labels[mnist1d.TRAIN :]),
        optimizer=optimizer,
        batch_size=100,
        budget=SHORT_BUDGET,
        metrics={"accuracy": _classified} if maximized else None,
        metric="accuracy" if maximized else "error",
        direction="maximize" if maximized else "minimize",
        base_lr=base_lr,
    )


def digits_noisy() -> Supervised:
    """Digits, 30 % of the training labels drawn anew: few examples to train on and to validate on."""
    (images, labels), valid = digits.split()
    return Supervised(
        "digits-noisy",
        params=functools.partial(mlp.init, sizes=digits.SIZES),
        apply=mlp.apply,
        train=(images, redrawn(labels, digits.NOISE, digits.CLASSES, digits.SEED + 1)),
        valid=valid,
        optimizer=MOMENTUM,
        batch_size=digits.BATCH,
        budget=BUDGET,
        base_lr=(1e-3, 1.0),
    )


def fashion_mlp() -> Supervised:
    """Fashion-MNIST, 14 x 14: an MLP on 4,000 images."""
    init = functools.partial(mlp.init, sizes=(196, 64, 64, 10))
    return _fashion("fashion-mlp", init, mlp.apply, 4_000, 100, SHORT_BUDGET, MOMENTUM, (1e-3, 1.0))


def fashion_cnn() -> Supervised:
    """Fashion-MNIST, 14 x 14: a small CNN on 2,000 images."""
    init = functools.partial(cnn.init, channels=(8, 16), sizes=(4 * 4 * 16, 10))
    return _fashion(
        "fashion-cnn", init, _convolved, 2_000, 50, SHORT_BUDGET, MOMENTUM, (1e-3, 1.0), valid=4_000
    )


def logistic() -> Supervised:
    """Fashion-MNIST, 14 x 14: logistic regression by plain SGD on 4,000 images, by its loss."""
    init = functools.partial(mlp.init, sizes=(196, 10))
    return _fashion(
        "logistic", init, mlp.apply, 4_000, 100, BUDGET, optax.sgd, (3e-3, 3.0), metric="loss", valid=4_000
    )


def _fashion(
    name: str,
    init: Callable[[jax.Array], Any],
    apply: Callable[[Any, jax.Array], jax.Array],
    train: int,
    batch_size: int,
    budget: int,
    optimizer: Callable[..., optax.GradientTransformation],
    base_lr: tuple[float, float],
    metric: str = "error",
    valid: int = VALID,
) -> Supervised:
    (images, labels), (valid_images, valid_labels) = fashion_mnist.read()
    return Supervised(
        name,
        params=init,
        apply=apply,
        train=(halved(images[:train]), labels[:train]),
        valid=(halved(valid_images[:valid]), valid_labels[:valid]),
        optimizer=optimizer,
        batch_size=batch_size,
        budget=budget,
        metric=metric,
        base_lr=base_lr,
        evaluation_batch=500,
    )


def regression() -> Supervised:
    """A regression by Adam: an MLP on 2,000 points of Friedman's function of ten inputs, with noise.

    Friedman, "Multivariate adaptive regression splines", 1991, equation 56; standardised.
    """
    random = np.random.default_rng(0)
    inputs = random.random((2_000 + VALID, 10)).astype(np.float32)
    truth = (
        10 * np.sin(np.pi * inputs[:, 0] * inputs[:, 1])
        + 20 * (inputs[:, 2] - 0.5) ** 2
        + 10 * inputs[:, 3]
        + 5 * inputs[:, 4]
    )
    targets = (truth - truth.mean()) / truth.std()
    targets[:2_000] += random.normal(0, 0.5, 2_000)
    targets = targets.astype(np.float32)
    return Supervised(
        "regression",
        params=functools.partial(mlp.init, sizes=(10, 64, 64, 1)),
        apply=mlp.apply,
        train=(inputs[:2_000], targets[:2_000]),
        valid=(inputs[2_000:], targets[2_000:]),
        optimizer=optax.adam,
        batch_size=50,
        budget=BUDGET,
        loss=_squared,
        metrics={},
        metric="loss",
        base_lr=(1e-4, 1e-1),
    )


def characters() -> Supervised:
    """The next character of the Bible, by a small transformer under AdamW, in nats."""
    text = bible.characters(400_000)
    starts = np.arange(0, len(text) - transformer.CONTEXT - 1, transformer.CONTEXT)
    windows = text[starts[:, None] + np.arange(transformer.CONTEXT + 1)]
    windows = np.random.default_rng(0).permutation(windows)
    train, valid = windows[:800], windows[800:1_824]
    return Supervised(
        "characters",
        params=functools.partial(transformer.init, letters=len(bible.LETTERS)),
        apply=transformer.apply,
        train=(train[:, :-1], train[:, 1:]),
        valid=(valid[:, :-1], valid[:, 1:]),
        optimizer=ADAMW,
        batch_size=40,
        budget=SHORT_BUDGET,
        loss=lambda logits, letters: jnp.mean(cross_entropy(logits, letters), axis=-1),
        metrics={},
        metric="loss",
        base_lr=(3e-4, 3e-1),
        evaluation_batch=256,
    )


def _convolved(network: cnn.Network, images: jax.Array) -> jax.Array:
    # A strided convolution halves even sides: 14 x 14 becomes 16 x 16 by zeros.
    return cnn.apply(network, jnp.pad(images, ((0, 0), (1, 1), (1, 1))))


def _classified(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return 1.0 - misclassified(logits, labels)


def _squared(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.square(outputs[:, 0] - targets)


WORKLOADS: dict[str, Callable[[], Supervised]] = {
    "mnist1d": clean,
    "mnist1d-noisy": noisy,
    "mnist1d-adamw": adamw,
    "digits-noisy": digits_noisy,
    "fashion-mlp": fashion_mlp,
    "fashion-cnn": fashion_cnn,
    "logistic": logistic,
    "regression": regression,
    "characters": characters,
}
