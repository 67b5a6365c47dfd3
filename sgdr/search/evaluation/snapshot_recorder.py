"""Keeps the models of a finalist's run that one would use: at its last troughs, and the best.

Huang et al., "Snapshot ensembles: train 1, get M for free", ICLR 2017: the models at the troughs differ
enough from each other to be worth more together than the best of them alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sgdr.choices import Objective
from sgdr.search.artifacts.snapshots import Snapshots, load_snapshot
from sgdr.search.backend.population import Population
from sgdr.search.evaluation.ensemble import Ensemble
from sgdr.search.evaluation.fixed_runs import Job, Trained
from sgdr.search.problem.callback import Callback
from sgdr.search.problem.objective import chosen_epoch, members
from sgdr.search.problem.workload import State, Workload, has_ensemble
from sgdr.search.study.study import Study


class SnapshotRecorder:
    """Watches runs epoch by epoch, writes their snapshots, and scores the ensemble of each."""

    def __init__(
        self,
        study: Study,
        workload: Workload,
        population: Population,
        troughs: int,
        callback: Callback,
    ) -> None:
        """Keeps the models at the last `troughs` troughs of each run."""
        self._stored, self._snapshots = study.stored, Snapshots(study.snapshot_folder)
        self._workload, self._population, self._troughs = workload, population, troughs
        self._callback = callback
        self._ensembles = Ensemble(workload) if has_ensemble(workload) else None
        self._best: dict[int, tuple[int, State]] = {}
        self._paths: dict[int, list[Path]] = {}

    def lacks(self, number: int, seed: int, scored: bool) -> bool:
        """Whether a run that was trained before is to be watched again: none of its models is there, or its
        ensemble could be scored and is not."""
        if self._ensembles is not None and not scored:
            return True
        return all(snapshot.seed != seed for snapshot in self._snapshots.of(number))

    def watch(self, slot: int, trained: Trained) -> None:
        """Hears of a run after every epoch, and takes its model where that is to be kept."""
        job, epoch = trained.job, trained.epochs
        if epoch == 1:
            self._snapshots.clear(job.number, job.seed)
            self._paths[job.number] = []
        best = self._is_best(trained)
        trough = epoch in members(job.schedule, job.budget, self._troughs)
        if best or trough:
            state = self._population.model(slot)
            if best:
                self._best[job.number] = epoch, state
            if trough:
                self._save(trained, epoch, state, ensemble=True)
        if epoch == job.budget and job.number in self._best:
            self._save(trained, *self._best.pop(job.number), ensemble=False)

    def _is_best(self, trained: Trained) -> bool:
        """Whether the model is, so far, the one whose value counts."""
        stored, epoch = self._stored, trained.epochs
        job = trained.job
        if job.objective == Objective.FINAL:
            return epoch == job.budget
        if job.objective == Objective.ENSEMBLE:
            return epoch == members(job.schedule, job.budget)[-1]
        if job.objective == Objective.BEST_TROUGH and not job.schedule.troughs(budget=epoch):
            return False
        select = trained.curves[stored.chosen_by]
        return chosen_epoch(job.objective, select, job.schedule, stored.direction) == epoch

    def _save(self, trained: Trained, epoch: int, state: State, ensemble: bool) -> None:
        job = trained.job
        values = {
            name: curve[epoch - 1] for name, curve in trained.curves.items() if not name.startswith("_")
        }
        try:
            path = self._snapshots.save(job.number, job.seed, epoch, state, values)
        except OSError as error:
            self._callback.on_remark(f"snapshot of trial {job.number} at epoch {epoch} is not kept: {error}")
            return
        if ensemble:
            self._paths[job.number].append(path)

    def ensemble(self, job: Job, curves: Mapping[str, Sequence[float]]) -> dict[str, float] | None:
        """The value of the mean prediction at the last troughs, and of the best model alone.

        `ensemble`, `single`, and the number of `troughs`; None where the workload has no predictions, or
        there are no snapshots.
        """
        paths = self._paths.pop(job.number, [])
        if self._ensembles is None or not paths:
            return None
        stored = self._stored
        select = curves[stored.chosen_by]
        epoch = chosen_epoch(job.objective, select, job.schedule, stored.direction)
        together = self._ensembles.score(load_snapshot(path, self._workload) for path in paths)
        return {
            "ensemble": together[stored.metric],
            "single": float(curves[stored.metric][epoch - 1]),
            "troughs": len(paths),
        }
