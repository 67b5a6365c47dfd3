"""The states of K slots in arrays split over the devices by their leading axis: one slot's, read or written.

Keys of JAX travel as their words: as keys they would cost a program of their own wherever they are moved.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from sgdr.search.problem import leaves
from sgdr.search.problem.workload import State

if TYPE_CHECKING:
    from jaxtyping import Int32, Shaped


class SlotStates:
    """Makes, reads and writes the states of K slots, all of one form."""

    def __init__(self, shapes: State, split: NamedSharding, options: dict[str, Any] | None) -> None:
        """`shapes` are of all K slots; `options` are for the compiler."""
        self._shapes, self._split, self._options = shapes, split, options
        self._slots = len(jax.tree.leaves(shapes)[0])
        self._write: Any = None

    def zeros(self) -> State:
        """States of all slots that hold nothing. Compiles nothing."""
        return jax.tree.map(partial(_zeros, self._split), self._shapes)

    def read(self, states: State, slot: int) -> State:
        """A copy on the host of one slot's state. Compiles nothing."""
        return jax.tree.map(partial(_row, slot), states)

    def write(self, states: State, slot: int, row: State) -> State:
        """The states with that row in place of one slot's; `states` are given up. Compiles at its first call.

        Raises ValueError where the row is of another form.
        """
        self._check(row)
        whole = NamedSharding(self._split.mesh, PartitionSpec())
        row = jax.device_put(jax.tree.map(_plain, row), whole)
        if self._write is None:
            program = jax.shard_map(
                partial(_write, self._slots // self._split.num_devices),
                mesh=self._split.mesh,
                in_specs=(PartitionSpec("slots"), PartitionSpec(), PartitionSpec()),
                out_specs=PartitionSpec("slots"),
                check_vma=False,
            )
            jitted = jax.jit(program, donate_argnums=0, in_shardings=(self._split, whole, whole))
            lowered = jitted.lower(self._shapes, np.int32(0), row)
            self._write = lowered.compile(compiler_options=self._options)
        return self._write(states, jax.device_put(np.int32(slot), whole), row)

    def _check(self, row: State) -> None:
        needed = {name: f"{leaf.dtype}{list(leaf.shape[1:])}" for name, leaf in leaves.named(self._shapes)}
        forms = {
            name: f"{getattr(leaf, 'dtype', type(leaf).__name__)}{list(np.shape(leaf))}"
            for name, leaf in leaves.named(row)
        }
        for name in dict.fromkeys([*needed, *forms]):
            if forms.get(name) != needed.get(name):
                raise ValueError(
                    f"{name} is {forms.get(name, 'not there')} in what is given, and "
                    f"{needed.get(name, 'not there')} in the workload; give a state of the same workload"
                )
        form, form_given = str(jax.tree.structure(self._shapes)), str(jax.tree.structure(row))
        if form != form_given:
            raise ValueError(f"state is the tree {form_given}, and {form} in the workload")


def _plain(leaf: Any) -> Any:
    return np.asarray(leaves.words(leaf)) if leaves.is_key(leaf) else leaf


def _zeros(split: NamedSharding, shape: jax.ShapeDtypeStruct) -> Any:
    if not leaves.is_key(shape):
        return jax.device_put(np.zeros(shape.shape, shape.dtype), split)
    of_words, kind = leaves.words_of(shape)
    return jax.random.wrap_key_data(_zeros(split, of_words), impl=kind)


def _row(slot: int, leaf: Shaped[jax.Array, "slots ..."]) -> Any:
    if leaves.is_key(leaf):
        words = _row(slot, jax.random.key_data(leaf))
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(leaf))
    # Indexing the whole array would be a program of its own, compiled for every shape of leaf.
    for shard in leaf.addressable_shards:
        start, stop, _ = shard.index[0].indices(len(leaf))
        if start <= slot < stop:
            return np.array(np.asarray(shard.data)[slot - start])
    raise AssertionError("some device holds every slot")


def _write(slots: int, states: State, slot: Int32[jax.Array, ""], row: State) -> State:
    """The program of one device, which holds so many slots."""
    own = slot - jax.lax.axis_index("slots") * slots
    here = (own >= 0) & (own < slots)
    place = jnp.clip(own, 0, slots - 1)

    def written(leaf: Shaped[jax.Array, "slots ..."], new: Shaped[jax.Array, " ..."]) -> Any:
        if leaves.is_key(leaf):
            words = written(jax.random.key_data(leaf), new)
            return jax.random.wrap_key_data(words, impl=jax.random.key_impl(leaf))
        old = jax.lax.dynamic_index_in_dim(leaf, place, keepdims=False)
        return jax.lax.dynamic_update_index_in_dim(leaf, jnp.where(here, new, old), place, 0)

    changed: State = jax.tree.map(written, states, row)
    return changed
