"""Wide residual networks, WRN-depth-width, for colour images of 32 x 32 pixels, as two pure functions.

Zagoruyko and Komodakis, "Wide residual networks", BMVC 2016. Their blocks are those of He et al., "Identity
mappings in deep residual networks", ECCV 2016: normalise, relu and convolve, twice.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

STEM = 16
"""Channels of the first convolution. The three groups of blocks have 1, 2 and 4 times as many, times the
width."""
GROUPS = 3
OUTSIDE = 4
"""Layers outside of the blocks, as depths are counted; inside there are two for each block of a group."""
KEPT = 0.9
"""The share of the running statistics that is kept at every step; the rest comes from the batch."""
EPSILON = 1e-5

Weights = dict[str, Any]
Statistics = dict[str, Any]


class Norm(NamedTuple):
    """What is trained of a batch normalisation: [channels] each."""

    scale: jax.Array
    shift: jax.Array


class Moments(NamedTuple):
    """What a batch normalisation takes for a batch's own moments where none is trained: [channels] each."""

    mean: jax.Array
    variance: jax.Array


class Network(NamedTuple):
    weights: Weights
    statistics: Statistics
    """`Moments`, which `apply` returns anew at every training step."""


def init(key: jax.Array, depth: int, width: int, classes: int) -> Network:
    """A new network: normal kernels of variance 2 / fan-in, normalisations that change nothing, biases zero.

    Raises ValueError for a depth that is not 6n + 4, and for a width below 1.
    """
    shapes = shapes_of(depth, width, classes)
    leaves, tree = jax.tree.flatten(shapes, is_leaf=lambda leaf: isinstance(leaf, tuple))
    counts = [math.prod(shape) for shape in leaves]
    # All weights at once: XLA compiles the generator anew for every draw, longer than the training itself.
    drawn = jnp.split(jax.random.normal(key, (sum(counts),), jnp.float32), np.cumsum(counts)[:-1].tolist())
    kernels = [
        values.reshape(shape) * math.sqrt(2 / math.prod(shape[:-1]))
        for values, shape in zip(drawn, leaves, strict=True)
    ]
    weights = jax.tree.unflatten(tree, kernels)
    inputs = [(block["first"][2], block["second"][2]) for block in shapes["blocks"]]
    for block, channels in zip(weights["blocks"], inputs, strict=True):
        block["norms"] = [Norm(jnp.ones(n, jnp.float32), jnp.zeros(n, jnp.float32)) for n in channels]
    last = shapes["head"][0]
    weights["norm"] = Norm(jnp.ones(last, jnp.float32), jnp.zeros(last, jnp.float32))
    weights["bias"] = jnp.zeros(classes, jnp.float32)
    return Network(
        weights,
        {"blocks": [[_moments(n) for n in channels] for channels in inputs], "norm": _moments(last)},
    )


def shapes_of(depth: int, width: int, classes: int) -> dict[str, Any]:
    """The shape of every kernel: [height, width, inputs, outputs], the head's [inputs, outputs].

    Raises ValueError for a depth that is not 6n + 4, and for a width below 1.
    """
    blocks, left = divmod(depth - OUTSIDE, 2 * GROUPS)
    if left or blocks < 1:
        raise ValueError(f"depth={depth} must be 6n + 4: 10, 16, 22, 28, 34, 40 and so on")
    if width < 1:
        raise ValueError(f"width={width} must be at least 1")
    old, shapes = STEM, []
    for group in range(GROUPS):
        new = STEM * width * 2**group
        for _ in range(blocks):
            block = {"first": (3, 3, old, new), "second": (3, 3, new, new)}
            shapes.append(block if old == new else {**block, "shortcut": (1, 1, old, new)})
            old = new
    return {"stem": (3, 3, 3, STEM), "blocks": shapes, "head": (old, classes)}


def _moments(channels: int) -> Moments:
    return Moments(jnp.zeros(channels, jnp.float32), jnp.ones(channels, jnp.float32))


def apply(
    weights: Weights, statistics: Statistics, images: jax.Array, training: bool
) -> tuple[jax.Array, Statistics]:
    """(logits [n, classes], statistics) on images [n, 32, 32, 3].

    Where `training`, normalises by the batch and returns the statistics that have seen it; else normalises by
    the given statistics, and returns them.
    """
    x, blocks = _convolved(images, weights["stem"]), []
    halving = {group * len(weights["blocks"]) // GROUPS for group in range(1, GROUPS)}
    for place, (block, moments) in enumerate(zip(weights["blocks"], statistics["blocks"], strict=True)):
        x, seen = _block(block, moments, x, 2 if place in halving else 1, training)
        blocks.append(seen)
    x, last = _normalised(x, weights["norm"], statistics["norm"], training)
    logits = jax.nn.relu(x).mean((1, 2)) @ weights["head"] + weights["bias"]
    return logits, {"blocks": blocks, "norm": last}


def _block(
    weights: Weights, statistics: list[Moments], x: jax.Array, stride: int, training: bool
) -> tuple[jax.Array, list[Moments]]:
    before, first = _normalised(x, weights["norms"][0], statistics[0], training)
    before = jax.nn.relu(before)
    between = _convolved(before, weights["first"], stride)
    between, second = _normalised(between, weights["norms"][1], statistics[1], training)
    after = _convolved(jax.nn.relu(between), weights["second"])
    # Where the shapes change, what is added is a projection of the activations, not of the sum before them.
    return after + (_convolved(before, weights["shortcut"], stride) if "shortcut" in weights else x), [
        first,
        second,
    ]


def _convolved(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Convolves with a margin of zeros, so that a stride of 1 keeps the sides."""
    # XLA on a CPU trains convolutions about ten times slower inside a loop, and populations loop over steps.
    convolve = _by_products if jax.default_backend() == "cpu" else _by_convolution
    return convolve(x, kernel, stride)


def _by_convolution(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    margin = kernel.shape[0] // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        [(margin, margin), (margin, margin)],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _by_products(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The same, as a sum of matrix products, one for each place of the kernel."""
    _, height, width, _ = x.shape
    side = kernel.shape[0]
    margin = (side // 2, side // 2)
    padded = jnp.pad(x, ((0, 0), margin, margin, (0, 0)))
    products = [
        padded[:, row : row + height : stride, column : column + width : stride] @ kernel[row, column]
        for row in range(side)
        for column in range(side)
    ]
    return functools.reduce(jnp.add, products)


def _normalised(x: jax.Array, norm: Norm, running: Moments, training: bool) -> tuple[jax.Array, Moments]:
    """Ioffe and Szegedy, "Batch normalization", ICML 2015."""
    used = running
    if training:
        used = Moments(x.mean((0, 1, 2)), x.var((0, 1, 2)))
        running = jax.tree.map(lambda old, new: KEPT * old + (1 - KEPT) * new, running, used)
    scale = norm.scale * jax.lax.rsqrt(used.variance + EPSILON)
    return (x - used.mean) * scale + norm.shift, running
