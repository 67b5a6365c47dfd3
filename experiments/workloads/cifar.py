"""CIFAR-10 and CIFAR-100 with a wide residual network, as in the paper on warm restarts: hours on a GPU.

Loshchilov and Hutter, "SGDR", ICLR 2017, section 4.1, after Zagoruyko and Komodakis, "Wide residual
networks", BMVC 2016.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.workloads import wide_residual
from experiments.workloads.augmentation import mirrored_and_moved
from experiments.workloads.cifar_files import LAYOUTS, read
from experiments.workloads.wide_residual import Network
from sgdr.search.problem.supervised import Supervised, SupervisedState

BATCH = 128
EVALUATION_BATCH = 500
BUDGET = 200
WEIGHT_DECAY = 5e-4
MOMENTUM = 0.9


def cifar(name: str, directory: Path, depth: int = 28, width: int = 10) -> Augmented:
    """WRN-depth-width on the files of `name`, "cifar10" or "cifar100", in `directory` (see `cifar_files`).

    Batches of 128, mirrored and moved; the mean image is subtracted. Nesterov momentum 0.9, weight decay
    5e-4. Raises ValueError for files that are not there, or not what they should be, and for a bad depth or
    width.
    """
    classes = LAYOUTS[name].classes
    wide_residual.shapes_of(depth, width, classes)  # raises what it has to say, before anything is read
    init = functools.partial(wide_residual.init, depth=depth, width=width, classes=classes)
    train, test = read(name, directory)
    return Augmented(f"{name}-wrn-{depth}-{width}", init, train, test)


def optimizer(lr: Any) -> optax.GradientTransformation:
    """SGD whose weight decay is a part of the gradient, so that momentum gathers it too."""
    return optax.chain(
        optax.add_decayed_weights(WEIGHT_DECAY), optax.sgd(lr, momentum=MOMENTUM, nesterov=True)
    )


class Augmented(Supervised):
    """Trains on changed images, with normalisations by the batch, whose running statistics evaluate."""

    def __init__(
        self,
        name: str,
        init: Any,
        train: tuple[np.ndarray, np.ndarray],
        test: tuple[np.ndarray, np.ndarray],
        batch_size: int = BATCH,
    ) -> None:
        self.mean_image = train[0].mean(0, dtype=np.float64).astype(np.float32) / 255
        super().__init__(
            name,
            params=init,
            apply=self._evaluated,
            train=train,
            valid=test,
            optimizer=optimizer,
            batch_size=batch_size,
            budget=BUDGET,
            base_lr=(1e-3, 1.0),
            evaluation_batch=EVALUATION_BATCH,
        )

    def _evaluated(self, network: Network, images: jax.Array) -> jax.Array:
        return wide_residual.apply(*network, images - self.mean_image, training=False)[0]

    def init(self, key: jax.Array) -> SupervisedState:
        """The same, but that the optimizer knows the weights alone."""
        network = self._params(key)
        shuffle_seed = jax.random.key_data(key).ravel()[-1].astype(jnp.uint32)
        return SupervisedState(network, optimizer(0.0).init(network.weights), shuffle_seed)

    def update(
        self,
        state: SupervisedState,
        lr: jax.Array,
        step: jax.Array,
        key: jax.Array,
        hparams: dict[str, jax.Array],
    ) -> SupervisedState:
        """One step on the minibatch that `step` and the state's seed name, changed as `key` says."""
        images, labels = self.minibatch(state, step)
        # The margin is of the mean image: zeros, once that is subtracted.
        x = mirrored_and_moved(key, images.astype(jnp.float32) / 255 - self.mean_image)

        def mean_loss(weights: wide_residual.Weights) -> tuple[jax.Array, wide_residual.Statistics]:
            logits, seen = wide_residual.apply(weights, state.params.statistics, x, training=True)
            return jnp.mean(self._loss(logits, labels)), seen

        gradient, statistics = jax.grad(mean_loss, has_aux=True)(state.params.weights)
        updates, optimizer_state = optimizer(lr).update(gradient, state.optimizer, state.params.weights)
        network = Network(optax.apply_updates(state.params.weights, updates), statistics)
        return SupervisedState(network, optimizer_state, state.shuffle_seed)
