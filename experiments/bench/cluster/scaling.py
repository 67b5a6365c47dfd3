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
    found: dict[str, list[Swept]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way, options in WAYS.items():
            with fresh_database(server.url) as url:
                found[way].append(swept(url, WORKLOAD, trials, *options))
    rates = {way: median([each.rate for each in swepts]) for way, swepts in found.items()}
    starts = {way: median([each.startup for each in swepts]) for way, swepts in found.items()}
    return "\n\n".join([_table(found, rates, starts), " ".join(_words(found, rates, starts))])


def _table(found: dict[str, list[Swept]], rates: dict[str, float], starts: dict[str, float]) -> str:
    rows = [
        [
            way,
            report.number(rates[way]),
            report.number(median([float(each.trials.seconds.median()) for each in swepts])),
            report.number(starts[way]),
            report.number(median([each.wall for each in swepts])),
        ]
        for way, swepts in found.items()
    ]
    return report.table(["", "trials/s", "s a trial", "s until the first", "s in all"], rows)


def _words(found: dict[str, list[Swept]], rates: dict[str, float], starts: dict[str, float]) -> Iterator[str]:
    one, two, ray, local = WAYS
    pairs = zip(found[one], found[two], strict=True)
    ratios = ", ".join(f"{b.rate / a.rate:.2f}" for a, b in pairs)
    yield f"Two workers make {rates[two] / rates[one]:.2f} times the trials per second of one ({ratios})."
    yield f"Ray's path makes {rates[ray] / rates[local]:.2f} times those of the local engine once it runs,"
    yield f"and begins {starts[ray] - starts[local]:.1f} s later."
