"""The device side of a sweep: K slots, one compiled program, the slot axis sharded over all devices.

A slot's whole position is its number of completed epochs: a slot at epoch 0 is initialised by the program
itself, so that refilling a slot is writing its row of `Lanes`, and nothing is ever compiled again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sgdr.schedule import FIELDS, WarmRestarts
from sgdr.search.backend.program import Lanes, advance, data_apart, initial_state
from sgdr.search.backend.rate_table import Schedules
from sgdr.search.backend.slot_states import SlotStates
from sgdr.search.backend.slots import LONGEST_CALL, Ended
from sgdr.search.problem.arguments import whole
from sgdr.search.problem.ensembles import EnsembleState, EnsembleWorkload, Independent
from sgdr.search.problem.hparams import dtypes, fitted
from sgdr.search.problem.objective import MEMBERS, members
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.workload import State, Workload

if TYPE_CHECKING:
    from jaxtyping import Float, Num
    from optuna.distributions import BaseDistribution

CPU_OPTIONS: dict[str, Any] = {"xla_cpu_multi_thread_eigen": False, "xla_backend_optimization_level": 2}
"""Every core is a device of its own already: more threads than cores would only get in each other's way. And
level 3 unrolls loops so far that small models train 2 to 3 % slower."""


class Values:
    """What a call computes: values by name, while or after the devices compute them."""

    def __init__(self, values: dict[str, Num[jax.Array, "epochs slots"]], epochs: int) -> None:
        self._values = values
        self._epochs = epochs

    def ready(self) -> bool:
        """Whether `read` would return at once."""
        return all(value.is_ready() for value in self._values.values())  # type: ignore[attr-defined]

    def read(self) -> dict[str, Float[np.ndarray, "epochs slots"]]:
        """The values as floats, one row an epoch, once they are there: as wide as the device has them."""
        rows = {name: np.asarray(value)[: self._epochs] for name, value in self._values.items()}
        return {name: row if row.dtype.kind == "f" else row.astype(np.float64) for name, row in rows.items()}

    def failed(self) -> dict[int, str | None]:
        """None: pure functions of arrays do not fail once they are compiled."""
        return {}

    def ended(self) -> dict[int, Ended]:
        """Nothing: pure functions of arrays are trained to the end of their budget."""
        return {}

    def said(self) -> dict[int, dict[str, Any]]:
        """Nothing: pure functions of arrays have nobody to say it to."""
        return {}


class Population:
    """K slots, each holding one trial, advanced together, an epoch or several a call.

    A trial's values depend on its row of `Lanes` alone, bit for bit: not on its slot, nor on its neighbours.
    """

    longest_call = LONGEST_CALL

    def __init__(
        self,
        workload: Workload,
        slots: int,
        devices: Sequence[jax.Device],
        hparams: Collection[str] | Mapping[str, BaseDistribution] = (),
        any_schedule: bool = False,
    ) -> None:
        """Traces the program, which takes a moment; `compile` does the rest.

        `hparams`: the names of the values that the workload takes further, or what each is drawn from.
        `any_schedule`: whether slots take any callable from steps to rates, whose rates the host works out;
        else the program itself does, of a `WarmRestarts` with whole T_0 and T_mult. Raises ValueError where
        `slots` is no multiple of the number of devices.
        """
        if slots < 1 or slots % len(devices):
            raise ValueError(f"slots={slots} must be a multiple of the number of devices, {len(devices)}")
        self.slots = slots
        mesh = Mesh(np.array(devices), ("slots",))
        self._split = NamedSharding(mesh, PartitionSpec("slots"))
        self._whole = NamedSharding(mesh, PartitionSpec())
        self._options = CPU_OPTIONS if devices[0].platform == "cpu" else None
        self._steps_per_epoch = workload.steps_per_epoch
        self._types = dtypes(workload, hparams)
        self._lanes = Lanes.idle(slots, self._types, isinstance(workload, EnsembleWorkload))
        self._schedules = Schedules(slots, workload.steps_per_epoch) if any_schedule else None
        self._look_up(epochs=1)
        self._state: State | None = None
        self._trace(workload)

    def _trace(self, workload: Workload) -> None:
        self._shapes = jax.eval_shape(partial(initial_state, workload), self._lanes.seed)
        self._rows = SlotStates(self._shapes, self._split, self._options)
        one_device = self.slots // self._split.num_devices
        shard = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((one_device, *leaf.shape[1:]), leaf.dtype),
            (self._shapes, self._lanes),
        )
        with_data, data = data_apart(partial(advance, workload), *shard, np.int32(1))
        self._data = jax.device_put(data, self._whole)
        program = jax.shard_map(
            with_data,
            mesh=self._split.mesh,
            in_specs=(PartitionSpec(), PartitionSpec("slots"), PartitionSpec("slots"), PartitionSpec()),
            out_specs=(PartitionSpec("slots"), PartitionSpec(None, "slots")),
            check_vma=False,
        )
        # Said also to jit, which else places what the workload does not use as it likes.
        places = (self._whole, self._split, self._split, self._whole)
        jitted = jax.jit(program, donate_argnums=1, in_shardings=places)
        self._lowered = jitted.lower(self._data, self._shapes, self._lanes, np.int32(1))

    def compile(self) -> None:
        """Compiles the program, the only one that this population ever runs.

        Raises MemoryError when the device has too little memory for so many slots.
        """
        try:
            self._program = self._lowered.compile(compiler_options=self._options)
        except jax.errors.JaxRuntimeError as error:
            raise _memory_error(error, self.slots) from error

    def bytes_per_device(self) -> int:
        """What the compiled program needs on each device: arguments, results and scratch."""
        analysis: Any = self._program.memory_analysis()
        return int(
            analysis.argument_size_in_bytes
            + analysis.output_size_in_bytes
            + analysis.temp_size_in_bytes
            - analysis.alias_size_in_bytes
        )

    def fill(
        self, slot: int, schedule: Schedule, budget: int, seed: int, hparams: Mapping[str, float]
    ) -> None:
        """Puts a new trial into `slot`, from its first step on. `schedule` and `budget` are in epochs.

        Raises ValueError for a schedule that the population does not take, or that gives no rates, and for a
        value of `hparams` that its arrays do not hold.
        """
        lanes = self._lanes
        values = {name: fitted(name, value, self._types[name]) for name, value in hparams.items()}
        if self._schedules is not None:
            self._schedules.fill(slot, schedule, budget)
        else:
            steps = _plain(schedule).scaled(self._steps_per_epoch)
            for name in FIELDS:
                getattr(lanes.schedule, name)[slot] = getattr(steps, name)
        if lanes.members is not None and lanes.anew is not None:
            epochs = members(schedule, budget)
            lanes.members[slot] = epochs + [0] * (MEMBERS - len(epochs))
            lanes.anew[slot] = isinstance(schedule, Independent)
        lanes.epoch[slot] = 0
        lanes.seed[slot] = seed
        for name, value in values.items():
            lanes.hparams[name][slot] = value

    def _look_up(self, epochs: int) -> None:
        """Works out the rates of the next call, where the program does not."""
        if self._schedules is not None:
            table = self._schedules.table(self._lanes.epoch, epochs)
            self._lanes = self._lanes._replace(schedule=table)

    def advance(self, epochs: int) -> Values:
        """Trains every slot for that many epochs, evaluating it after each; returns without waiting.

        Raises MemoryError when the device has too little memory, ValueError for more than `LONGEST_CALL`.
        """
        if not 1 <= epochs <= LONGEST_CALL:
            raise ValueError(f"epochs={epochs} must be from 1 to {LONGEST_CALL}")
        self._look_up(epochs)
        # A copy, since on a CPU the device may read from the host's own array while a later fill writes it.
        rows = jax.tree.map(np.copy, self._lanes)
        lanes, count = jax.device_put((rows, np.int32(epochs)), (self._split, self._whole))
        try:
            if self._state is None:
                self._state = self._rows.zeros()
            self._state, values = self._program(self._data, self._state, lanes, count)
        except jax.errors.JaxRuntimeError as error:
            raise _memory_error(error, self.slots) from error
        self._lanes = self._lanes._replace(epoch=self._lanes.epoch + np.int32(epochs))
        return Values(values, epochs)

    def state(self, slot: int) -> State:
        """A copy on the host of what `slot` holds after the last `advance`, for whose end it waits.

        Compiles nothing. Raises ValueError for a slot that there is not, and before anything was trained.
        """
        self._check(slot)
        if self._state is None:
            raise ValueError("the slots hold no state; advance them first")
        return self._rows.read(self._state, slot)

    def model(self, slot: int) -> State:
        """What `state` returns, without what a trial has of its ensemble: a state of the workload itself."""
        state = self.state(slot)
        return state.model if isinstance(state, EnsembleState) else state

    def restore(self, slot: int, state: State, epoch: int) -> None:
        """Puts a state that `state` gave, here or elsewhere, into `slot`, as of `epoch` completed epochs.

        To be called after `fill`: the trial of the slot goes on from there, and what its schedule and seed
        say of earlier epochs is over. Compiles one small program at the first call.

        Raises ValueError for a slot that there is not, an epoch below 1 or a state of another form,
        MemoryError when the device has too little memory.
        """
        self._check(slot)
        whole("epoch", epoch, 1)  # at epoch 0 the program makes the initial state itself
        try:
            if self._state is None:
                self._state = self._rows.zeros()
            self._state = self._rows.write(self._state, slot, state)
        except jax.errors.JaxRuntimeError as error:
            raise _memory_error(error, self.slots) from error
        self._lanes.epoch[slot] = epoch

    def _check(self, slot: int) -> None:
        if not 0 <= slot < self.slots:
            raise ValueError(f"slot={slot} must be from 0 to {self.slots - 1}")

    def end(self, slot: int) -> None:
        """Nothing: a slot without a trial goes on computing until it is filled again."""

    def close(self) -> None:
        """Frees the memory of the devices."""
        self._state, self._data = None, []


def is_plain(schedule: Schedule) -> bool:
    """Whether the program can work a schedule out by itself."""
    plain = isinstance(schedule, WarmRestarts) and schedule.to_dict().keys() == set(FIELDS)
    return bool(plain and schedule.T_0 % 1 == schedule.T_mult % 1 == 0)


def _plain(schedule: Schedule) -> WarmRestarts:
    """A schedule that the program can work out. Raises ValueError for another."""
    if is_plain(schedule):
        checked: WarmRestarts = schedule
        return checked
    raise ValueError(
        f"schedule={schedule} must be a WarmRestarts with whole T_0 and T_mult, without peak_decay and "
        "cycles; make the population with any_schedule=True"
    )


def _memory_error(error: Exception, slots: int) -> Exception:
    if "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error).lower():
        return MemoryError(f"the device has too little memory for slots={slots}; give fewer")
    return error
