"""Nanoseconds per learning rate: `WarmRestarts` in every form, beside optax, PyTorch and one bare cosine.

    python -m experiments.bench.rates

Arrays hold a million steps; what takes one step at a time is called often enough to be timed. The ways take
turns; medians count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.progress import Progress

from experiments.bench import report
from sgdr.schedule import WarmRestarts

STEPS = 1_000_000
BASE_LR, ETA_MIN = 0.1, 1e-4
CYCLES = 14
FIRST = {1: -(-STEPS // CYCLES), 2: 100}
"""T_0 by T_mult, so that `CYCLES` cycles reach a million steps."""

TORCH = "PyTorch CosineAnnealingWarmRestarts.step()"


@dataclass(frozen=True)
class Way:
    """One way to evaluate a schedule."""

    title: str
    T_mult: int | None
    values: int
    """How many rates `call` computes."""
    call: Callable[[], object]


def ours(T_mult: int) -> list[Way]:
    """`WarmRestarts` on Python numbers, NumPy arrays, and JAX arrays with constant and with traced fields."""
    schedule = WarmRestarts(BASE_LR, FIRST[T_mult], T_mult, ETA_MIN)
    some, many = range(0, STEPS, 10), np.arange(STEPS)
    device = jnp.arange(STEPS, dtype=jnp.int32)
    fixed = jax.jit(schedule)
    traced = jax.jit(lambda schedule, steps: schedule(steps))
    fields = WarmRestarts(
        jnp.float32(BASE_LR), jnp.int32(FIRST[T_mult]), jnp.int32(T_mult), jnp.float32(ETA_MIN)
    )
    return [
        Way("WarmRestarts, Python int", T_mult, len(some), lambda: [schedule(step) for step in some]),
        Way("WarmRestarts, NumPy", T_mult, STEPS, lambda: schedule(many)),
        Way("WarmRestarts, JAX, constant fields", T_mult, STEPS, lambda: _wait(fixed(device))),
        Way("WarmRestarts, JAX, traced fields", T_mult, STEPS, lambda: _wait(traced(fields, device))),
    ]


def optax_ways(T_mult: int) -> list[Way]:
    """`optax.sgdr_schedule`, jitted on an array, and called on one step as a logging loop would."""
    lengths = [FIRST[T_mult] * T_mult**i for i in range(CYCLES)]
    peak = {"init_value": BASE_LR, "peak_value": BASE_LR, "end_value": ETA_MIN, "warmup_steps": 0}
    schedule = optax.sgdr_schedule([{**peak, "decay_steps": length} for length in lengths])
    jitted, device = jax.jit(schedule), jnp.arange(STEPS, dtype=jnp.int32)
    name = f"optax.sgdr_schedule, {CYCLES} cycles"
    return [
        Way(f"{name}, jitted", T_mult, STEPS, lambda: _wait(jitted(device))),
        Way(f"{name}, eager, one step", T_mult, 10, lambda: [_wait(schedule(step)) for step in range(10)]),
    ]


def torch_ways(T_mult: int) -> list[Way]:
    """PyTorch's `step()`, which also writes the rate into the optimizer; none where it is not installed."""
    try:
        import torch
    except ImportError:
        return []
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE_LR)
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, FIRST[T_mult], T_mult, eta_min=ETA_MIN
    )

    def steps(count: int) -> None:
        for _ in range(count):
            scheduler.step()

    return [Way(TORCH, T_mult, 50_000, partial(steps, 50_000))]


def bare_cosine() -> Way:
    """0.5 * (1 + cos(pi * x)), the least that any of them computes."""
    x = jnp.linspace(0.0, 1.0, STEPS, dtype=jnp.float32)
    jitted = jax.jit(lambda x: 0.5 * (1 + jnp.cos(jnp.pi * x)))
    return Way("one bare cosine, JAX", None, STEPS, lambda: _wait(jitted(x)))


def measure(ways: list[Way], repeats: int) -> list[float]:
    """Nanoseconds per value of each way: medians, the ways in turn, after one call to warm up."""
    taken: list[list[float]] = [[] for _ in ways]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for round_ in progress.track(range(repeats + 1), description="rates"):
            for way, seconds in zip(ways, taken, strict=True):
                start = time.perf_counter()
                way.call()
                if round_:
                    seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) / way.values * 1e9 for way, seconds in zip(ways, taken, strict=True)]


def markdown(ways: list[Way], nanoseconds: list[float]) -> str:
    """A row for each title, with a column for each T_mult and its ratio to the bare cosine, the last way."""
    measured = {(way.title, way.T_mult): taken for way, taken in zip(ways, nanoseconds, strict=True)}
    bare = nanoseconds[-1]
    rows = []
    for title in dict.fromkeys(way.title for way in ways):
        cells = [title]
        for T_mult in FIRST:
            value = measured.get((title, T_mult), measured.get((title, None)))
            cells += [report.number(value), report.number(value and value / bare)]
        rows.append(cells)
    if TORCH not in {way.title for way in ways}:
        rows.append([TORCH, *["not installed", report.ABSENT] * len(FIRST)])
    header = ["ns per value"]
    for T_mult in FIRST:
        header += [f"T_mult = {T_mult}", "to bare"]
    return report.table(header, rows)


def _wait(array: Any) -> Any:
    return array.block_until_ready()


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    ways = [way for group in (ours, optax_ways, torch_ways) for T_mult in FIRST for way in group(T_mult)]
    ways.append(bare_cosine())
    taken = measure(ways, args.repeats)
    device = jax.devices()[0].device_kind
    print(
        f"One learning rate ({STEPS:,} steps, T_0 = {FIRST[1]:,} for T_mult = 1 and {FIRST[2]} for 2, on "
        f"{device}), medians of {args.repeats}.\n{report.machine('jax', 'optax', 'torch')}.\n"
    )
    print(markdown(ways, taken))


if __name__ == "__main__":
    main()
