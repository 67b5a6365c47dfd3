"""Cycles in JAX whose T_0 or T_mult is no whole number, or is traced as a float: imported when one is met.

Where the fields are numbers, boundaries are the exact ones of the host. Else fields are carried as the
unevaluated sum of two floats, 48 bits for float32: a power or a logarithm in 24 bits misplaces boundaries.
"""

import math
from bisect import bisect_right
from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from sgdr import pairs
from sgdr.cycles import GrowingCycles, cycles_of
from sgdr.pairs import Pair
from sgdr.steps_jax import LONGEST_REAL, Steps, is_number, search

_FEW_ROWS = 64  # boundaries that are searched by selection, in registers; more are gathered from memory


def locate(steps: Steps, T_0: Any, T_mult: Any, work: Any) -> tuple[Array, Array]:
    """Index of the cycle of each step, and in type `work` the fraction of the cycle still to go."""
    if is_number(T_0) and is_number(T_mult):
        if T_mult == 1:
            return _locate_equal(steps, _pair(T_0, work), work)
        table = cycles_of(T_0, T_mult)
        assert isinstance(table, GrowingCycles)
        largest = int(np.iinfo(steps.whole.dtype).max)
        rows = bisect_right(table.keys, largest)
        if rows < len(table.keys) or table.end > largest:
            return _locate_in_table(steps, table, rows, work)
    return _locate_pairs(steps, _pair(T_0, work), _pair(T_mult, work), work)


def placed(steps: Steps, length: Any, work: Any) -> tuple[Array, Array, Array]:
    """The index of each step's cycle, how far into it, and the fraction to go, where all have that length."""
    pair = _pair(length, work)
    index, left = _equal_cycles(steps, pair, work)
    done = left[0]
    if steps.part is not None:  # see `_remaining`
        done = done + (steps.part - lax.stop_gradient(steps.part)).astype(work)
    return index, done, _remaining(steps, left, pair)


def _locate_in_table(steps: Steps, table: GrowingCycles, rows: int, work: Any) -> tuple[Array, Array]:
    """Real fields that are numbers, from the exact boundaries of the host's first `rows` cycles."""
    exact = [Fraction(table.starts[row]) + Fraction(table.lows[row]) for row in range(rows)]
    if steps.part is None:
        values = steps.whole
        lasts: list[Any] = [math.ceil(start) - 1 for start in exact[1:]]
    else:
        values = steps.whole.astype(steps.part.dtype) + steps.part
        lasts = [_float_before(start, values.dtype.type) for start in exact[1:]]
    constants = np.array(lasts, values.dtype)
    if rows <= _FEW_ROWS:
        index, _ = search(values, [jnp.asarray(last) for last in constants])
    else:
        index = jnp.searchsorted(jnp.asarray(constants), values, side="left")
    floors = [math.floor(start) for start in exact]
    after_floor = np.array([float(start - whole) for start, whole in zip(exact, floors, strict=True)], work)
    begun = steps.whole - jnp.asarray(np.array(floors, steps.whole.dtype))[index]
    position = begun.astype(work) - jnp.asarray(after_floor)[index]
    if steps.part is not None:
        position = position + steps.part.astype(work)
    length = jnp.asarray(np.array(table.lengths[:rows], work))[index]
    return index, (length - position) / length


def _float_before(boundary: Fraction, real: Any) -> Any:
    """The greatest float of type `real` below `boundary`."""
    nearest = real(float(boundary))
    return nearest if Fraction(float(nearest)) < boundary else np.nextafter(nearest, real(-np.inf))


def _locate_equal(steps: Steps, T_0: Pair, work: Any) -> tuple[Array, Array]:
    """T_mult = 1 and a T_0 that is not whole."""
    index, left = _equal_cycles(steps, T_0, work)
    return index, _remaining(steps, left, T_0)


def _equal_cycles(steps: Steps, T_0: Pair, work: Any) -> tuple[Array, Pair]:
    """Index and position: estimate the quotient and correct it by its remainder."""
    left, index = _place(steps, work), jnp.zeros_like(steps.whole)
    most = jnp.asarray(np.iinfo(index.dtype).max // 2, work)  # of interest only where cycles are counted
    for _ in range(3):
        more = jnp.floor(left[0] / T_0[0])
        left = pairs.subtract(left, pairs.product((more, jnp.zeros_like(more)), T_0))
        index = index + jnp.clip(more, -most, most).astype(index.dtype)
    before = left[0] < 0
    left = pairs.select(before, pairs.add(left, T_0), left)
    after = pairs.is_not_negative(pairs.subtract(left, T_0))
    left = pairs.select(after, pairs.subtract(left, T_0), left)
    return index + after.astype(index.dtype) - before.astype(index.dtype), left


def _locate_pairs(steps: Steps, T_0: Pair, T_mult: Pair, work: Any) -> tuple[Array, Array]:
    """Find the bits of the index from the highest: skip 2**k cycles wherever they end at or before the step.

    Needs no logarithm, and holds for T_mult = 1 as well: totals[k] is 1 + T_mult + … + T_mult**(2**k - 1).
    """
    huge = jnp.asarray(float(np.finfo(work).max) ** 0.37, work)  # past any step; its products are finite
    one = (jnp.ones_like(T_mult[0]), jnp.zeros_like(T_mult[0]))

    def double(state: tuple[Pair, Pair], _: None) -> tuple[tuple[Pair, Pair], tuple[Pair, Pair]]:
        total, power = state
        twice = pairs.capped(pairs.product(total, pairs.add(power, one)), huge)
        return (twice, pairs.capped(pairs.product(power, power), huge)), state

    bits = 8 * steps.whole.dtype.itemsize - 1
    _, (totals, powers) = lax.scan(double, (one, pairs.capped(T_mult, huge)), length=bits)
    left = _place(steps, work)
    shape = jnp.broadcast_shapes(left[0].shape, T_0[0].shape, T_mult[0].shape)
    index = jnp.zeros(shape, steps.whole.dtype)
    left, length = ((jnp.broadcast_to(a, shape), jnp.broadcast_to(b, shape)) for a, b in (left, T_0))

    def descend(state: Any, level: Any) -> tuple[Any, None]:
        index, left, length = state
        count, total, power = level
        rest = pairs.subtract(left, pairs.product(length, total))
        taken = pairs.is_not_negative(rest)
        longer = pairs.select(taken, pairs.product(length, power), length)
        return (jnp.where(taken, index + count, index), pairs.select(taken, rest, left), longer), None

    counts = jnp.asarray([2**k for k in range(bits)], index.dtype)
    levels = (counts, totals, powers)
    (index, left, length), _ = lax.scan(descend, (index, left, length), levels, reverse=True)
    return index, _remaining(steps, left, length)


def _place(steps: Steps, work: Any) -> Pair:
    whole = _pair(steps.whole, work)
    if steps.part is None:
        return whole
    part = lax.stop_gradient(steps.part).astype(work)
    return pairs.add(whole, (part, jnp.zeros_like(part)))


def _remaining(steps: Steps, position: Pair, length: Pair) -> Array:
    togo = pairs.subtract(length, position)[0]
    if steps.part is not None:  # the value is complete: this is only a fractional step's derivative
        togo = togo - (steps.part - lax.stop_gradient(steps.part)).astype(togo.dtype)
    return jnp.clip(togo / length[0], 0, 1)


def _pair(value: Any, work: Any) -> Pair:
    """A number or an array as a pair in type `work`."""
    if is_number(value):
        value = min(value, LONGEST_REAL)
        high = work.type(value)
        return jnp.asarray(high), jnp.asarray(float(Fraction(value) - Fraction(float(high))), work)
    if jnp.issubdtype(value.dtype, jnp.integer):
        low = value & jnp.asarray(2**7 - 1 if value.dtype.itemsize == 1 else 2**12 - 1, value.dtype)
        return pairs.renormalised((value - low).astype(work), low.astype(work))
    return value.astype(work), jnp.zeros(value.shape, work)
