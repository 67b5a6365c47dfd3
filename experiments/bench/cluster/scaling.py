"""Trials a second by one and by two workers of one core each, and beside the engine without Ray."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.bench import report
from experiments.bench.cluster.sweeps import Swept, median, swept
from experiments.postgres import Postgres, fresh_database

WORKLOAD = "experiments.bench.cluster.heavy:heavy"
WAYS = {
    "1 worker of 1 core": ("--engine", "ray", "--workers", "1", "--slots", "1"),
    "2 workers of 1 core": ("--engine", "ray", "--workers", "2", "--slots", "1"),
    "1 worker of 2 cores": ("--engine", "ray", "--cpus-per-worker", "2", "--slots", "2"),
    "local engine, 2 cores": ("--slots", "2"),
}


def section(server: Postgres, trials: int, repeats: int) -> str:
    """The report of this part."""
    sweeps: dict[str, list[Swept]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way, options in WAYS.items():
            with fresh_database(server.url) as url:
                sweeps[way].append(swept(url, WORKLOAD, trials, *options))
    rates = {way: median([sweep.rate for sweep in swepts]) for way, swepts in sweeps.items()}
    starts = {way: median([sweep.startup for sweep in swepts]) for way, swepts in sweeps.items()}
    return "\n\n".join([_table(sweeps, rates, starts), " ".join(_words(sweeps, rates, starts))])


def _table(sweeps: dict[str, list[Swept]], rates: dict[str, float], starts: dict[str, float]) -> str:
    rows = [
        [
            way,
            report.number(rates[way]),
            report.number(median([float(sweep.trials.seconds.median()) for sweep in swepts])),
            report.number(starts[way]),
            report.number(median([sweep.wall for sweep in swepts])),
        ]
        for way, swepts in sweeps.items()
    ]
    return report.table(["", "trials/s", "s a trial", "s until the first", "s in all"], rows)


def _words(
    sweeps: dict[str, list[Swept]], rates: dict[str, float], starts: dict[str, float]
) -> Iterator[str]:
    one, two, ray, local = WAYS
    pairs = zip(sweeps[one], sweeps[two], strict=True)
    ratios = ", ".join(f"{b.rate / a.rate:.2f}" for a, b in pairs)
    yield f"Two workers make {rates[two] / rates[one]:.2f} times the trials per second of one ({ratios})."
    yield f"Ray's path makes {rates[ray] / rates[local]:.2f} times those of the local engine once it runs,"
    yield f"and begins {starts[ray] - starts[local]:.1f} s later."
