"""The program that a population compiles: each slot's trial, from one epoch to a later one, on one device.

It knows nothing of devices or of slots that are filled: `backend.population` splits what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

from sgdr.schedule import WarmRestarts
from sgdr.search.backend.rate_table import RateTable
from sgdr.search.backend.slots import FINITE, LONGEST_CALL
from sgdr.search.problem.ensembles import EnsembleWorkload
from sgdr.search.problem.objective import MEMBERS
from sgdr.search.problem.workload import State, Workload

if TYPE_CHECKING:
    from jaxtyping import Bool, Int32, Key, Num, UInt32

INITIAL = 2**32 - 1
"""The number that stands in place of a step for the key of the initial state; no step comes so far."""


class Lanes(NamedTuple):
    """What each of K slots trains: a row each."""

    epoch: Int32[Any, " slots"]
    """Completed epochs."""
    seed: UInt32[Any, " slots"]
    """The seed decides the initial state and the key of every step."""
    schedule: WarmRestarts | RateTable
    """The schedules, in steps: a `WarmRestarts` has T_0 and T_mult in int32, the others in float32."""
    hparams: dict[str, Num[Any, " slots"]]
    """The workload's own values by name: whole ones int32, the others float32."""
    members: Int32[Any, "slots members"] | None = None
    """The completed epochs at which a slot's model joins its ensemble, and 0; None without ensembles."""
    anew: Bool[Any, " slots"] | None = None
    """Whether a slot begins a new model after each of them."""

    @classmethod
    def idle(cls, slots: int, hparams: Mapping[str, np.dtype[Any]], ensembles: bool) -> Lanes:
        """Rows for slots that have no trial: they compute, since all slots do, and nobody looks."""
        rate = np.zeros(slots, np.float32)
        count = np.ones(slots, np.int32)
        return cls(
            epoch=count.copy(),
            seed=np.zeros(slots, np.uint32),
            schedule=WarmRestarts(rate, count.copy(), count.copy(), rate.copy(), np.ones(slots, np.float32)),
            hparams={name: np.zeros(slots, dtype) for name, dtype in hparams.items()},
            members=np.zeros((slots, MEMBERS), np.int32) if ensembles else None,
            anew=np.zeros(slots, bool) if ensembles else None,
        )


def data_apart(function: Callable[..., Any], *examples: Any) -> tuple[Callable[..., Any], list[Any]]:
    """The function with the arrays that it closes over as a first argument, and those arrays.

    They would be written into the program as literals; as arguments they lie on each device once.
    """
    traced, out = jax.make_jaxpr(function, return_shape=True)(*examples)

    def with_data(data: list[Any], *arguments: Any) -> Any:
        flat = jaxpr_as_fun(traced.replace(consts=data))(*jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(out), flat)

    return with_data, traced.consts


def initial_state(workload: Workload, seeds: UInt32[jax.Array, " slots"]) -> State:
    """The states of slots before their first step."""
    return jax.vmap(lambda seed: workload.init(trial_key(seed, INITIAL)))(seeds)


def trial_key(seed: UInt32[jax.Array, ""], step: Int32[jax.Array, ""] | int) -> Key[jax.Array, ""]:
    """The key that a trial's `update` is given at `step`; that of its `init` where step is `INITIAL`."""
    return jax.random.fold_in(jax.random.key(seed), step)


def advance(
    workload: Workload, state: State, lanes: Lanes, epochs: Int32[jax.Array, ""]
) -> tuple[State, Any]:
    """The program of one device: its slots' state after `epochs` more epochs, and the values of each."""

    def fresh(state: State) -> State:
        initial = initial_state(workload, lanes.seed)
        new = lanes.epoch == 0
        return jax.tree.map(
            lambda a, b: jnp.where(new.reshape(-1, *[1] * (a.ndim - 1)), a, b), initial, state
        )

    state = jax.lax.cond(jnp.any(lanes.epoch == 0), fresh, lambda state: state, state)

    def one_step(state: State, row: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[State, None]:
        lr, step, key = row
        return jax.vmap(workload.update)(state, lr, step, key, lanes.hparams), None

    def one_epoch(done: jax.Array, carry: tuple[State, Any]) -> tuple[State, Any]:
        state, values = carry
        state = _begun_anew(workload, state, lanes, done)
        first = (lanes.epoch + done) * workload.steps_per_epoch
        steps = first + jnp.arange(workload.steps_per_epoch, dtype=jnp.int32)[:, None]
        # Rates and keys of the whole epoch at once: one kernel each instead of one a step.
        rates = jax.vmap(jax.vmap(lambda schedule, step: schedule(step)), (None, 0))(lanes.schedule, steps)
        keys = jax.vmap(jax.vmap(trial_key), (None, 0))(lanes.seed, steps)
        state, _ = jax.lax.scan(one_step, state, (rates, steps, keys))
        state = _joined(workload, state, lanes, done + 1)
        now = epoch_values(workload, state)
        return state, {name: values[name].at[done].set(now[name]) for name in now}

    shapes = jax.eval_shape(partial(epoch_values, workload), state)
    buffer = {name: jnp.zeros((LONGEST_CALL, *leaf.shape), leaf.dtype) for name, leaf in shapes.items()}
    trained: tuple[State, Any] = jax.lax.fori_loop(0, epochs, one_epoch, (state, buffer))
    return trained


def _joined(workload: Workload, state: State, lanes: Lanes, done: jax.Array) -> State:
    """The states where models that are members of their ensembles have joined them, `done` epochs on."""
    if not isinstance(workload, EnsembleWorkload):
        return state
    here = _at_member(lanes, done)
    return jax.lax.cond(jnp.any(here), jax.vmap(workload.join), lambda state, here: state, state, here)


def _begun_anew(workload: Workload, state: State, lanes: Lanes, done: jax.Array) -> State:
    """The states where slots that begin anew after a member have done so, `done` epochs on."""
    if not isinstance(workload, EnsembleWorkload):
        return state
    here = _at_member(lanes, done) & jnp.asarray(lanes.anew)
    # Keys that no other model has: they count down from that of the first one, where no step comes.
    epochs = (lanes.epoch + done).astype(jnp.uint32)
    keys = jax.vmap(trial_key)(lanes.seed, jnp.uint32(INITIAL) - epochs)
    return jax.lax.cond(
        jnp.any(here), jax.vmap(workload.begin_anew), lambda state, here, keys: state, state, here, keys
    )


def _at_member(lanes: Lanes, done: jax.Array) -> Bool[jax.Array, " slots"]:
    return jnp.any(lanes.members == (lanes.epoch + done)[:, None], axis=1)


def epoch_values(workload: Workload, state: State) -> dict[str, Num[jax.Array, " slots"]]:
    """What the states are worth, by name, and under `FINITE` whether all in them is finite."""
    values = {name: _wide(value) for name, value in jax.vmap(workload.evaluate)(state).items()}
    # A sum of zeros, unless something is infinite or NaN: one pass, where testing each number takes several.
    sums = [
        jnp.sum(part * 0, axis=tuple(range(1, part.ndim)), dtype=jnp.float32)
        for leaf in (*jax.tree.leaves(state), *values.values())
        for part in _reals(leaf)
    ]
    return {**values, FINITE: jnp.isfinite(sum(sums)).astype(jnp.float32)}


def _wide(value: jax.Array) -> jax.Array:
    """A value as it is kept: whole ones as they are, the others in float32 or wider."""
    if jnp.issubdtype(value.dtype, jnp.integer):
        return value
    return value.astype(jnp.promote_types(value.dtype, jnp.float32))


def _reals(leaf: jax.Array) -> tuple[jax.Array, ...]:
    """The real numbers of a leaf that may be infinite or NaN: both parts of complex ones; none of keys."""
    if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
        return leaf.real, leaf.imag
    return (leaf,) if jnp.issubdtype(leaf.dtype, jnp.floating) else ()
