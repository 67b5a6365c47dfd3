"""One trial as a careful user of JAX and optax writes it: an epoch is compiled, with the schedule in it.

It is the fastest of three variants that were timed: a call an epoch whose values are fetched at the end (this
one), a call an epoch whose values are fetched at once, and the whole trial as one program.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from sgdr.search.backend.compilations import compilations
from sgdr.search.problem.workload import State, Workload


class Outcome(NamedTuple):
    """What a trial was worth and cost."""

    value: float
    compile_seconds: float
    train_seconds: float
    compilations: int


def warm_restarts(
    base_lr: float, T_0: int, T_mult: int, eta_ratio: float, *, steps_per_epoch: int, steps: int
) -> optax.Schedule:
    """`optax.sgdr_schedule` with as many cycles as `steps` need, and no more; T_0 in epochs."""
    cycles: list[dict[str, Any]] = []
    start, length = 0, T_0 * steps_per_epoch
    while start < steps:
        cycles.append(
            {
                "init_value": base_lr,
                "peak_value": base_lr,
                "warmup_steps": 0,
                "decay_steps": length,
                "end_value": eta_ratio * base_lr,
            }
        )
        start, length = start + length, length * T_mult
    schedule: optax.Schedule = optax.sgdr_schedule(cycles)
    return schedule


class Trainer:
    """Trains one trial after the other in this process. Only what a schedule changes is compiled anew."""

    def __init__(self, workload: Workload, epochs: int) -> None:
        self._workload = workload
        self._epochs = epochs
        self._compilations = compilations()

        @jax.jit
        def initial(seed: int) -> tuple[State, jax.Array]:
            init_key, steps_key = jax.random.split(jax.random.key(seed))
            return workload.init(init_key), steps_key

        self._initial = initial

    def train(self, params: dict[str, Any], seed: int) -> Outcome:
        """Trains one trial; `params` are a point of the space, `seed` decides its start and its batches.

        Its value is the metric at the epoch that the workload's select metric chooses.
        """
        workload = self._workload
        per_epoch = workload.steps_per_epoch
        schedule = warm_restarts(**params, steps_per_epoch=per_epoch, steps=self._epochs * per_epoch)

        @partial(jax.jit, donate_argnums=0)
        def epoch(state: State, key: jax.Array, number: int) -> tuple[State, dict[str, jax.Array]]:
            def update(state: State, step: jax.Array) -> tuple[State, None]:
                return workload.update(state, schedule(step), step, jax.random.fold_in(key, step), {}), None

            steps = number * per_epoch + jnp.arange(per_epoch, dtype=jnp.int32)
            state, _ = jax.lax.scan(update, state, steps)
            return state, workload.evaluate(state)

        start = time.perf_counter()
        state, key = self._initial(seed)
        state, first = epoch(state, key, 0)  # compiled here, and computed while we go on
        compiled = time.perf_counter()
        curve = [first]
        for number in range(1, self._epochs):
            state, values = epoch(state, key, number)
            curve.append(values)
        value = _best_epoch(workload, jax.device_get(curve))
        trained = time.perf_counter()
        before, self._compilations = self._compilations, compilations()
        return Outcome(value, compiled - start, trained - compiled, self._compilations - before)


def _best_epoch(workload: Workload, curve: list[dict[str, Any]]) -> float:
    select = getattr(workload, "select_metric", None) or workload.metric
    pick = min if workload.direction == "minimize" else max
    return float(pick(curve, key=lambda values: values[select])[workload.metric])
