"""A random order of n things, evaluated at any place without being stored.

Sorting random numbers costs more than training a small model on them, and a stored order does not fit
in a state of fixed shape that many trials share; a keyed bijection costs a few integer operations a place.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Int32, UInt32

ROUNDS = 6


def shuffled(
    places: Int32[jax.Array, "*shape"], n: int, seed: UInt32[jax.Array, ""], epoch: Int32[jax.Array, ""]
) -> Int32[jax.Array, "*shape"]:
    """Maps `places`, each in [0, n), by a permutation of range(n) that `seed` and `epoch` name.

    A Feistel network over Z_a x Z_b with a·b just at or above n; what falls
    outside is walked along its orbit until it falls inside (Black and Rogaway, "Ciphers with arbitrary
    finite domains", 2002).
    """
    a, b = _sides(n)
    key = _mixed(seed.astype(jnp.uint32) ^ _mixed(epoch.astype(jnp.uint32) + jnp.uint32(0x9E3779B9)))

    def permuted(place: UInt32[jax.Array, "*shape"]) -> UInt32[jax.Array, "*shape"]:
        left, right = place // b, place % b
        for turn in range(0, ROUNDS, 2):
            left = (left + _mixed(right + key + jnp.uint32(turn * 0x85EBCA6B % 2**32)) % a) % a
            right = (right + _mixed(left + key + jnp.uint32((turn + 1) * 0x85EBCA6B % 2**32)) % b) % b
        return left * b + right

    mapped = permuted(places.astype(jnp.uint32))
    if a * b > n:
        mapped = jax.lax.while_loop(
            lambda at: jnp.any(at >= n), lambda at: jnp.where(at >= n, permuted(at), at), mapped
        )
    # Without the barrier, XLA computes the order again for every feature that it gathers.
    computed_once: jax.Array = jax.lax.optimization_barrier(mapped.astype(jnp.int32))
    return computed_once


def _sides(n: int) -> tuple[int, int]:
    """(a, b) of similar size whose product exceeds n by as little as can be, often by nothing.

    Not a = 1, with which every order would be a rotation.
    """
    root = max(2, math.isqrt(n))
    a = min(range(root, max(1, root // 3), -1), key=lambda a: a * -(-n // a))
    return a, -(-n // a)


def _mixed(x: UInt32[jax.Array, "*shape"]) -> UInt32[jax.Array, "*shape"]:
    """A bijection whose output bits each depend on every input bit (Wellons, hash-prospector)."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)
