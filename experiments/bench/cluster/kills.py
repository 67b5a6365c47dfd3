"""A sweep whose workers, nodes, launcher and database are killed at random moments, until it is done."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd

from experiments.bench import report
from experiments.bench.cluster import sweeps
from experiments.postgres import Postgres, fresh_database
from sgdr import search
from sgdr.search.storage.leases import leases

WORKLOAD = "experiments.bench.cluster.heavy:heavy"
PAUSE = (6.0, 24.0)
"""Seconds between two kills, from and to."""


class Kills:
    """One sweep on a cluster of two nodes, and what may be killed of it."""

    def __init__(
        self, server: Postgres, url: str, trials: int, seed: int, say: Callable[[str], None]
    ) -> None:
        from ray.cluster_utils import Cluster

        self._server, self._url, self._trials, self._say = server, url, trials, say
        self._chance = random.Random(seed)
        self._cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        self._nodes = [self._cluster.add_node(num_cpus=1) for _ in range(2)]
        self._process: subprocess.Popen[str] | None = None
        self._before = pd.DataFrame({"state": []})

    def run(self, kills: int) -> tuple[Counter[str], float, pd.DataFrame]:
        """What was killed how often, the seconds of it all, and the trials. Raises RuntimeError at a loss."""
        began, done = time.monotonic(), Counter[str]()
        ways = {
            "worker": self._kill_worker,
            "launcher": self._kill_launcher,
            "node": self._kill_node,
            "database": self._restart_database,
        }
        self._begin()
        while sum(done.values()) < kills:
            time.sleep(self._chance.uniform(*PAUSE))
            self._look()
            what = self._chance.choice(list(ways))
            if ways[what]():
                done[what] += 1
                self._say(
                    f"kill {sum(done.values())}: {what}, {sweeps.finished(self._before)} trials finished"
                )
        assert self._process is not None
        _, said = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(said[-2000:])
        self._read()
        return done, time.monotonic() - began, self._before

    def close(self) -> None:
        """Ends what is left of it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        self._cluster.shutdown()

    def _begin(self) -> None:
        options = ("--engine", "ray", "--workers", "2", "--slots", "2", "--resume")
        self._process = sweeps.begin(
            self._url, WORKLOAD, self._trials, *options, "--address", self._cluster.address
        )

    def _look(self) -> None:
        """Sees that nothing finished is lost, and begins the sweep again where it has ended."""
        with contextlib.suppress(ValueError, search.StorageError):  # not there yet, or away
            self._read()
        assert self._process is not None
        if self._process.poll() is not None:
            if self._process.returncode not in (0, -signal.SIGKILL):
                raise RuntimeError(str(self._process.communicate()[1])[-2000:])
            self._begin()

    def _read(self) -> None:
        now = search.load(sweeps.STUDY, self._url).trials()
        if len(self._before) and not sweeps.unchanged(self._before, now):
            raise RuntimeError("a finished trial was lost or changed")
        self._before = now

    def _kill_worker(self) -> bool:
        with contextlib.suppress(ValueError, search.StorageError, ProcessLookupError):
            claims = leases(search.load(sweeps.STUDY, self._url).attributes).values()
            there: list[Any] = [claim for claim in claims if claim["launch"] and not claim["ended"]]
            if there:
                os.kill(self._chance.choice(there)["pid"], signal.SIGKILL)
                return True
        return False

    def _kill_launcher(self) -> bool:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()
        self._begin()
        return True

    def _kill_node(self) -> bool:
        place = self._chance.randrange(len(self._nodes))
        self._cluster.remove_node(self._nodes[place], allow_graceful=False)
        self._nodes[place] = self._cluster.add_node(num_cpus=1)
        return True

    def _restart_database(self) -> bool:
        self._server.stop("immediate")
        time.sleep(self._chance.uniform(0.0, 5.0))
        self._server.start()
        return True


def section(server: Postgres, trials: int, kills: int, seed: int, say: Callable[[str], None]) -> str:
    """The report of this part."""
    with fresh_database(server.url) as url:
        killing = Kills(server, url, trials, seed, say)
        try:
            done, seconds, table = killing.run(kills)
        finally:
            killing.close()
    wrong = sweeps.faults(table, trials)
    rows = [[what, str(count)] for what, count in sorted(done.items())]
    cut_off = int((table.state == "FAIL").sum())
    verdict = "; ".join(wrong) if wrong else "every trial ended exactly once, and none is left running"
    words = f"{trials} trials in {seconds:.0f} s, {cut_off} cut off and trained again: {verdict}."
    return f"{report.table(['killed', 'times'], rows)}\n\n{words}"
