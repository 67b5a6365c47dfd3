"""The arrays that a state is made of, by name; keys of JAX, which no file and few programs take, as words.

JAX is imported when it is needed: a study's snapshots are listed without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sgdr.search.problem.workload import State

if TYPE_CHECKING:
    import jax


def named(state: State) -> list[tuple[str, Any]]:
    """The leaves of a state, or of its shapes, by their place in it: `state.params[0]['weight']`."""
    import jax

    paths = jax.tree_util.tree_leaves_with_path(state)
    return [(f"state{jax.tree_util.keystr(path)}", leaf) for path, leaf in paths]


def is_key(leaf: Any) -> bool:
    """Whether a leaf, or its shape, is of keys of JAX."""
    import jax
    import jax.numpy as jnp

    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def words(leaf: Any) -> Any:
    """The words of a leaf of keys, any other leaf as it is."""
    import jax

    return jax.random.key_data(leaf) if is_key(leaf) else leaf


def words_of(shape: jax.ShapeDtypeStruct) -> tuple[jax.ShapeDtypeStruct, Any]:
    """The shape of the words of such keys, and their kind, which makes keys of words again."""
    import jax

    kinds: list[Any] = []

    def of_keys(keys: jax.Array) -> Any:
        kinds.append(jax.random.key_impl(keys))
        return jax.random.key_data(keys)

    shape_of_words = jax.eval_shape(of_keys, shape)
    return shape_of_words, kinds[0]
