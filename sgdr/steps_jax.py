"""Steps and fields as arrays of JAX: their types, their parts, and a search among boundaries.

What is common to cycles of whole length (`cycles_jax`) and of any other (`real_cycles_jax`).
"""

from typing import Any, NamedTuple

import numpy as np

from sgdr.extras import needed_by

with needed_by("a schedule whose fields are arrays"):
    import jax.numpy as jnp
    from jax import Array, lax

LONGEST_REAL = 1e20
"""Stands for every longer T_0: no step gets anywhere in it."""


class Steps(NamedTuple):
    """Steps >= 0 in two parts, a whole one and, for float steps, the fraction in [0, 1)."""

    whole: Array
    part: Array | None


def split(step: Any) -> Steps:
    """`step` in two parts, within 0 and the largest int of its width. Raises ValueError for a wrong type."""
    if isinstance(step, bool) or not isinstance(step, int | float | np.generic | np.ndarray | Array):
        raise ValueError(f"step must be a number or an array, got {type(step).__name__}; make it an array")
    step = jnp.asarray(step)
    if jnp.issubdtype(step.dtype, jnp.integer):
        kind = jnp.dtype(jnp.int64 if step.dtype.itemsize == 8 else jnp.int32)
        return Steps(jnp.maximum(as_int(step, kind), jnp.asarray(0, kind)), None)
    if not jnp.issubdtype(step.dtype, jnp.floating):
        raise ValueError(f"step must be an int or a float, got {step.dtype}; count steps from 0")
    step = step.astype(jnp.float64 if step.dtype.itemsize == 8 else jnp.float32)
    kind = jnp.dtype(jnp.int64 if step.dtype == jnp.float64 else jnp.int32)
    largest = np.nextafter(step.dtype.type(2.0 ** (8 * kind.itemsize - 1)), step.dtype.type(0))
    step = jnp.clip(step, jnp.zeros_like(step), jnp.full_like(step, largest))
    whole = jnp.floor(lax.stop_gradient(step))
    return Steps(jnp.nan_to_num(whole).astype(kind), step - whole)


def work_type(steps: Steps) -> Any:
    """The type of the floats in which such steps are located."""
    return jnp.dtype(jnp.float64 if steps.whole.dtype.itemsize == 8 else jnp.float32)


def search(values: Array, lasts: list[Array]) -> tuple[Array, Array]:
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


def is_number(field: Any) -> bool:
    return isinstance(field, int | float)


def is_integer(field: Any) -> bool:
    return isinstance(field, int) if is_number(field) else jnp.issubdtype(field.dtype, jnp.integer)


def exceeds(field: Any, largest: int) -> bool:
    return is_number(field) and bool(field > largest)


def as_int(field: Any, kind: Any) -> Array:
    """An int in type `kind`, or the largest of that type where it is larger."""
    largest = int(np.iinfo(kind).max)
    if is_number(field):
        return jnp.asarray(min(field, largest), kind)
    field = jnp.asarray(field)
    if np.iinfo(field.dtype).max > largest:
        field = jnp.minimum(field, jnp.asarray(largest, field.dtype))
    return jnp.astype(field, kind)


def as_float(field: Any, work: Any) -> Array:
    return jnp.asarray(min(field, LONGEST_REAL), work) if is_number(field) else jnp.astype(field, work)


def _greatest(kind: Any) -> Any:
    return np.iinfo(kind).max if jnp.issubdtype(kind, jnp.integer) else np.inf
