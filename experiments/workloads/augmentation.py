"""Random changes of training images that leave what they show: mirrored, and moved by some pixels."""

from __future__ import annotations

import jax
import jax.numpy as jnp

MARGIN = 4
"""Pixels by which an image moves at most, in each direction."""


def mirrored_and_moved(key: jax.Array, images: jax.Array) -> jax.Array:
    """Images [n, height, width, channels], each mirrored or not, cropped at random from a margin of zeros.

    Lee et al., "Deeply-supervised nets", AISTATS 2015, as in all work on CIFAR since.
    """
    mirror_key, move_key = jax.random.split(key)
    mirror = jax.random.bernoulli(mirror_key, shape=(len(images), 1, 1, 1))
    corners = jax.random.randint(move_key, (len(images), 2), 0, 2 * MARGIN + 1)
    padded = jnp.pad(
        jnp.where(mirror, images[:, :, ::-1], images), ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    )

    def cropped(image: jax.Array, corner: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], jnp.int32(0)), images.shape[1:])

    return jax.vmap(cropped)(padded, corners)
