"""A workload as a class trainable of Ray Tune: an epoch a step, and a checkpoint at every trough."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.air.constants import TRAINING_ITERATION
from ray.tune.result import DONE, SHOULD_CHECKPOINT

from sgdr.search.artifacts.snapshots import Snapshots, load_snapshot
from sgdr.search.backend.curves import Curves
from sgdr.search.backend.devices import cores, share_gpu_memory
from sgdr.search.backend.population import Population
from sgdr.search.backend.processes import ProcessSlots
from sgdr.search.backend.slots import FINITE, Ended
from sgdr.search.problem import hparams
from sgdr.search.problem.arguments import one_of, whole
from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.ensembles import trained_for
from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.lookup import find
from sgdr.search.problem.objective import OBJECTIVES, check_predicts, curve_of, sign, value
from sgdr.search.problem.space import Space
from sgdr.search.problem.types import Schedule
from sgdr.search.problem.warming import WARMUP
from sgdr.search.problem.workload import CallableWorkload, Workload
from sgdr.search.tune.config import Config, hparams_of, schedule_of, seed_of
from sgdr.search.tune.results import EPOCH, RATE, T_0, TAKEN, TROUGH, WORTH
from sgdr.warmup import unwarmed

CURVES = "curves.json"
"""The name of the file with the curves, beside the snapshot in a checkpoint."""


def trainable(
    workload: Workload | CallableWorkload | str,
    *,
    budget: int | None = None,
    space: Space | None = None,
    objective: str = "best-epoch",
) -> type[tune.Trainable]:
    """A class for `tune.Tuner`, of the workload's name, that trains one trial an epoch a step.

    Its config has base_lr, T_0 in epochs (or cycles, of a closed space), T_mult (else 1), eta_ratio (else 0),
    warmup in epochs (else the shortest of the space), the workload's own values by their names or in a dict
    `hparams`, and perhaps a `seed`: without one, equal configs give equal trials. Each result has the
    workload's values by their names, and

    - `objective`: what the trial is worth so far, infinitely bad where it diverges, as its metric then is;
    - `epoch`: the completed ones, as `training_iteration`; `done` at the end of the budget, of a closed
      schedule, or where it diverges;
    - `trough`: whether a cycle has just ended; `should_checkpoint` there;
    - `lr`: the rate with which the epoch began; `T_0` in epochs.

    A checkpoint holds model, curves and seed; a trial that is restored goes on bit for bit as if nothing had
    been, or, where its config is another by now, with the state as it is on the new schedule. With
    `TuneConfig(reuse_actors=True)` the program is compiled once for all the trials of an actor. It computes
    on one core, or on the GPU of `tune.with_resources(..., {"gpu": 1})`, of which a fraction takes that share
    of the memory. A callable workload runs in a process of its own, on the cores of its trial; it cannot be
    checkpointed, and begins again where it is restored.

    Args:
        workload: an object, or a registered name, which is then looked up on the workers.
        budget: epochs of one trial; None: the workload's own.
        space: of which T_0 bounds what `cycles` may come to, and `hparams` may fix values; None: see `Space`.
        objective: what a trial is worth: best-epoch, best-trough, final, anytime or ensemble.

    Raises ValueError for bad arguments. What a config lacks, or a workload's functions, fails its trial.
    """
    declared = Declaration.of(find(workload) if isinstance(workload, str) else workload)
    if isinstance(workload, CallableWorkload) and workload.train.__module__ == "__main__":
        raise ValueError(
            f"workload {workload.name!r} is defined in the main script, which the workers do not run; define "
            "it in a module that they can import"
        )
    one_of("objective", objective, OBJECTIVES)
    check_predicts(objective, declared.name, declared.predicts)
    for name in declared.hparams:
        if name in ("seed", "hparams"):
            raise ValueError(
                f"workload {declared.name!r}: its value {name!r} has a name of the config; rename it"
            )
    epochs = declared.budget if budget is None else whole("budget", budget, 1)
    either: Any = declared  # what a space is resolved for may be a workload or its declaration
    resolved = (space or Space()).resolved(either, epochs)
    if declared.kind == "arrays":
        hparams.check(declared, resolved.hparams)
    members = {
        "__doc__": f"Workload {declared.name!r} for {epochs} epochs; see `sgdr.search.trainable`.",
        "_held": _Held(workload),
        "_budget": epochs,
        "_space": resolved,
        "_objective": objective,
    }
    return type(re.sub(r"[^\w-]", "_", declared.name), (_WorkloadTrainable,), members)


class _Held:
    """A workload on its way to the workers: its arrays go through Ray's object store, a name as it is."""

    def __init__(self, content: Any) -> None:
        self._content = content

    def __reduce__(self) -> tuple[Any, ...]:
        content = self._content
        by_value = not isinstance(content, str | CallableWorkload | ray.ObjectRef)
        return _Held, (ray.put(content) if by_value and ray.is_initialized() else content,)

    def get(self) -> Workload | CallableWorkload:
        """The workload. Raises ValueError where the name is not registered here."""
        content = self._content
        if isinstance(content, str):
            return find(content)
        got: Workload | CallableWorkload = ray.get(content) if isinstance(content, ray.ObjectRef) else content
        return got


class _WorkloadTrainable(tune.Trainable):
    """See `trainable`."""

    _held: _Held
    _budget: int
    _space: Space
    _objective: str

    def setup(self, config: Config) -> None:
        resources = self.trial_resources.required_resources if self.trial_resources else {}
        gpus = resources.get("GPU", 0)
        if 0 < gpus < 1:  # else JAX takes most of a GPU as soon as it begins
            share_gpu_memory(gpus)
        workload = self._held.get()
        if not isinstance(workload, CallableWorkload):
            check_functions(workload, hparams.examples(hparams.dtypes(workload, self._space.hparams)))
        self._workload = trained_for(self._objective, workload)
        has_warmup = WARMUP in config or self._space.warmups[1] > 0
        self._slots = self._make_slots(int(resources.get("CPU", 0)), has_warmup)
        self._begin(config)

    def _make_slots(self, cpus: int, any_schedule: bool) -> Population | ProcessSlots:
        workload = self._workload
        if isinstance(workload, CallableWorkload):
            return ProcessSlots(workload, 1, cpus or cores())
        import jax

        population = Population(workload, 1, jax.local_devices()[:1], self._space.hparams, any_schedule)
        population.compile()
        return population

    def reset_config(self, new_config: Config) -> bool:
        self._begin(new_config)
        return True

    def _begin(self, config: Config, seed: int | None = None) -> None:
        """Puts the trial of a config into the slot, from its first step on."""
        self._config = config
        self._schedule, self._epochs = schedule_of(config, self._space, self._budget)
        values = hparams_of(config, self._space)
        self._seed = seed_of(config) if seed is None else seed
        self._curves = Curves()
        self._ended: Ended | None = None
        self._slots.end(0)
        self._slots.fill(0, self._schedule, self._epochs, self._seed, values)

    def step(self) -> dict[str, Any]:
        pending = self._slots.advance(1)
        values = pending.read()
        if 0 in (failed := pending.failed()):
            raise RuntimeError(failed[0] or f"the process of workload {self._workload.name!r} died")
        taken = sorted(TAKEN & values.keys())
        if taken:
            raise ValueError(
                f"workload {self._workload.name!r} reports {', '.join(taken)}, which names a part of the "
                "results; rename it"
            )
        self._ended = pending.ended().get(0)
        self._curves.extend(values, 0, self._ended)
        return self._result()

    def _result(self) -> dict[str, Any]:
        """The result of the last epoch."""
        epoch, schedule, metric = self._curves.epochs, self._schedule, self._workload.metric
        result = {name: curve[-1] for name, curve in self._curves.items() if name != FINITE}
        diverged = self._curves.diverged_at is not None
        if diverged:
            result[metric] = result[WORTH] = sign(self._workload.direction) * math.inf
        else:
            result[WORTH] = self._worth(schedule)
        trough = epoch in schedule.troughs(budget=epoch)[-1:]
        return {
            **result,
            EPOCH: epoch,
            TRAINING_ITERATION: epoch,  # also where it began again
            TROUGH: trough,
            RATE: schedule(epoch - 1),
            T_0: unwarmed(schedule)[0].T_0,
            SHOULD_CHECKPOINT: trough and not diverged and isinstance(self._slots, Population),
            DONE: diverged or epoch >= self._epochs or self._ended is not None,
        }

    def _worth(self, schedule: Schedule) -> float:
        curve = self._curves[curve_of(self._objective, self._workload.metric)]
        select = self._curves.get(getattr(self._workload, "select_metric", None) or "")
        return value(self._objective, curve, schedule, self._workload.direction, select)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Writes a snapshot and the curves; nothing where the trial could only begin again."""
        epoch = self._curves.epochs
        if epoch and isinstance(self._slots, Population):
            values = {name: curve[-1] for name, curve in self._curves.items() if name != FINITE}
            folder = Path(checkpoint_dir)
            Snapshots(folder).save(0, self._seed, epoch, self._slots.state(0), values)
            (folder / CURVES).write_text(json.dumps(self._curves))

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Goes on from a checkpoint of this workload, under the config that the trial has now.

        Raises ValueError for one that is cut short, or of another workload.
        """
        folder = Path(checkpoint)
        if not (folder / CURVES).exists():
            self._begin(self._config)
            return
        snapshots = Snapshots(folder).all()
        if not snapshots:
            raise ValueError(
                f"checkpoint {checkpoint!r} has no snapshot that can be read; begin the trial again"
            )
        snapshot = snapshots[-1]
        workload: Any = self._workload  # of arrays: a callable one has no checkpoint
        state = load_snapshot(snapshot.path, workload)
        # Without a seed of its own, a config that has changed would name another than it began with.
        self._begin(self._config, None if "seed" in self._config else snapshot.seed)
        assert isinstance(self._slots, Population)
        self._slots.restore(0, state, snapshot.epoch)
        self._curves = Curves(json.loads((folder / CURVES).read_text()))

    def cleanup(self) -> None:
        self._slots.close()
