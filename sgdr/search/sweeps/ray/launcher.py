"""A sweep by workers on Ray: each is a trial of Ray Tune, which places it and starts it again when it dies.

What the workers do is in the study alone. Whoever launches them holds the study's lease, reads from the
storage how far they are, asks them to end by a mark in it, and ends what is left when they are gone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from optuna.storages import BaseStorage

from sgdr.search.problem.workload import CallableWorkload, Workload
from sgdr.search.storage import grpc_server
from sgdr.search.storage.connect import sqlite_file
from sgdr.search.storage.leases import LeaseRecord, leases
from sgdr.search.storage.retry import Retrying
from sgdr.search.study.study import Study, load
from sgdr.search.sweeps.cluster import Cluster
from sgdr.search.sweeps.config import Settings
from sgdr.search.sweeps.ray.connection import connected
from sgdr.search.sweeps.ray.tune_run import TuneRun
from sgdr.search.sweeps.ray.worker import WorkerSpec
from sgdr.search.sweeps.session import Begun, Worked
from sgdr.search.sweeps.shared_record import Launch, end_launch, stop_launch
from sgdr.search.sweeps.trial_log import Record
from sgdr.search.sweeps.worker import Progress, TooManyFailures

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
    on_progress: Callable[[Progress], None],
    on_remark: Callable[[str], None],
) -> Worked:
    """What `work` does, by several workers; nothing is begun before the cluster has what is asked for.

    Raises ValueError where it has not, TooManyFailures where workers die again and again, and what these
    raise.
    """
    at_end = Retrying(on_remark, seconds=END_SECONDS)
    path = tuple(str(Path(entry).absolute()) for entry in sys.path)
    with ExitStack() as afterwards, ExitStack() as stack:
        host = stack.enter_context(connected(cluster, on_remark))
        from ray import cloudpickle  # not before: it reads how to authenticate when it is imported

        packed = cloudpickle.dumps((workload, settings))
        storage = opening()
        begun = begin(storage)
        record, name = begun.record, begun.record.name
        afterwards.callback(record.close)
        launch = Launch(record.worker, record.next_number, frozenset(each.number for each in record.again))
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
        crew = stack.enter_context(TuneRun(spec, cluster))
        study = load(name, url)
        watching = _Watching(crew, record, study, settings.trials, cluster.workers, on_progress, on_remark)
        try:
            watching.until(deadline)
        except KeyboardInterrupt:
            on_remark("interrupted: the workers end what they are at, or are ended after half a minute")
            raise
        finally:
            at_end(lambda maybe_applied: stop_launch(storage, name, launch))
            crew.wait(END_SECONDS)
        crew.check()
    at_end(lambda maybe_applied: study.refresh())
    did = _together(study, settings.trials, launch, cluster)
    if crew.deaths and not did.reached and not watching.late:
        raise TooManyFailures(f"no worker is left; the last that died said {crew.deaths[-1]}")
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
        crew: TuneRun,
        record: Record,
        study: Study,
        trials: int,
        workers: int,
        on_progress: Callable[[Progress], None],
        on_remark: Callable[[str], None],
    ) -> None:
        self._crew, self._record, self._study = crew, record, study
        self._trials, self._workers = trials, workers
        self._on_progress, self._on_remark = on_progress, on_remark
        self._retrying = Retrying(on_remark)
        self._remarked: set[str] = set()
        self.late = False
        """Whether it stopped at its deadline."""
        self._since = 0, 0
        """Trials finished, and workers that had died, when a trial was finished last."""

    def until(self, deadline: float | None) -> None:
        """Returns when the study has its trials, the deadline is there, or all workers have ended.

        Raises TooManyFailures where workers die again and again and nothing is finished.
        """
        while not self._crew.ended(POLL_SECONDS):
            self._record.write()  # and so renews the launcher's lease
            self._retrying(lambda maybe_applied: self._study.refresh())
            self._show(_claims(self._study, self._record.worker))
            self._check_deaths()
            if self._study.finished >= self._trials and not self._study.counts.get("RUNNING"):
                return
            self.late = deadline is not None and time.monotonic() >= deadline
            if self.late:
                return

    def _show(self, claims: list[LeaseRecord]) -> None:
        study = self._study
        for claim in claims:
            for remark in claim["notes"].get("remarks", ()):
                if remark not in self._remarked:
                    self._remarked.add(remark)
                    self._on_remark(f"worker at {claim['host']}: {remark}")
        self._on_progress(
            Progress(
                finished=study.finished,
                trials=self._trials,
                running=study.counts.get("RUNNING", 0),
                failed=study.outcomes.get("failed", 0),
                best=study.best_value,
                epochs=sum(claim["notes"].get("epochs", 0) for claim in claims),
            )
        )

    def _check_deaths(self) -> None:
        finished, before = self._since
        died = len(self._crew.deaths)
        if self._study.finished > finished:
            self._since = self._study.finished, died
        elif died - before > MOST_DEATHS * self._workers:
            raise TooManyFailures(
                f"workers died {died - before} times, and no trial was finished in between; the last said "
                f"{self._crew.deaths[-1]}"
            )


def _described(workers: int, devices: str) -> str:
    count = f"{workers} worker{'s' * (workers != 1)}"
    return f"{count}, each {devices}" if devices else count


def _claims(study: Study, launcher: str) -> list[LeaseRecord]:
    """The leases of all workers of a launch, those that have ended too."""
    return [claim for claim in leases(study.attributes).values() if claim.get("launch") == launcher]


def _together(study: Study, trials: int, launch: Launch, cluster: Cluster) -> Worked:
    """What the workers have noted with their leases; of the time that phases took, the mean of a worker."""
    notes = [claim["notes"] for claim in _claims(study, launch.lease) if "epochs" in claim["notes"]]
    phases = {phase for each in notes for phase in each["timing"]}
    devices = " or ".join(sorted({each["devices"] for each in notes}))
    return Worked(
        reached=study.finished >= trials or any(each.get("exhausted") for each in notes),
        epochs=sum(each["epochs"] for each in notes),
        slots=max((each["slots"] for each in notes), default=0),
        devices=_described(cluster.workers, devices),
        compilations=sum(each["compilations"] for each in notes),
        timing={
            phase: sum(each["timing"].get(phase, 0.0) for each in notes) / cluster.workers for phase in phases
        },
    )
