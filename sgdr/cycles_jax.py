"""Cycle arithmetic and the rate in JAX, where steps and fields may be traced.

Whole T_0 and T_mult are exact in the integer type of the steps. Real fields are carried as the unevaluated
sum of two floats, 48 bits for float32, since a power or a logarithm in 24 bits misplaces boundaries.
Everything is elementwise and broadcasts, so that fields may be batched by hand as well as by vmap.
"""

import math
from bisect import bisect_right
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sgdr.cycles import GrowingCycles
from sgdr.extras import needed_by

with needed_by("a schedule whose fields are arrays"):
    import jax.numpy as jnp
    from jax import Array, lax

from sgdr import pairs
from sgdr.pairs import Pair

_FEW_ROWS = 64  # boundaries that are searched by selection, in registers; more are gathered from memory
_LONGEST_REAL = 1e20  # stands for every longer T_0: no step gets anywhere in it


class Steps(NamedTuple):
    """Steps >= 0 in two parts, a whole one and, for float steps, the fraction in [0, 1)."""

    whole: Array
    part: Array | None


def rate(step: Any, base_lr: Any, T_0: Any, T_mult: Any, eta_min: Any, peak_decay: Any, cycles: Any) -> Array:
    """The rate at each step, broadcast over steps and fields; see `WarmRestarts` for their meaning."""
    result = _rate_type(base_lr)
    steps, T_0, T_mult = split(step), _simplest(T_0), _simplest(T_mult)
    given = [array.dtype for array in (*steps, T_0, T_mult) if isinstance(array, Array)]
    work = jnp.dtype(jnp.float64 if any(kind.itemsize == 8 for kind in (result, *given)) else jnp.float32)
    base_lr, eta_min = jnp.asarray(base_lr, work), jnp.asarray(eta_min, work)
    index, remaining = locate(steps, T_0, T_mult, work)
    peak = base_lr
    if not _is_number(peak_decay) or peak_decay != 1.0:
        log_decay = jnp.log(jnp.asarray(peak_decay, work))
        peak = base_lr * jnp.exp(index.astype(work) * log_decay)
        peak = jnp.where(peak < eta_min, eta_min, peak)
    weight = jnp.square(jnp.sin(jnp.asarray(math.pi / 2, work) * remaining))
    extent = peak - eta_min
    # From the nearer end: exact at both, and never outside of them.
    lr = jnp.where(weight > 0.5, peak - extent * (1 - weight), eta_min + extent * weight)
    if cycles is not None:
        lr = jnp.where(index >= _whole(cycles, index.dtype), eta_min, lr)
    return lr.astype(result)


def cycle(step: Any, T_0: Any, T_mult: Any, cycles: Any = None) -> tuple[Array, Array, Array]:
    """Index, position and length of the cycle of each step, as of `WarmRestarts.cycle`.

    Position and length are ints where the step and the fields are whole (a length beyond its type is the
    largest int), else floats.
    """
    steps, T_0, T_mult = split(step), _simplest(T_0), _simplest(T_mult)
    work = _work_type(steps)
    largest = int(np.iinfo(steps.whole.dtype).max)
    if _is_integer(T_0) and _is_integer(T_mult) and not _exceeds(T_0, largest):
        index, position, length, size = _whole_cycle(steps, T_0, T_mult, work)
        length = jnp.where(size < 0.99 * float(largest), length, jnp.asarray(largest, length.dtype))
    else:
        index, remaining = locate(steps, T_0, T_mult, work)
        length = _float(T_0, work) * _float(T_mult, work) ** index.astype(work)
        position = (1 - remaining) * length
        steps = steps._replace(part=None)
    if steps.part is not None:
        position = position.astype(work) + steps.part.astype(work)
    if cycles is not None:
        last = _whole(cycles, index.dtype) - jnp.asarray(1, index.dtype)
        final = _last_length(T_0, T_mult, last, length.dtype, work)
        over = index > last
        index, length = jnp.minimum(index, last), jnp.where(over, final, length)
        position = jnp.where(over, length.astype(position.dtype), position)
    return index, position, length


def _last_length(T_0: Any, T_mult: Any, last: Array, kind: Any, work: Any) -> Array:
    """Length of cycle `last` in type `kind`, at most its largest int."""
    size = _float(T_0, work) * _float(T_mult, work) ** last.astype(work)
    if not jnp.issubdtype(kind, jnp.integer):
        return size.astype(kind)
    largest = int(np.iinfo(kind).max)
    exact = _whole(T_0, kind) * jnp.power(_whole(T_mult, kind), last.astype(kind))
    return jnp.where(size < 0.99 * float(largest), exact, jnp.asarray(largest, kind))


def passes_boundary(step: Any, T_0: Any, T_mult: Any, limit: Any = None) -> Array:
    """Whether one of the first `limit` ends of cycles lies after the step before, and not after this one.

    Between whole steps: whether this is such an end itself.
    """
    steps = split(step)
    index, remaining = located(step, T_0, T_mult)
    one = jnp.asarray(1, steps.whole.dtype)
    before, _ = located(jnp.maximum(steps.whole - one, 0 * one), T_0, T_mult)
    end = index if limit is None else jnp.minimum(index, _whole(limit, index.dtype))
    passed = end > before
    if steps.part is None:
        return passed
    exactly = (remaining == 1) & (index > 0) & (end == index)
    return jnp.where(steps.part > 0, exactly, passed)


def located(step: Any, T_0: Any, T_mult: Any) -> tuple[Array, Array]:
    """Index of the cycle of each step, and the fraction of the cycle still to go."""
    steps = split(step)
    return locate(steps, _simplest(T_0), _simplest(T_mult), _work_type(steps))


def placed(step: Any, length: Any) -> tuple[Array, Array, Array]:
    """The index of each step's cycle, how far into it, and the fraction to go, where all have that length.

    How far is as exact as a float can be also just after a restart, where 1 - fraction would be rounding.
    """
    steps, length = split(step), _simplest(length)
    work = _work_type(steps)
    if _is_integer(length) and not _exceeds(length, int(np.iinfo(steps.whole.dtype).max)):
        index, position, whole_length, size = _whole_cycle(steps, length, 1, work)
        done = position.astype(work)
        if steps.part is not None:
            done = done + steps.part.astype(work)
        return index, done, _remaining_of_whole(steps, position, whole_length, size)
    pair = _pair(length, work)
    index, left = _equal_real_cycles(steps, pair, work)
    done = left[0]
    if steps.part is not None:  # see `_remaining`
        done = done + (steps.part - lax.stop_gradient(steps.part)).astype(work)
    return index, done, _remaining(steps, left, pair)


def split(step: Any) -> Steps:
    """`step` in two parts, within 0 and the largest int of its width. Raises ValueError for a wrong type."""
    if isinstance(step, bool) or not isinstance(step, int | float | np.generic | np.ndarray | Array):
        raise ValueError(f"step must be a number or an array, got {type(step).__name__}; make it an array")
    step = jnp.asarray(step)
    if jnp.issubdtype(step.dtype, jnp.integer):
        kind = jnp.dtype(jnp.int64 if step.dtype.itemsize == 8 else jnp.int32)
        return Steps(jnp.maximum(_whole(step, kind), jnp.asarray(0, kind)), None)
    if not jnp.issubdtype(step.dtype, jnp.floating):
        raise ValueError(f"step must be an int or a float, got {step.dtype}; count steps from 0")
    step = step.astype(jnp.float64 if step.dtype.itemsize == 8 else jnp.float32)
    kind = jnp.dtype(jnp.int64 if step.dtype == jnp.float64 else jnp.int32)
    largest = np.nextafter(step.dtype.type(2.0 ** (8 * kind.itemsize - 1)), step.dtype.type(0))
    step = jnp.clip(step, jnp.zeros_like(step), jnp.full_like(step, largest))
    whole = jnp.floor(lax.stop_gradient(step))
    return Steps(jnp.nan_to_num(whole).astype(kind), step - whole)


def _work_type(steps: Steps) -> Any:
    """The type of the floats in which such steps are located."""
    return jnp.dtype(jnp.float64 if steps.whole.dtype.itemsize == 8 else jnp.float32)


def locate(steps: Steps, T_0: Any, T_mult: Any, work: Any) -> tuple[Array, Array]:
    """Index of the cycle of each step, and in type `work` the fraction of the cycle still to go."""
    largest = int(np.iinfo(steps.whole.dtype).max)
    if _is_integer(T_0) and _is_integer(T_mult) and not _exceeds(T_0, largest):
        return _locate_whole(steps, T_0, T_mult, work)
    if _is_number(T_0) and _is_number(T_mult):
        if T_mult == 1:
            return _locate_equal_real(steps, _pair(T_0, work), work)
        table = _growing(T_0, T_mult)
        rows = bisect_right(table.keys, largest)
        if rows < len(table.keys) or table.end > largest:
            return _locate_in_table(steps, table, rows, work)
    return _locate_real(steps, _pair(T_0, work), _pair(T_mult, work), work)


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
    whole, first, factor = steps.whole.astype(kind), _whole(T_0, kind), _whole(T_mult, kind)
    one = jnp.asarray(1, kind)
    if not _is_number(T_mult) or T_mult == 1:
        index, rest = _divide(whole, jnp.maximum(first, one))
        start = whole - rest
    if not _is_number(T_mult) or T_mult > 1:
        growing, last = _search(whole, _lasts_before_boundaries(T_0, T_mult, kind))
        begin = last + one
        equal = factor == one
        index = growing if _is_number(T_mult) else jnp.where(equal, index, growing)
        start = begin if _is_number(T_mult) else jnp.where(equal, start, begin)
    # A cycle's start and length determine each other.
    length = (factor - one) * start + first
    size = (_float(T_mult, work) - 1) * start.astype(work) + _float(T_0, work)
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


def _search(values: Array, lasts: list[Array]) -> tuple[Array, Array]:
    """How many of the ascending `lasts` lie below each value, and the greatest of these (-1 where none).

    A binary search whose candidates are selected rather than gathered: one kernel without memory access.
    """
    size = 2 ** len(lasts).bit_length() - 1
    lasts = lasts + [jnp.asarray(_greatest(values.dtype), values.dtype)] * (size - len(lasts))
    index = jnp.zeros(values.shape, jnp.int32 if values.dtype.itemsize == 4 else jnp.int64)
    last = jnp.full(values.shape, -1, values.dtype)
    while lasts:
        half = len(lasts) // 2
        after = values > lasts[half]
        index = index + jnp.where(after, jnp.asarray(half + 1, index.dtype), jnp.asarray(0, index.dtype))
        last = jnp.where(after, lasts[half], last)
        pairs_of_halves = zip(lasts[:half], lasts[half + 1 :], strict=True)
        lasts = [jnp.where(after, high, low) for low, high in pairs_of_halves]
    return index, last


def _lasts_before_boundaries(T_0: Any, T_mult: Any, kind: Any) -> list[Array]:
    """The step before each boundary of cycle 1, 2, …; the largest int, which no step exceeds, if beyond."""
    largest = int(np.iinfo(kind).max)
    if _is_number(T_0) and _is_number(T_mult):
        keys = _growing(T_0, T_mult).keys
        return [jnp.asarray(key - 1, kind) for key in keys[1 : bisect_right(keys, largest)]]
    first, factor, top = _whole(T_0, kind), _whole(T_mult, kind), jnp.asarray(largest, kind)
    # boundary * factor + first <= largest, without forming it
    highest = lax.div(*jnp.broadcast_arrays(top - first, jnp.maximum(factor, jnp.asarray(1, kind))))
    boundary, fits = first, jnp.ones(highest.shape, bool)
    lasts = [first - jnp.asarray(1, kind)]
    for _ in range(8 * kind.itemsize - 2):
        fits = fits & (boundary <= highest)
        boundary = jnp.where(fits, boundary * factor + first, boundary)
        lasts.append(jnp.where(fits, boundary - jnp.asarray(1, kind), top))
    return lasts


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
        index, _ = _search(values, [jnp.asarray(last) for last in constants])
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


def _locate_equal_real(steps: Steps, T_0: Pair, work: Any) -> tuple[Array, Array]:
    """T_mult = 1 and a T_0 that is not whole."""
    index, left = _equal_real_cycles(steps, T_0, work)
    return index, _remaining(steps, left, T_0)


def _equal_real_cycles(steps: Steps, T_0: Pair, work: Any) -> tuple[Array, Pair]:
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


def _locate_real(steps: Steps, T_0: Pair, T_mult: Pair, work: Any) -> tuple[Array, Array]:
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
    if _is_number(value):
        value = min(value, _LONGEST_REAL)
        high = work.type(value)
        return jnp.asarray(high), jnp.asarray(float(Fraction(value) - Fraction(float(high))), work)
    if jnp.issubdtype(value.dtype, jnp.integer):
        low = value & jnp.asarray(2**7 - 1 if value.dtype.itemsize == 1 else 2**12 - 1, value.dtype)
        return pairs.renormalised((value - low).astype(work), low.astype(work))
    return value.astype(work), jnp.zeros(value.shape, work)


def _simplest(field: Any) -> Any:
    """A number as an int where it is whole; an array as a JAX array that is a constant to derivatives."""
    if _is_number(field):
        return int(field) if field == int(field) else field
    return lax.stop_gradient(jnp.asarray(field))


def _is_number(field: Any) -> bool:
    return isinstance(field, int | float)


def _is_integer(field: Any) -> bool:
    return isinstance(field, int) if _is_number(field) else jnp.issubdtype(field.dtype, jnp.integer)


def _exceeds(field: Any, largest: int) -> bool:
    return _is_number(field) and bool(field > largest)


def _whole(field: Any, kind: Any) -> Array:
    """An int in type `kind`, or the largest of that type where it is larger."""
    largest = int(np.iinfo(kind).max)
    if _is_number(field):
        return jnp.asarray(min(field, largest), kind)
    field = jnp.asarray(field)
    if np.iinfo(field.dtype).max > largest:
        field = jnp.minimum(field, jnp.asarray(largest, field.dtype))
    return jnp.astype(field, kind)


def _float(field: Any, work: Any) -> Array:
    return jnp.asarray(min(field, _LONGEST_REAL), work) if _is_number(field) else jnp.astype(field, work)


@lru_cache(maxsize=64)  # outside of jit every call asks again
def _growing(T_0: Any, T_mult: Any) -> GrowingCycles:
    return GrowingCycles(*(field if isinstance(field, int) else Fraction(field) for field in (T_0, T_mult)))


def _greatest(kind: Any) -> Any:
    return np.iinfo(kind).max if jnp.issubdtype(kind, jnp.integer) else np.inf


def _rate_type(base_lr: Any) -> Any:
    """The type of a JAX float array; JAX's default float type for anything else."""
    given = base_lr.dtype if isinstance(base_lr, Array) else jnp.dtype(int)
    return jnp.dtype(given) if jnp.issubdtype(given, jnp.floating) else jnp.asarray(0.0).dtype
