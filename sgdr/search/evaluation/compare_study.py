"""Any schedules beside the recommended one, on the seeds of a study's confirmation, which the study keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sgdr.search.backend.devices import use_all_cores
from sgdr.search.backend.rate_table import rates
from sgdr.search.evaluation.asked import asked
from sgdr.search.evaluation.compare import CompareProgress, progress_of
from sgdr.search.evaluation.finalists import fresh_seeds, read_by
from sgdr.search.evaluation.fixed_runs import Job, Trained, retrain
from sgdr.search.evaluation.records import Record, compared_records, confirmed_records, joined, recommended
from sgdr.search.evaluation.study_comparison import StudyComparison, compared, kept_comparison
from sgdr.search.evaluation.study_slots import (
    HeldStudy,
    checked_seeds,
    held,
    slots_for,
    workload_of,
)
from sgdr.search.problem import hparams as numbers
from sgdr.search.problem.arguments import whole
from sgdr.search.problem.callback import SILENT, Callback, takes_functions
from sgdr.search.problem.workload import CallableWorkload, Workload
from sgdr.search.storage.schema import COMPARISON
from sgdr.search.study.lookup import load
from sgdr.search.study.study import Study


@takes_functions
def compare_study(
    study: str,
    schedules: Any = (),
    *,
    storage: str | None = None,
    workload: Workload | CallableWorkload | str | None = None,
    seeds: int = 16,
    slots: int | str = "auto",
    callback: Callback = SILENT,
) -> StudyComparison:
    """Trains schedules, and the one that the study's answer recommends, on the seeds of its confirmation.

    Each is trained to its end on the same seeds, none of which the search has seen. The study keeps every
    value as soon as its run has ended: what was cut off goes on from there, and what is known, also from a
    confirmation, is not trained again.

    Args:
        study: its name.
        schedules: one or several: texts as "cosine base_lr=0.03", mappings or schedules, as `start` of a
            sweep takes them, or trials of the study, as "trial:12"; none: what the study keeps.
        storage: URL of its storage; None: `$SGDR_STORAGE`, else `sqlite:///sgdr.db`.
        workload: what it trained; None: the registered workload of the name that the study has.
        seeds: how many runs of each schedule. With more, the first stay the same.
        slots: trained side by side; "auto" suits them to the devices.
        callback: hears how far it is, and what the user should know; see `Callback`.

    Raises ValueError for bad arguments, a study without a completed trial, one that keeps nothing where
    nothing is asked for, or a workload that is not there or is not the study's; StorageError when the storage
    fails; RuntimeError where a training fails (to diverge is no failure).
    """
    seeds = checked_seeds(seeds)
    count = None if slots == "auto" else whole("slots", slots, 1, " or 'auto'")
    read = load(study, storage)
    others = asked(read, schedules)
    if not others:
        kept = kept_comparison(read)
        if kept is None:
            raise ValueError(
                f'study {study!r} keeps no comparison yet; give schedules, as "cosine base_lr=0.03"'
            )
        return kept
    wanted = joined([recommended(read), *others])
    use_all_cores()  # before a workload that is read by its name puts anything on a device
    workload = workload_of(read, workload)
    _check(read, workload, list(wanted.values()))
    fresh = fresh_seeds(read, seeds)
    with held(read) as open_study:
        read.refresh()  # nobody writes any more what another comparison may have written since
        known = joined([*compared_records(read), *wanted.values()])
        confirmed = joined(confirmed_records(read))
        rows = [known[name] for name in wanted]
        for record in rows:
            if record.identity in confirmed:
                record.join(confirmed[record.identity])
        training = _Training(read, open_study, list(known.values()), rows, callback)
        training.run(workload, count, fresh)
    return compared(read, rows, fresh)


class _Training:
    """The runs that are missing, and what is kept of them."""

    def __init__(
        self,
        study: Study,
        open_study: HeldStudy,
        known: Sequence[Record],
        rows: Sequence[Record],
        callback: Callback,
    ) -> None:
        """`known`: all that the study is to keep, with the `rows` that are to be trained."""
        self._study, self._open, self._known, self._rows = study, open_study, known, rows
        self._callback = callback

    def run(self, workload: Workload | CallableWorkload, slots: int | None, seeds: Sequence[int]) -> None:
        """Trains what the rows lack of those seeds. Raises RuntimeError where a training fails."""
        jobs = [
            self._job(number, record, seed)
            for seed in seeds
            for number, record in enumerate(self._rows)
            if record.lacks(seed)
        ]
        if not jobs:
            self._keep()
            return
        schedules = [record.schedule for record in self._rows]
        with slots_for(self._study, workload, schedules, slots, len(jobs), self._callback) as driven:
            on_epochs = progress_of(jobs, self._progressed)
            trained = retrain(driven, jobs, on_epochs, on_ended=self._ended)
        for run in trained:
            if run.error is not None:
                words = f"schedule {run.job.schedule} could not be trained on seed {run.job.seed}"
                raise RuntimeError(f"{words}: {run.error.splitlines()[0]}")

    def _job(self, number: int, record: Record, seed: int) -> Job:
        objective = read_by(self._study.stored.objective, record.arm)
        return Job(number, record.schedule, record.budget, seed, record.hparams, objective)

    def _progressed(self, progress: CompareProgress) -> None:
        self._open.renew()
        self._callback.on_progress(progress)

    def _ended(self, ended: Sequence[Trained]) -> None:
        for run in ended:
            self._rows[run.job.number].take(run, self._study.stored)
        self._keep()

    def _keep(self) -> None:
        kept = [record.to_dict() for record in self._known if record.values or record.diverged]
        self._open.write(COMPARISON, kept)


def _check(study: Study, workload: Workload | CallableWorkload, records: Sequence[Record]) -> None:
    """Raises ValueError where arrays of the workload do not hold a rate or a value."""
    if isinstance(workload, CallableWorkload):
        return
    types = numbers.dtypes(workload, study.stored.hparams)
    for record in records:
        rates(record.schedule, record.budget, workload.steps_per_epoch)
        for name, value in record.hparams.items():
            numbers.fitted(name, value, types[name])
