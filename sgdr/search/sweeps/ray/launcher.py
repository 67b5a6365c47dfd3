"""A sweep by workers on Ray: each is a trial of Ray Tune, which places it and starts it again when it dies.

What the workers do is in the study alone. Whoever launches them holds the study's lease, reads from the
storage how far they are, asks them to end by a mark in it, and ends what is left when they are gone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from optuna.storages import BaseStorage

from sgdr.choices import Outcome, State
from sgdr.search.problem.callback import Callback
from sgdr.search.problem.workload import CallableWorkload, Workload
from sgdr.search.storage import grpc_server
from sgdr.search.storage.connect import sqlite_file
from sgdr.search.storage.leases import LeaseRecord, leases
from sgdr.search.storage.retry import Retrying
from sgdr.search.study.lookup import load
from sgdr.search.study.study import Study
from sgdr.search.sweeps.cluster import Cluster
from sgdr.search.sweeps.coordinator import Begun, Coordinator
from sgdr.search.sweeps.extent import Extent, Tally
from sgdr.search.sweeps.progress import Progress
from sgdr.search.sweeps.ray.connection import connected
from sgdr.search.sweeps.ray.tune_run import TuneRun
from sgdr.search.sweeps.ray.worker import WorkerSpec
from sgdr.search.sweeps.session import Worked
from sgdr.search.sweeps.settings import Settings
from sgdr.search.sweeps.shared import Launch, end_launch, stop_launch
from sgdr.search.sweeps.worker import TooManyFailures

POLL_SECONDS = 0.5
END_SECONDS = 30.0
"""How long workers may take to end by themselves, once they are to."""
MOST_DEATHS = 3
"""How often each worker may die, on average, while no trial is finished."""


def work_on_ray(
    workload: Workload | CallableWorkload | str,
    settings: Settings,
    cluster: Cluster,
    url: str,
    opening: Callable[[], BaseStorage],
    begin: Callable[[BaseStorage], Begun],
    checkpoints: Path | None,
    deadline: float | None,
    callback: Callback,
) -> Worked:
    """What `work` does, by several workers; nothing is begun before the cluster has what is asked for.

    Raises ValueError where it has not, TooManyFailures where workers die again and again, and what these
    raise.
    """
    at_end = Retrying(callback.on_remark, seconds=END_SECONDS)
    path = tuple(str(Path(entry).absolute()) for entry in sys.path)
    with ExitStack() as afterwards, ExitStack() as stack:
        host = stack.enter_context(connected(cluster, callback))
        from ray import cloudpickle  # not before: it reads how to authenticate when it is imported

        packed = cloudpickle.dumps((workload, settings))
        storage = opening()
        begun = begin(storage)
        log, name = begun.coordinator.log, begun.coordinator.log.name
        afterwards.callback(log.close)
        again = frozenset(trial.number for trial in begun.coordinator.queue.again)
        launch = Launch(log.worker, begun.coordinator.queue.first, again)
        afterwards.callback(at_end, lambda maybe_applied: end_launch(storage, name, launch))
        shared = _for_workers(url, cluster, host, stack)
        spec = WorkerSpec(
            packed=packed,
            path=path,
            cores=cluster.cores,
            gpus=cluster.gpus_per_worker,
            url=shared,
            study=name,
            seed=begun.seed,
            launch=launch,
            places=begun.places,
            checkpoints=checkpoints,
        )
        workers = stack.enter_context(TuneRun(spec, cluster))
        study = load(name, url)
        watching = _Watching(workers, begun.coordinator, study, settings, cluster.workers, callback)
        try:
            watching.until(deadline)
        except KeyboardInterrupt:
            callback.on_remark(
                "interrupted: the workers end what they are at, or are ended after half a minute"
            )
            raise
        finally:
            at_end(lambda maybe_applied: stop_launch(storage, name, launch))
            workers.wait(END_SECONDS)
        workers.check()
    at_end(lambda maybe_applied: study.refresh())
    did = _together(study, settings.extent, launch, cluster)
    if workers.deaths and not did.reached and not watching.late:
        raise TooManyFailures(f"no worker is left; the last that died said {workers.deaths[-1]}")
    return did


def _for_workers(url: str, cluster: Cluster, host: str, stack: ExitStack) -> str:
    """The URL for workers. To a file of SQLite those on other machines come through a proxy on this one."""
    file = sqlite_file(url)
    if file is None:
        return url
    if cluster.address is None:
        return f"sqlite:///{file.absolute()}"
    return stack.enter_context(grpc_server.serve(url, host))


class _Watching:
    """Reads from the study how far its workers are."""

    def __init__(
        self,
        workers: TuneRun,
        coordinator: Coordinator,
        study: Study,
        settings: Settings,
        count: int,
        callback: Callback,
    ) -> None:
        self._workers, self._coordinator, self._study = workers, coordinator, study
        self._settings, self._count, self._callback = settings, count, callback
        self._remarked: set[str] = set()
        self.late = False
        """Whether it stopped at its deadline."""
        self._since = 0, 0
        """Trials finished, and workers that had died, when a trial was finished last."""

    def until(self, deadline: float | None) -> None:
        """Returns when the study has gone far enough, the deadline is there, or all workers have ended.

        Raises TooManyFailures where workers die again and again and nothing is finished.
        """
        while not self._workers.ended(POLL_SECONDS):
            self._coordinator.write()  # and so renews the launcher's lease
            self._coordinator.log.retried(self._study.refresh)
            self._show(_leases(self._study, self._coordinator.log.worker))
            self._check_deaths()
            tally = _tally(self._study)
            if self._settings.extent.reached(tally) and not tally.running:
                return
            self.late = deadline is not None and time.monotonic() >= deadline
            if self.late:
                return

    def _show(self, held: list[LeaseRecord]) -> None:
        study = self._study
        for lease in held:
            for remark in lease["notes"].get("remarks", ()):
                if remark not in self._remarked:
                    self._remarked.add(remark)
                    self._callback.on_remark(f"worker at {lease['host']}: {remark}")
        self._callback.on_progress(
            Progress(
                finished=study.finished,
                trials=self._settings.trials,
                spent=study.spent,
                cost=self._settings.cost,
                running=study.counts.get(State.RUNNING, 0),
                failed=study.outcomes.get(Outcome.FAILED, 0),
                best=study.best_value,
                epochs=sum(lease["notes"].get("epochs", 0) for lease in held),
            )
        )

    def _check_deaths(self) -> None:
        finished, before = self._since
        died = len(self._workers.deaths)
        if self._study.finished > finished:
            self._since = self._study.finished, died
        elif died - before > MOST_DEATHS * self._count:
            raise TooManyFailures(
                f"workers died {died - before} times, and no trial was finished in between; the last said "
                f"{self._workers.deaths[-1]}"
            )


def _leases(study: Study, launcher: str) -> list[LeaseRecord]:
    """The leases of all workers of a launch, those that have ended too."""
    return [lease for lease in leases(study.attributes).values() if lease.get("launch") == launcher]


def _tally(study: Study) -> Tally:
    return Tally(study.finished, study.counts.get(State.RUNNING, 0), study.epochs)


def _together(study: Study, extent: Extent, launch: Launch, cluster: Cluster) -> Worked:
    """What the workers have noted with their leases; of the time that phases took, the mean of a worker."""
    notes = [lease["notes"] for lease in _leases(study, launch.lease) if "epochs" in lease["notes"]]
    count = f"{cluster.workers} worker{'s' * (cluster.workers != 1)}"
    timings = [note["timing"] for note in notes]
    devices = " or ".join(sorted({note["devices"] for note in notes}))
    return Worked(
        reached=extent.reached(_tally(study)) or any(note.get("exhausted") for note in notes),
        epochs=sum(note["epochs"] for note in notes),
        slots=max((note["slots"] for note in notes), default=0),
        devices=f"{count}, each {devices}" if devices else count,
        compilations=sum(note["compilations"] for note in notes),
        timing={
            phase: sum(timing.get(phase, 0.0) for timing in timings) / cluster.workers
            for phase in dict.fromkeys(chain.from_iterable(timings))
        },
    )
