"""The finalists and the controls again, on seeds that the search has not seen, and a verdict.

A winner of one seed is mostly luck: on another seed it is one of many. So the best trials of every arm are
trained again side by side, all on the same new seeds, until it is clear whether restarts help.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sgdr.search.backend.devices import use_all_cores
from sgdr.search.backend.population import Population
from sgdr.search.evaluation import sequential_test
from sgdr.search.evaluation.finalists import Candidate, finalists, fresh_seeds
from sgdr.search.evaluation.race import ConfirmProgress, Rounds
from sgdr.search.evaluation.snapshot_recorder import SnapshotRecorder
from sgdr.search.evaluation.study_slots import checked_seeds, held, slots_for, workload_of
from sgdr.search.problem.arguments import whole
from sgdr.search.problem.callback import SILENT, Callback, takes_functions
from sgdr.search.problem.workload import CallableWorkload, Workload
from sgdr.search.storage.schema import CONFIRMATION, VERDICT
from sgdr.search.study.lookup import load
from sgdr.search.study.study import Study
from sgdr.search.study.verdict import Verdict


@takes_functions
def confirm(
    study: str,
    *,
    storage: str | None = None,
    workload: Workload | CallableWorkload | str | None = None,
    top: int = 3,
    seeds: int = 64,
    slots: int | str = "auto",
    troughs: int = 5,
    callback: Callback = SILENT,
) -> Verdict:
    """Trains the best trials of each arm, and all starts, again on new seeds; says whether restarts help.

    The verdict falls by paired t tests at a few looks, each of which spends a part of the error: Kim & DeMets
    1987, "Design and analysis of group sequential tests", Biometrika 74 (see `sequential_test`).

    Args:
        study: its name; it keeps the verdict, and every value, so that a confirmation that was cut off, or
            that asks for more seeds, goes on from there.
        storage: URL of its storage; None: `$SGDR_STORAGE`, else `sqlite:///sgdr.db`.
        workload: what it trained; None: the registered workload of the name that the study has.
        top: candidates of each arm, beside the starts.
        seeds: the most per candidate; those that are clearly behind get fewer, and all do once it is decided.
            A verdict on fewer than the study's own is returned, and not kept.
        slots: trained side by side; "auto" suits them to the devices.
        troughs: how many models of a run on the first seed, at its last troughs, are kept beside the storage
            and scored as an ensemble; 0: none.
        callback: hears how far it is, and what the user should know; see `Callback`.

    Raises ValueError for bad arguments, a study without a completed trial, or a workload that is not there or
    is not the study's; StorageError when the storage fails; RuntimeError when no candidate can be trained.
    """
    top, troughs = whole("top", top, 1), whole("troughs", troughs, 0)
    seeds = checked_seeds(seeds)
    count = None if slots == "auto" else whole("slots", slots, 1, " or 'auto'")
    read = load(study, storage)
    candidates = finalists(read, top)
    use_all_cores()  # before a workload that is read by its name puts anything on a device
    workload = workload_of(read, workload)
    fresh = fresh_seeds(read, seeds)
    schedules = [candidate.best.schedule for candidate in candidates]
    jobs = len(candidates) * sequential_test.looks(seeds)[0]
    callback.on_remark(
        f"{len(candidates)} candidates are trained on up to {seeds} seeds: {jobs} full trainings at least, "
        f"{len(candidates) * seeds} at most, less what earlier confirmations have"
    )
    with held(read) as open_study:
        with slots_for(read, workload, schedules, count, jobs, callback) as driven:
            recorder = None
            if troughs and isinstance(driven, Population) and not isinstance(workload, CallableWorkload):
                recorder = SnapshotRecorder(read, workload, driven, troughs, callback)
            _recall(read, candidates, fresh, recorder)

            def progressed(progress: ConfirmProgress) -> None:
                open_study.renew()
                callback.on_progress(progress)

            rounds = Rounds(read, candidates, fresh, driven, recorder, Callback(progressed))
            verdict = rounds.race(partial(open_study.write, CONFIRMATION))
        if read.verdict is None or read.verdict.seeds <= seeds:
            open_study.write(VERDICT, verdict.attribute())
        else:
            callback.on_remark(f"the study keeps its verdict on up to {read.verdict.seeds} seeds")
    if verdict.best is None:
        raise RuntimeError(f"no candidate could be trained again: {verdict.candidates[0].failed}")
    return verdict


def _recall(
    study: Study, candidates: Sequence[Candidate], seeds: Sequence[int], recorder: SnapshotRecorder | None
) -> None:
    """Takes what an earlier confirmation has found; runs whose models are missing are trained again."""
    for candidate in candidates:
        candidate.recall(study.stored.confirmation)
        if recorder and recorder.lacks(candidate.best.number, seeds[0], candidate.ensemble is not None):
            candidate.values.pop(seeds[0], None)
