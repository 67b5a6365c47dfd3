"""Classes of ours as pytrees of JAX, without importing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import wrapt


def register_pytree(
    cls: type[Any], children: tuple[str, ...], is_static: Callable[[Any], bool] = lambda child: False
) -> None:
    """Make `cls` a JAX pytree of the attributes `children` as soon as JAX is imported.

    `is_static` says of the first child whether it is part of the structure rather than a subtree.
    Unflattening bypasses the constructor: JAX puts tracers, and objects of its own, in the place of numbers.
    Scalars of NumPy's, as in a tree that was mapped to them, become Python's, as in the constructor.
    """

    def flatten(tree: Any) -> tuple[tuple[Any, ...], Any]:
        first = getattr(tree, children[0])
        rest = tuple(getattr(tree, name) for name in children[1:])
        return (rest, first) if is_static(first) else ((first, *rest), None)

    def unflatten(static: Any, values: Any) -> Any:
        tree = object.__new__(cls)
        numbers = (value.item() if isinstance(value, np.generic) else value for value in values)
        tree.__dict__.update(zip(children, numbers if static is None else (static, *numbers), strict=True))
        return tree

    @wrapt.when_imported("jax")
    def register(jax: Any) -> None:
        def flatten_with_keys(tree: Any) -> tuple[tuple[Any, ...], Any]:
            values, static = flatten(tree)
            names = children if static is None else children[1:]
            return tuple(zip(map(jax.tree_util.GetAttrKey, names), values, strict=True)), static

        jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)


def is_plain_callable(value: Any) -> bool:
    """Whether JAX would take a callable for a leaf; called by JAX, which is there."""
    import jax

    return callable(value) and jax.tree_util.all_leaves([value])
