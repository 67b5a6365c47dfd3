"""A small transformer that predicts the next character, as two pure functions."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

WIDTH = 32
HEADS = 2
HIDDEN = 64
CONTEXT = 32
"""Characters."""

Params = dict[str, Any]


def init(key: jax.Array, letters: int) -> Params:
    """One block: attention and a hidden layer, both before a residual; weights of variance 1 / inputs."""
    shapes = {
        "embedding": (letters, WIDTH),
        "position": (CONTEXT, WIDTH),
        "attention": (WIDTH, 3 * WIDTH),
        "mixed": (WIDTH, WIDTH),
        "up": (WIDTH, HIDDEN),
        "down": (HIDDEN, WIDTH),
        "head": (WIDTH, letters),
    }
    # All weights at once: XLA compiles the generator anew for every draw.
    sizes = [math.prod(shape) for shape in shapes.values()]
    drawn = jax.random.normal(key, (sum(sizes),), jnp.float32)
    params, begin = {}, 0
    for (name, shape), size in zip(shapes.items(), sizes, strict=True):
        inputs = HIDDEN if name == "down" else WIDTH
        params[name] = drawn[begin : begin + size].reshape(shape) / math.sqrt(inputs)
        begin += size
    return params


def apply(params: Params, text: jax.Array) -> jax.Array:
    """The logits [n, CONTEXT, letters] of the character after each of text [n, CONTEXT].

    Pre-norm, causal. Vaswani et al., "Attention is all you need", 2017; Xiong et al., "On layer normalization
    in the transformer architecture", 2020.
    """
    letters = params["embedding"].shape[0]
    x = jax.nn.one_hot(text, letters) @ params["embedding"] * math.sqrt(WIDTH) + params["position"]
    count, length, _ = x.shape
    queries, keys, values = jnp.split(_normal(x) @ params["attention"], 3, axis=-1)
    split = (count, length, HEADS, WIDTH // HEADS)
    queries, keys, values = (part.reshape(split) for part in (queries, keys, values))
    scores = jnp.einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(WIDTH // HEADS)
    scores = jnp.where(jnp.tril(jnp.ones((length, length), bool)), scores, -jnp.inf)
    mixed = jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(scores), values).reshape(count, length, WIDTH)
    x = x + mixed @ params["mixed"]
    x = x + jax.nn.gelu(_normal(x) @ params["up"]) @ params["down"]
    logits: jax.Array = _normal(x) @ params["head"]
    return logits


def _normal(x: jax.Array) -> jax.Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-5)
