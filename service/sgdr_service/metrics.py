"""What Prometheus is told: requests and their latencies as they happen, sweeps and trials as they stand."""

from __future__ import annotations

import os
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""The folder through which several processes of a service add up their counts: prometheus-client's."""
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""

Standing = Callable[[], tuple[Mapping[str, int], Mapping[str, int]]]
"""Gives how many sweeps there are by state, and trials by outcome. Raises when the storage is away."""


class Metrics:
    """The metrics of one app."""

    def __init__(self, standing: Standing) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sgdr_requests", "Requests.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "sgdr_request_seconds",
            "Seconds of a request.",
            ("route",),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._standing = _StandingCollector(standing)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format; of all processes of the service where there are several."""
        counted = self._registry
        if MULTIPROCESS in os.environ:
            counted = CollectorRegistry()
            multiprocess.MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        now = CollectorRegistry()
        now.register(self._standing)
        return generate_latest(counted) + generate_latest(now)


class _StandingCollector(Collector):
    """Reads how things stand when it is asked."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        """The gauges; without those of the storage where that is away."""
        up = GaugeMetricFamily("sgdr_storage_up", "Whether the storage can be read.")
        try:
            sweeps, trials = self._standing()
        except Exception:
            up.add_metric((), 0.0)
            yield up
            return
        up.add_metric((), 1.0)
        yield up
        for name, what, tally in (("sweeps", "state", sweeps), ("trials", "outcome", trials)):
            family = GaugeMetricFamily(f"sgdr_{name}", f"{name.capitalize()} by {what}.", labels=(what,))
            for key, count in Tally(tally).items():
                family.add_metric((key,), float(count))
            yield family
