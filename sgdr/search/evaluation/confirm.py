"""The finalists and the controls again, on seeds that the search has not seen, and a verdict.

A winner of one seed is mostly luck: on another seed it is one of many. So the best trials of every arm are
trained again side by side, all on the same new seeds, until it is clear whether restarts help.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from optuna.distributions import json_to_distribution

from sgdr.errors import ArgumentError
from sgdr.search.backend.allocation import SlotAllocator
from sgdr.search.backend.devices import use_all_cores
from sgdr.search.backend.interrupts import terminate_as_interrupt
from sgdr.search.backend.population import Population, is_plain
from sgdr.search.evaluation import sequential_test
from sgdr.search.evaluation.finalists import Candidate, finalists, fresh_seeds
from sgdr.search.evaluation.race import ConfirmProgress, Rounds
from sgdr.search.evaluation.snapshot_recorder import SnapshotRecorder
from sgdr.search.problem.arguments import whole
from sgdr.search.problem.callback import SILENT, Callback, takes_functions
from sgdr.search.problem.ensembles import trained_for
from sgdr.search.problem.workload import CallableWorkload, Workload, find
from sgdr.search.storage.connect import default_url, open_storage, storage_errors
from sgdr.search.storage.leases import Lease
from sgdr.search.storage.schema import CONFIRMATION, SAID_LATER, VERDICT
from sgdr.search.study.lookup import load
from sgdr.search.study.study import Study, study_id
from sgdr.search.study.verdict import Verdict
from sgdr.shapes import SHAPES

MOST_SEEDS = 10_000
"""A number beyond which no difference matters."""


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
    top, seeds, troughs = whole("top", top, 1), whole("seeds", seeds, 2), whole("troughs", troughs, 0)
    count = None if slots == "auto" else whole("slots", slots, 1, " or 'auto'")
    url = default_url() if storage is None else storage
    read = load(study, url)
    if seeds > MOST_SEEDS:
        raise ArgumentError("seeds", seeds, f"must be at most {MOST_SEEDS:,}")
    candidates = finalists(read, top)
    use_all_cores()  # before a workload that is read by its name puts anything on a device
    workload = _workload(read, workload)
    fresh = fresh_seeds(read, seeds)
    with storage_errors(url), terminate_as_interrupt():
        opened = open_storage(url, create=True)
        number = study_id(opened, study, url)
        lease = Lease(opened, number)
        try:
            drawn = read.stored.space["hparams"]
            hparams = {name: json_to_distribution(text) for name, text in drawn.items()}
            jobs = len(candidates) * sequential_test.looks(seeds)[0]
            others = any(SHAPES[arm].is_formula for arm in read.stored.arms)
            others |= not all(is_plain(candidate.best.schedule) for candidate in candidates)
            as_trained = trained_for(read.stored.objective, workload)
            driven = SlotAllocator(as_trained, count, jobs, hparams, callback, any_schedule=others).finish()
            try:
                recorder = None
                if troughs and isinstance(driven, Population) and not isinstance(workload, CallableWorkload):
                    recorder = SnapshotRecorder(read, workload, driven, troughs, callback)
                _recall(read, candidates, fresh, recorder)

                def progressed(progress: ConfirmProgress) -> None:
                    lease.renew()
                    callback.on_progress(progress)

                rounds = Rounds(read, candidates, fresh, driven, recorder, Callback(progressed))
                verdict = rounds.race(partial(opened.set_study_user_attr, number, CONFIRMATION))
            finally:
                driven.close()
            if read.verdict is None or read.verdict.seeds <= seeds:
                opened.set_study_user_attr(number, VERDICT, verdict.attribute())
            else:
                callback.on_remark(f"the study keeps its verdict on up to {read.verdict.seeds} seeds")
        finally:
            lease.end()
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


def _workload(
    study: Study, workload: Workload | CallableWorkload | str | None
) -> Workload | CallableWorkload:
    """The study's workload. Raises ValueError when it is not to be found, or another."""
    stored = study.stored
    try:
        resolved = (
            workload
            if isinstance(workload, Workload | CallableWorkload)
            else find(stored.workload if workload is None else workload)
        )
    except ValueError as error:
        if workload is not None:
            raise
        reason = f"was made with the workload {stored.workload!r}, which is not registered"
        fix = "give it as --workload package.module:object, or in Python as workload=object"
        message = f"study {study.name!r} {reason}; {fix}"
        raise ArgumentError("workload", None, reason, fix, message=message) from error
    for name in ("name", "metric", "direction", "select_metric", *SAID_LATER):
        now, then = getattr(resolved, name, None), getattr(stored, "workload" if name == "name" else name)
        if now != then and not (name in SAID_LATER and None in (now, then)):
            reason = f"has {name} {now!r}, study {study.name!r} was made with {then!r}"
            raise ArgumentError("workload", resolved.name, reason, "give the workload that it was made with")
    return resolved
