"""Which devices a population runs on, and how many slots fit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import jax

SLOTS_PER_CORE = 8
"""Slots per core of a CPU: enough to hide the cost of starting each operation, few enough for the caches."""
SLOTS_PER_ACCELERATOR = 64
MEMORY_SHARE = 0.8
"""The share of the free memory that a population may take."""
GPU_MEMORY_SHARE = 0.9
"""The share of a GPU's memory that those on it may take together."""


_limit: list[int] = []


def limit_cores(count: int) -> None:
    """Limits this process, one of several on a machine, to so many of its cores."""
    _limit[:] = [count]


def cores() -> int:
    """The CPU cores that this process may use."""
    return min([_all_cores(), *_limit])


def _all_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_all_cores() -> bool:
    """Makes every core a device of JAX; False where JAX has its devices already, which are kept then."""
    import jax

    try:
        jax.config.update("jax_num_cpu_devices", cores())
    except RuntimeError:
        return False
    return True


def local_devices() -> tuple[list[jax.Device], str | None]:
    """The devices of this process, and a remark for the user where they are not as they could be."""
    import jax

    remark = None
    if not use_all_cores() and jax.default_backend() == "cpu" and jax.local_device_count() < cores():
        remark = (
            f"JAX was in use before the sweep began, so its {jax.local_device_count()} device(s) are used on "
            f"{cores()} cores; begin the sweep before other JAX code, or set jax_num_cpu_devices"
        )
    return jax.local_devices(), remark


def automatic_slots(devices: Sequence[jax.Device], trials: int) -> int:
    """How many slots suit the devices: a multiple of their number, no more than there are trials to fill."""
    per_device = SLOTS_PER_CORE if devices[0].platform == "cpu" else SLOTS_PER_ACCELERATOR
    per_device = min(per_device, -(-trials // len(devices)))
    return per_device * len(devices)


def share_gpu_memory(share: float) -> None:
    """Leaves the others on a GPU their memory: JAX takes no more than that share, unless the environment says
    how much it is to take."""
    names = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")  # JAX refuses both together
    if not any(name in os.environ for name in names):
        os.environ[names[0]] = f"{GPU_MEMORY_SHARE * share:.4f}"


def free_memory(device: jax.Device, devices: int) -> int | None:
    """Bytes that a population may take on one of so many local devices; None where it is not known."""
    if device.platform == "cpu":
        share = MEMORY_SHARE * cores() / _all_cores()  # as much belongs to the other processes
        return int(share * psutil.virtual_memory().available / devices)
    statistics = device.memory_stats()
    if not statistics or "bytes_limit" not in statistics:
        return None
    return int(MEMORY_SHARE * (statistics["bytes_limit"] - statistics["bytes_in_use"]))
