"""A small convolutional network without a convolution, as two pure functions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp

from sgdr.workloads import mlp

if TYPE_CHECKING:
    from jaxtyping import Float, Key

SIDE = 3
"""The side of every kernel, which moves by two pixels: strides take the place of pooling."""


class Network(NamedTuple):
    convolutions: list[dict[str, jax.Array]]
    """A weight [3, 3, inputs, outputs] and a bias [outputs] for each layer."""
    head: mlp.Layers


def init(key: Key[jax.Array, ""], channels: Sequence[int], sizes: Sequence[int]) -> Network:
    """New convolutions from one channel to each of `channels`, and an MLP of `sizes` on what the last gives.

    Truncated normal weights of variance 2 / fan-in, biases zero.
    Springenberg et al., "Striving for simplicity: the all convolutional net", 2015.
    """
    head_key, *keys = jax.random.split(key, len(channels) + 1)
    he = jax.nn.initializers.he_normal()
    convolutions = [
        {"weight": he(key, (SIDE, SIDE, old, new), jnp.float32), "bias": jnp.zeros(new, jnp.float32)}
        for key, old, new in zip(keys, (1, *channels), channels, strict=False)
    ]
    return Network(convolutions, mlp.init(head_key, sizes))


def apply(network: Network, images: Float[jax.Array, "n height width"]) -> Float[jax.Array, "n outputs"]:
    """The head's values on grey images."""
    x = images[..., None]
    for layer in network.convolutions:
        x = jax.nn.relu(convolve(x, layer["weight"]) + layer["bias"])
    return mlp.apply(network.head, x)


def convolve(
    images: Float[jax.Array, "n height width inputs"], weight: Float[jax.Array, "3 3 inputs outputs"]
) -> Float[jax.Array, "n height/2 width/2 outputs"]:
    """The 3 x 3 convolution with stride 2 and padding "SAME" of images whose sides are even.

    A sum of matrix products, one for each place of the kernel: XLA on a CPU trains a convolution about ten
    times slower inside a loop, and a population's loops over steps and its weights differ from slot to slot.
    """
    _, height, width, _ = images.shape
    padded = jnp.pad(images, ((0, 0), (0, 1), (0, 1), (0, 0)))
    products = [
        padded[:, row : row + height : 2, column : column + width : 2] @ weight[row, column]
        for row in range(SIDE)
        for column in range(SIDE)
    ]
    return functools.reduce(jnp.add, products)
