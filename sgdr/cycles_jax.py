"""Cycle arithmetic and the rate in JAX, where steps and fields may be traced.

Whole T_0 and T_mult are exact in the integer type of the steps; all others are in `real_cycles_jax`.
Everything is elementwise and broadcasts, so that fields may be batched by hand as well as by vmap.
"""

import math
from bisect import bisect_right
from typing import Any

import numpy as np

from sgdr.cycles import GrowingCycles, cycles_of
from sgdr.extras import needed_by
from sgdr.steps_jax import Steps, as_float, as_int, exceeds, is_integer, is_number, search, split, work_type

with needed_by("a schedule whose fields are arrays"):
    import jax.numpy as jnp
    from jax import Array, lax


def rate(step: Any, base_lr: Any, T_0: Any, T_mult: Any, eta_min: Any, peak_decay: Any, cycles: Any) -> Array:
    """The rate at each step, broadcast over steps and fields; see `WarmRestarts` for their meaning."""
    result = _rate_type(base_lr)
    steps, T_0, T_mult = split(step), _simplest(T_0), _simplest(T_mult)
    dtypes = [array.dtype for array in (*steps, T_0, T_mult) if isinstance(array, Array)]
    work = jnp.dtype(jnp.float64 if any(kind.itemsize == 8 for kind in (result, *dtypes)) else jnp.float32)
    base_lr, eta_min = jnp.asarray(base_lr, work), jnp.asarray(eta_min, work)
    index, remaining = locate(steps, T_0, T_mult, work)
    peak = base_lr
    if not is_number(peak_decay) or peak_decay != 1.0:
        log_decay = jnp.log(jnp.asarray(peak_decay, work))
        peak = base_lr * jnp.exp(index.astype(work) * log_decay)
        peak = jnp.where(peak < eta_min, eta_min, peak)
    weight = jnp.square(jnp.sin(jnp.asarray(math.pi / 2, work) * remaining))
    extent = peak - eta_min
    # From the nearer end: exact at both, and never outside of them.
    lr = jnp.where(weight > 0.5, peak - extent * (1 - weight), eta_min + extent * weight)
    if cycles is not None:
        lr = jnp.where(index >= as_int(cycles, index.dtype), eta_min, lr)
    return lr.astype(result)


def cycle(step: Any, T_0: Any, T_mult: Any, cycles: Any = None) -> tuple[Array, Array, Array]:
    """Index, position and length of the cycle of each step, as of `WarmRestarts.cycle`.

    Position and length are ints where the step and the fields are whole (a length beyond its type is the
    largest int), else floats.
    """
    steps, T_0, T_mult = split(step), _simplest(T_0), _simplest(T_mult)
    work = work_type(steps)
    largest = int(np.iinfo(steps.whole.dtype).max)
    if is_integer(T_0) and is_integer(T_mult) and not exceeds(T_0, largest):
        index, position, length, size = _whole_cycle(steps, T_0, T_mult, work)
        length = jnp.where(size < 0.99 * float(largest), length, jnp.asarray(largest, length.dtype))
    else:
        index, remaining = locate(steps, T_0, T_mult, work)
        length = as_float(T_0, work) * as_float(T_mult, work) ** index.astype(work)
        position = (1 - remaining) * length
        steps = steps._replace(part=None)
    if steps.part is not None:
        position = position.astype(work) + steps.part.astype(work)
    if cycles is not None:
        last = as_int(cycles, index.dtype) - jnp.asarray(1, index.dtype)
        final = _last_length(T_0, T_mult, last, length.dtype, work)
        over = index > last
        index, length = jnp.minimum(index, last), jnp.where(over, final, length)
        position = jnp.where(over, length.astype(position.dtype), position)
    return index, position, length


def _last_length(T_0: Any, T_mult: Any, last: Array, kind: Any, work: Any) -> Array:
    """Length of cycle `last` in type `kind`, at most its largest int."""
    size = as_float(T_0, work) * as_float(T_mult, work) ** last.astype(work)
    if not jnp.issubdtype(kind, jnp.integer):
        return size.astype(kind)
    largest = int(np.iinfo(kind).max)
    exact = as_int(T_0, kind) * jnp.power(as_int(T_mult, kind), last.astype(kind))
    return jnp.where(size < 0.99 * float(largest), exact, jnp.asarray(largest, kind))


def passes_boundary(step: Any, T_0: Any, T_mult: Any, limit: Any = None) -> Array:
    """Whether one of the first `limit` ends of cycles lies after the step before, and not after this one.

    Between whole steps: whether this is such an end itself.
    """
    steps = split(step)
    index, remaining = located(step, T_0, T_mult)
    one = jnp.asarray(1, steps.whole.dtype)
    before, _ = located(jnp.maximum(steps.whole - one, 0 * one), T_0, T_mult)
    end = index if limit is None else jnp.minimum(index, as_int(limit, index.dtype))
    passed = end > before
    if steps.part is None:
        return passed
    exactly = (remaining == 1) & (index > 0) & (end == index)
    return jnp.where(steps.part > 0, exactly, passed)


def located(step: Any, T_0: Any, T_mult: Any) -> tuple[Array, Array]:
    """Index of the cycle of each step, and the fraction of the cycle still to go."""
    steps = split(step)
    return locate(steps, _simplest(T_0), _simplest(T_mult), work_type(steps))


def placed(step: Any, length: Any) -> tuple[Array, Array, Array]:
    """The index of each step's cycle, how far into it, and the fraction to go, where all have that length.

    How far is as exact as a float can be also just after a restart, where 1 - fraction would be rounding.
    """
    steps, length = split(step), _simplest(length)
    work = work_type(steps)
    if is_integer(length) and not exceeds(length, int(np.iinfo(steps.whole.dtype).max)):
        index, position, whole_length, size = _whole_cycle(steps, length, 1, work)
        done = position.astype(work)
        if steps.part is not None:
            done = done + steps.part.astype(work)
        return index, done, _remaining_of_whole(steps, position, whole_length, size)
    from sgdr.real_cycles_jax import placed as placed_in_real

    return placed_in_real(steps, length, work)


def locate(steps: Steps, T_0: Any, T_mult: Any, work: Any) -> tuple[Array, Array]:
    """Index of the cycle of each step, and in type `work` the fraction of the cycle still to go."""
    largest = int(np.iinfo(steps.whole.dtype).max)
    if is_integer(T_0) and is_integer(T_mult) and not exceeds(T_0, largest):
        return _locate_whole(steps, T_0, T_mult, work)
    from sgdr.real_cycles_jax import locate as locate_in_real

    return locate_in_real(steps, T_0, T_mult, work)


def _locate_whole(steps: Steps, T_0: Any, T_mult: Any, work: Any) -> tuple[Array, Array]:
    index, position, length, size = _whole_cycle(steps, T_0, T_mult, work)
    return index, _remaining_of_whole(steps, position, length, size)


def _remaining_of_whole(steps: Steps, position: Array, length: Array, size: Array) -> Array:
    """The fraction still to go at a position in a cycle of whole length (see `_whole_cycle`)."""
    fits = size < 0.99 * float(np.iinfo(length.dtype).max)
    togo = jnp.where(fits, (length - position).astype(size.dtype), size - position.astype(size.dtype))
    return (togo if steps.part is None else togo - steps.part.astype(size.dtype)) / size


def _whole_cycle(steps: Steps, T_0: Any, T_mult: Any, work: Any) -> tuple[Array, Array, Array, Array]:
    """Index, position without a fraction and length of the cycle of each step, and its length as a float.

    As an int the length may wrap, where it is too large.
    """
    kind = steps.whole.dtype
    if any(isinstance(field, Array) and field.dtype.itemsize == 8 for field in (T_0, T_mult)):
        kind = jnp.dtype(jnp.int64)
    whole, first, factor = steps.whole.astype(kind), as_int(T_0, kind), as_int(T_mult, kind)
    one = jnp.asarray(1, kind)
    if not is_number(T_mult) or T_mult == 1:
        index, rest = _divide(whole, jnp.maximum(first, one))
        start = whole - rest
    if not is_number(T_mult) or T_mult > 1:
        growing, last = search(whole, _lasts_before_boundaries(T_0, T_mult, kind))
        begin = last + one
        equal = factor == one
        index = growing if is_number(T_mult) else jnp.where(equal, index, growing)
        start = begin if is_number(T_mult) else jnp.where(equal, start, begin)
    # A cycle's start and length determine each other.
    length = (factor - one) * start + first
    size = (as_float(T_mult, work) - 1) * start.astype(work) + as_float(T_0, work)
    return index, whole - start, length, size


def _divide(whole: Array, divisor: Array) -> tuple[Array, Array]:
    """Quotient and remainder of whole >= 0 by divisor >= 1, estimated in floats: ints divide slowly."""
    kind, real = whole.dtype, np.float64 if whole.dtype.itemsize == 8 else np.float32
    inverse = 1 / divisor.astype(real)
    top = np.nextafter(real(np.iinfo(kind).max), real(0))
    quotient = jnp.minimum(whole.astype(real) * inverse, top).astype(kind)
    rest = whole - quotient * divisor  # at most a few thousand more than a divisor from its range
    correction = (rest.astype(real) * inverse).astype(kind)
    rest = rest - correction * divisor
    over, under = rest >= divisor, rest < 0
    quotient = quotient + correction + over.astype(kind) - under.astype(kind)
    return quotient, jnp.where(over, rest - divisor, jnp.where(under, rest + divisor, rest))


def _lasts_before_boundaries(T_0: Any, T_mult: Any, kind: Any) -> list[Array]:
    """The step before each boundary of cycle 1, 2, …; the largest int, which no step exceeds, if beyond."""
    largest = int(np.iinfo(kind).max)
    if is_number(T_0) and is_number(T_mult):
        table = cycles_of(T_0, T_mult)
        assert isinstance(table, GrowingCycles)  # T_mult > 1
        keys = table.keys
        return [jnp.asarray(key - 1, kind) for key in keys[1 : bisect_right(keys, largest)]]
    first, factor, top = as_int(T_0, kind), as_int(T_mult, kind), jnp.asarray(largest, kind)
    # boundary * factor + first <= largest, without forming it
    highest = lax.div(*jnp.broadcast_arrays(top - first, jnp.maximum(factor, jnp.asarray(1, kind))))
    boundary, fits = first, jnp.ones(highest.shape, bool)
    lasts = [first - jnp.asarray(1, kind)]
    for _ in range(8 * kind.itemsize - 2):
        fits = fits & (boundary <= highest)
        boundary = jnp.where(fits, boundary * factor + first, boundary)
        lasts.append(jnp.where(fits, boundary - jnp.asarray(1, kind), top))
    return lasts


def _simplest(field: Any) -> Any:
    """A number as an int where it is whole; an array as a JAX array that is a constant to derivatives."""
    if is_number(field):
        return int(field) if field == int(field) else field
    return lax.stop_gradient(jnp.asarray(field))


def _rate_type(base_lr: Any) -> Any:
    """The type of a JAX float array; JAX's default float type for anything else."""
    dtype = base_lr.dtype if isinstance(base_lr, Array) else jnp.dtype(int)
    return jnp.dtype(dtype) if jnp.issubdtype(dtype, jnp.floating) else jnp.asarray(0.0).dtype
