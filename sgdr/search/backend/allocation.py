"""Slots for a workload: as many as suit the devices and fit into their memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from sgdr.search.backend.devices import automatic_slots, cores, free_memory, local_devices
from sgdr.search.backend.population import Population
from sgdr.search.backend.processes import ProcessSlots
from sgdr.search.backend.slots import Slots
from sgdr.search.problem.callback import Callback
from sgdr.search.problem.workload import CallableWorkload, Workload

if TYPE_CHECKING:
    import jax
    from optuna.distributions import BaseDistribution


class SlotAllocator:
    """Slots in the making: made, they are known to be possible; `finish` does what takes long."""

    def __init__(
        self,
        workload: Workload | CallableWorkload,
        slots: int | None,
        trials: int,
        hparams: Mapping[str, BaseDistribution],
        callback: Callback,
        any_schedule: bool = False,
    ) -> None:
        """`slots` None: as suits; `any_schedule`: see `Population`.

        Raises ValueError where the workload or the number of slots cannot be.
        """
        self._callback = callback
        self._automatic = slots is None
        if isinstance(workload, CallableWorkload):
            count = min(trials, cores()) if slots is None else slots
            self._slots: Population | ProcessSlots = ProcessSlots(workload, count, cores())
            self.devices = f"{count} processes on {cores()} cores"
            return
        self._devices, remark = local_devices()
        if remark:
            callback.on_remark(remark)
        kinds = sorted({device.device_kind for device in self._devices})
        self.devices = f"{len(self._devices)} x {', '.join(kinds)}"
        count = automatic_slots(self._devices, trials) if slots is None else self._rounded(slots)
        self._population = partial(
            Population, workload, devices=self._devices, hparams=hparams, any_schedule=any_schedule
        )
        self._slots = self._population(count)

    def _rounded(self, slots: int) -> int:
        devices = len(self._devices)
        rounded = -(-slots // devices) * devices
        if rounded != slots:
            self._callback.on_remark(f"slots={slots} is made {rounded}, a multiple of the {devices} devices")
        return rounded

    def finish(self) -> Slots:
        """The slots, compiled; fewer than planned where memory is short, which is remarked.

        Raises ValueError when not even one slot a device fits, or the number asked for does not.
        """
        if isinstance(self._slots, ProcessSlots):
            return self._slots
        population = self._slots
        while (fewer := self._compiled(population)) < population.slots:
            what = f"slots={population.slots} need more memory than the device has free"
            if not self._automatic or not fewer:
                raise ValueError(f"{what}; give fewer slots, or a smaller model or batch")
            self._callback.on_remark(f"{what}; {fewer} are used")
            population.close()
            population = self._population(fewer)
        return population

    def _compiled(self, population: Population) -> int:
        """Compiles, and returns how many slots fit: its own number if they do, else fewer, or 0."""
        devices: list[jax.Device] = self._devices
        try:
            population.compile()
        except MemoryError:
            return population.slots // 2 // len(devices) * len(devices)
        free = free_memory(devices[0], len(devices))
        needed = population.bytes_per_device()
        if free is None or needed <= free:
            return population.slots
        return min(population.slots - 1, int(population.slots * free / needed)) // len(devices) * len(devices)
