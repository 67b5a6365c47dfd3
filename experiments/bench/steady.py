"""The engine alone, in steady state: trial-steps/s, and its FLOP/s beside those of a large matmul.

    python -m experiments.bench.steady

Counted are the multiplications and additions of the matmuls that a trial executes, nothing else. Both
measurements alternate in one process, and both use all devices.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from experiments.bench import report
from sgdr.schedule import WarmRestarts
from sgdr.search.backend.devices import local_devices
from sgdr.search.backend.population import CPU_OPTIONS, Population
from sgdr.search.backend.slots import LONGEST_CALL
from sgdr.workloads import digits

MATMUL = 2048


def matmul_flops(rows: int, inputs: int, outputs: int) -> int:
    """The FLOPs of [rows, inputs] @ [inputs, outputs]."""
    return 2 * rows * inputs * outputs


def flops_per_step(sizes: Sequence[int], batch: int, evaluated: int, steps_per_epoch: int) -> float:
    """The FLOPs of one trial's step: forward, backward, and its part of the epoch's evaluation.

    Weights' gradients cost what the forward pass does; so do the inputs', but the first layer needs none.
    """
    layers = list(pairwise(sizes))
    forward = sum(matmul_flops(batch, *layer) for layer in layers)
    inputs = sum(matmul_flops(batch, *layer) for layer in layers[1:])
    evaluation = sum(matmul_flops(evaluated, *layer) for layer in layers)
    return 2 * forward + inputs + evaluation / steps_per_epoch


def seconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def repeat(call: Callable[[], jax.Array], count: int) -> None:
    """Starts so many calls and waits for the last."""
    for _ in range(count - 1):
        call()
    call().block_until_ready()


def matmuls(devices: Sequence[jax.Device]) -> list[Callable[[], jax.Array]]:
    """Ways to multiply two large matrices with the whole machine; the fastest one counts."""
    mesh = Mesh(np.array(devices), ("rows",))
    rows, whole = PartitionSpec("rows"), PartitionSpec()
    ones = np.full((MATMUL, MATMUL), 0.5, np.float32)
    split = jax.device_put(ones, NamedSharding(mesh, rows))
    copies = jax.device_put(ones, NamedSharding(mesh, whole))
    sharded = jax.jit(jax.shard_map(jnp.matmul, mesh=mesh, in_specs=(rows, whole), out_specs=rows))
    options = CPU_OPTIONS if devices[0].platform == "cpu" else None
    by_device = sharded.lower(split, copies).compile(compiler_options=options)
    single = jax.jit(jnp.matmul)
    one = jax.device_put(ones, devices[0])
    return [lambda: by_device(split, copies), lambda: single(one, one)]


def measure(slots: int, devices: Sequence[jax.Device], calls: int) -> tuple[float, float]:
    """(trial-steps/s, FLOP/s of the matmul), medians of `calls` in turn."""
    workload = digits.digits()
    population = Population(workload, slots, devices)
    population.compile()
    for slot in range(slots):
        schedule = WarmRestarts(0.1, T_0=1 + slot % 10, T_mult=1 + slot % 3, eta_min=1e-4)
        population.fill(slot, schedule, workload.budget, seed=slot, hparams={})
    products = matmuls(devices)

    def advance() -> None:
        population.advance(LONGEST_CALL).read()

    at_once = 1 if devices[0].platform == "cpu" else 50  # one is over before an accelerator's host sees it
    for warm_up in (advance, *products):
        warm_up()
    advances: list[float] = []
    multiplications: list[list[float]] = [[] for _ in products]
    for _ in range(calls):
        advances.append(seconds(advance))
        for product, taken in zip(products, multiplications, strict=True):
            taken.append(seconds(partial(repeat, product, at_once)) / at_once)
    steps = slots * LONGEST_CALL * workload.steps_per_epoch
    fastest = min(statistics.median(taken) for taken in multiplications)
    return steps / statistics.median(advances), matmul_flops(MATMUL, MATMUL, MATMUL) / fastest


def main() -> None:
    """Measures and prints a table, one row for each number of slots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slots", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--calls", type=int, default=15, help=f"of {LONGEST_CALL} epochs each")
    args = parser.parse_args()
    devices, _ = local_devices()

    valid = len(digits.split()[1][1])
    flops = flops_per_step(digits.SIZES, digits.BATCH, valid, digits.TRAIN // digits.BATCH)
    rows = []
    for asked in args.slots:
        slots = -(-asked // len(devices)) * len(devices)  # each device has equally many
        steps, matmul = measure(slots, devices, args.calls)
        rates = [report.number(steps), report.number(steps * flops / 1e9), report.number(matmul / 1e9)]
        rows.append([str(slots), *rates, report.share(steps * flops, matmul)])
    header = ["slots", "trial-steps/s", "GFLOP/s", f"GFLOP/s of a {MATMUL}³ matmul", "share"]
    print(
        f"The engine in steady state: `digits`, {flops / 1e6:.2f} MFLOP a trial-step, on {len(devices)} "
        f"device(s) ({devices[0].device_kind}), medians of {args.calls}.\n{report.machine('jax')}.\n"
    )
    print(report.table(header, rows))


if __name__ == "__main__":
    main()
