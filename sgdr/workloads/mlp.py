"""A multilayer perceptron with relu, as two pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Key

Layers = list[dict[str, jax.Array]]
"""A weight [inputs, outputs] and a bias [outputs] for each layer."""


def init(key: Key[jax.Array, ""], sizes: Sequence[int]) -> Layers:
    """New layers between consecutive `sizes`: truncated normal weights of variance 2 / inputs, biases zero.

    He et al., "Delving deep into rectifiers", 2015, equation 10.
    """
    shapes = list(pairwise(sizes))
    counts = [inputs * outputs for inputs, outputs in shapes]
    # All weights at once: XLA compiles the generator anew for every draw, longer than the training itself.
    drawn = jnp.split(jax.random.normal(key, (sum(counts),), jnp.float32), np.cumsum(counts)[:-1].tolist())
    return [
        {"weight": values.reshape(shape) * math.sqrt(2 / shape[0]), "bias": jnp.zeros(shape[1], jnp.float32)}
        for values, shape in zip(drawn, shapes, strict=True)
    ]


def apply(layers: Layers, inputs: Float[jax.Array, "n ..."]) -> Float[jax.Array, "n outputs"]:
    """The last layer's values on inputs, each of which is flattened."""
    x = inputs.reshape(len(inputs), -1)
    for layer in layers[:-1]:
        x = jax.nn.relu(x @ layer["weight"] + layer["bias"])
    return x @ layers[-1]["weight"] + layers[-1]["bias"]
