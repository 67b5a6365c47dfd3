"""Arithmetic with twice the bits of a float in JAX: a number as an unevaluated sum of two floats.

Dekker 1971, "A floating-point technique for extending the available precision", Numer. Math. 18.
"""

from typing import TypeAlias

import jax.numpy as jnp
from jax import Array, lax

Pair: TypeAlias = tuple[Array, Array]  # the second term lies below the last bit of the first


def two_sum(a: Array, b: Array) -> Pair:
    """a + b rounded, and the rounding error (Knuth)."""
    total = a + b
    rounded = total - a
    return total, (a - (total - rounded)) + (b - rounded)


def renormalised(high: Array, low: Array) -> Pair:
    total = high + low
    return total, low - (total - high)


def add(a: Pair, b: Pair) -> Pair:
    high, low = two_sum(a[0], b[0])
    return renormalised(high, low + (a[1] + b[1]))


def subtract(a: Pair, b: Pair) -> Pair:
    return add(a, (-b[0], -b[1]))


def is_not_negative(a: Pair) -> Array:
    return (a[0] > 0) | ((a[0] == 0) & (a[1] >= 0))


def select(condition: Array, yes: Pair, no: Pair) -> Pair:
    return jnp.where(condition, yes[0], no[0]), jnp.where(condition, yes[1], no[1])


def product(a: Pair, b: Pair) -> Pair:
    """The product of exact half-width products: a compiler that contracts a * b + c cannot change these."""
    (a1, a2), (b1, b2) = _halves(a[0]), _halves(b[0])
    cross, error = two_sum(a1 * b2, a2 * b1)
    high, low = two_sum(a1 * b1, cross)
    return renormalised(high, low + (error + (a2 * b2 + (a[0] * b[1] + a[1] * b[0]))))


def _halves(a: Array) -> Pair:
    """a as the sum of its upper and its lower bits, by a mask: arithmetic could be contracted."""
    bits, low = (jnp.int64, 2**27 - 1) if a.dtype == jnp.float64 else (jnp.int32, 2**12 - 1)
    upper = lax.bitcast_convert_type(lax.bitcast_convert_type(a, bits) & jnp.asarray(~low, bits), a.dtype)
    return upper, a - upper


def capped(a: Pair, cap: Array) -> Pair:
    return jnp.minimum(a[0], cap), jnp.where(a[0] < cap, a[1], jnp.zeros_like(a[1]))
