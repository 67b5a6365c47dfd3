"""The host loop over one set of slots: ask, fill, advance an epoch, report, prune, tell, refill.

What it decides depends on epochs alone and never on the clock, so that the same seed gives the same sweep.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

import numpy as np
from optuna.trial import TrialState

from sgdr import relatives
from sgdr.search.artifacts.checkpoints import Checkpoints
from sgdr.search.backend.curves import Curves, Pace
from sgdr.search.backend.slots import DEATH, LONGEST_CALL, Pending, Restorable, Slots
from sgdr.search.problem.arms import arm_of
from sgdr.search.problem.callback import SILENT, Callback
from sgdr.search.problem.objective import curve_of, value
from sgdr.search.problem.seeds import trial_seed
from sgdr.search.storage.schema import BEGUN, DIVERGED_AT, ERROR, SEED, TrialAttributes
from sgdr.search.strategy.enumeration import Exhausted
from sgdr.search.strategy.samplers import Arm
from sgdr.search.sweeps.choosing import Chooser, Refused
from sgdr.search.sweeps.claim_queue import TrialPlan
from sgdr.search.sweeps.coordinator import Begun
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.progress import Progress
from sgdr.search.sweeps.settings import Settings
from sgdr.search.sweeps.training import Training


class TooManyFailures(RuntimeError):
    """The workload fails again and again."""


class Worker:
    """Trains trials as far as the sweep is to go."""

    def __init__(
        self,
        slots: Slots,
        begun: Begun,
        arms: Mapping[str, Arm],
        settings: Settings,
        timer: PhaseTimer,
        deadline: float | None = None,
        checkpoints: Checkpoints | None = None,
        callback: Callback = SILENT,
    ) -> None:
        """Trains the trials of `begun` in the slots, until `deadline` on the clock of `time.monotonic`."""
        self._slots, self._begun, self._arms, self._settings = slots, begun, arms, settings
        self._coordinator, self._log = begun.coordinator, begun.coordinator.log
        self._timer, self._deadline = timer, deadline
        self._checkpoints, self._callback = checkpoints, callback
        self._training: dict[int, Training] = {}
        self._pace = Pace()
        self._in_float32: set[str] = set()
        """The values that the slots give in float32."""
        self._chooser = Chooser(begun, arms, settings)
        self._exhausted: Exhausted | None = None
        """Said by a sampler that has nothing more to try."""
        self.epochs = 0

    def run(self) -> bool:
        """Trains until the study has its finished trials, or has spent its cost, and all is written.

        Or until the sampler has nothing more to try. Returns whether it got there before the deadline. Raises
        `TooManyFailures` when the workload's own code fails more often than it works.
        """
        self._fill()
        while not self._late() and (self._training or self._waits()):
            if self._training:
                self._advance(self._epochs_to_decision())
                self._settle()
            self._fill()
        self._coordinator.write()
        self._show()
        if self._training:
            return False
        tally, extent = self._log.tally, self._settings.extent
        reached = extent.reached(tally)
        if self._exhausted and not reached:
            self._callback.on_remark(f"{self._exhausted}: the search ends with {extent.so_far(tally)}")
        return self._exhausted is not None or reached

    def _waits(self) -> bool:
        """Whether there may be something to train later."""
        return not self._exhausted and self._coordinator.wait(self._settings.extent)

    def _late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _fill(self) -> None:
        """Puts new trials into free slots, as many as are still wanted."""
        refused = True
        while refused:  # what was refused leaves its slot to another
            free = [slot for slot in range(self._slots.slots) if slot not in self._training]
            with self._timer.phase("storage"):
                most = self._coordinator.owed if self._exhausted else len(free)
                plans = self._coordinator.claim(min(most, len(free)), self._settings.extent)
            self._hear()
            refused = False
            for place, (slot, plan) in enumerate(zip(free, plans, strict=False)):
                try:
                    refused |= not self._start(slot, plan)
                except Exhausted as exhausted:  # what is training goes on to its end
                    self._exhausted = exhausted
                    self._coordinator.give_back(plans[place:])
                    self._log.note(exhausted=True)
                    break

    def _hear(self) -> None:
        """Tells the arms what other workers have begun and ended."""
        with self._timer.phase("sampler"):
            for trial in self._coordinator.changed_trials():
                for arm in self._arms.values():
                    if arm.searches(trial):
                        arm.see(trial)

    def _start(self, slot: int, plan: TrialPlan) -> bool:
        """Begins a trial; False where it cannot be begun, which is noted with it."""
        space, again = self._settings.space, plan.again
        try:
            with self._timer.phase("sampler"):
                arm, sampled, stated = self._chooser.chosen(plan)
        except Refused as refused:
            self._log.refuse(plan, str(refused))
            self._callback.on_remark(f"trial {plan.number} is refused: {refused}")
            return False
        if stated is None:
            schedule, budget = space.schedule(sampled.params, self._settings.budget, arm.name)
        else:
            schedule, budget = relatives.from_dict(stated), self._settings.budget
        is_start = self._chooser.is_start(plan)
        seed = trial_seed(self._begun.seed, plan.first) if again is None else again.user_attrs[SEED]
        arm_name, stated = arm_of(schedule, budget), schedule.to_dict()
        attributes = TrialAttributes(
            schedule=stated, arm=arm_name, seed=seed, start=is_start or None
        ).to_attrs()
        sampled.set_user_attr(BEGUN, stated)  # for the pruner
        params = dict(sampled.params)
        trial = self._log.begin(plan, params, arm.distributions, attributes, arm.notes(sampled))
        self._slots.fill(slot, schedule, budget, seed, space.hparam_values(params))
        training = self._training[slot] = Training(
            trial, arm, sampled, schedule, budget, plan.first, is_start
        )
        if plan.repeats is not None:
            self._restore(slot, training)
        return True

    def _restore(self, slot: int, training: Training) -> None:
        """Goes on from the last trough at which the trial was kept, by whatever worker."""
        if self._checkpoints is not None and isinstance(self._slots, Restorable):
            checkpoint = self._checkpoints.load(training.first, training.seed)
            if checkpoint is not None:
                self._slots.restore(slot, checkpoint.state, checkpoint.epoch)
                training.curves = Curves({name: list(curve) for name, curve in checkpoint.curves.items()})

    def _epochs_to_decision(self) -> int:
        """Epochs until a trial ends or is judged; at most `LONGEST_CALL`."""
        soonest = LONGEST_CALL
        for training in self._training.values():
            until = min(training.next_rung, training.budget)
            if self._checkpoints is not None and self._checkpoints.due(training.checkpointed):
                until = min(until, training.next_trough)
            soonest = min(soonest, until - training.epochs)
        return soonest

    def _advance(self, epochs: int) -> None:
        """Trains all slots for that many epochs, in calls that are short enough to be interrupted."""
        while epochs:
            call = self._pace.epochs(min(epochs, self._slots.longest_call))
            with self._timer.phase("train"), self._pace.timing(call):
                pending = self._slots.advance(call)
                with self._timer.phase("storage"):
                    self._coordinator.write(until=partial(self._may_leave_storage, pending))
                values = pending.read()
                failed, ended, said = pending.failed(), pending.ended(), pending.said()
            self._in_float32 = {name for name, rows in values.items() if rows.dtype == np.float32}
            epochs -= call
            for slot, training in self._training.items():
                training.ended = ended.get(slot)
                self.epochs -= training.epochs
                training.curves.extend(values, slot, training.ended)
                self.epochs += training.epochs
                training.said.update(said.get(slot, {}))
            for slot, error in failed.items():
                if slot in self._training:
                    self._fail(slot, error)
            self._keep()
            self._show()
            if ended:  # their slots are free
                break

    def _keep(self) -> None:
        """Keeps the state of what stands at a trough, where there is enough to be lost by now."""
        if self._checkpoints is None or not isinstance(self._slots, Restorable):
            return
        for slot, training in self._training.items():
            if self._checkpoints.due(training.checkpointed) and training.is_at_trough:
                state, curves = self._slots.state(slot), training.curves
                self._checkpoints.save(training.first, training.seed, training.epochs, state, curves)
                training.checkpointed = time.monotonic()

    def _may_leave_storage(self, pending: Pending) -> bool:
        """The devices do not wait for the storage, unless it has fallen behind by a round of trials."""
        return len(self._log.unwritten) <= self._slots.slots and pending.ready()

    def _settle(self) -> None:
        """Ends what has diverged, come to its end or its budget, or lags behind at a rung."""
        judged = []
        self._hear()
        for slot, training in list(self._training.items()):
            diverged_at = training.curves.diverged_at
            if diverged_at is not None:
                self._diverged(slot, diverged_at)
            elif training.ended is not None and training.ended.pruned:
                self._report(training)
                self._end(slot, TrialState.PRUNED, None, {})
            elif training.ended is not None or training.epochs >= training.budget:
                self._complete(slot)
            elif training.epochs in training.rungs:
                self._report(training)
                if not training.is_start:
                    judged.append(slot)
        # All report before any is judged, so that trials of one round are compared with each other.
        for slot in judged:
            with self._timer.phase("sampler"):
                prune = self._training[slot].sampled.should_prune()
            if prune:
                self._end(slot, TrialState.PRUNED, None, {})
        self._show()

    def _report(self, training: Training) -> None:
        """Tells the pruner every epoch; how many of them are written, the coordinator decides."""
        curve = training.curves.get(self._settings.workload.metric, [])
        values = {epoch: curve[epoch - 1] for epoch in range(training.reported + 1, training.epochs + 1)}
        self._coordinator.reported(training.trial, values)
        with self._timer.phase("sampler"):
            for epoch, value_then in values.items():
                training.sampled.report(value_then, epoch)
        training.reported = training.epochs

    def _complete(self, slot: int) -> None:
        workload, training = self._settings.workload, self._training[slot]
        select = training.curves[workload.select_metric] if workload.select_metric else None
        objective = self._settings.objective
        curve = training.curves[curve_of(objective, workload.metric)]
        worth = value(objective, curve, training.schedule, workload.direction, select, training.budget)
        self._end(slot, TrialState.COMPLETE, worth, {})

    def _diverged(self, slot: int, epoch: int) -> None:
        training = self._training[slot]
        training.curves = Curves({name: curve[: epoch - 1] for name, curve in training.curves.items()})
        self._end(slot, TrialState.PRUNED, None, {DIVERGED_AT: epoch})

    def _fail(self, slot: int, error: str | None) -> None:
        training = self._training.pop(slot)
        training.arm.tell(training.sampled, TrialState.FAIL, None)
        if error is None:
            error = self._coordinator.retry(training.trial, training.said.get(DEATH, ""))
        else:
            self._log.end(training.trial, TrialState.FAIL, None, {ERROR: error})
        if error is not None and self._log.failed > max(3, self._log.ended):
            why = error.splitlines()[0]
            raise TooManyFailures(f"{self._log.failed} trials failed; the last: {why}")

    def _end(self, slot: int, state: TrialState, worth: float | None, attributes: dict[str, int]) -> None:
        training = self._training.pop(slot)
        if training.epochs < training.budget and training.ended is None:
            self._slots.end(slot)
        self._log.end(training.trial, state, worth, {**training.ending(self._in_float32), **attributes})
        training.arm.tell(training.sampled, state, worth)
        if self._checkpoints is not None:
            self._checkpoints.forget(training.first)

    def _show(self) -> None:
        log, settings = self._log, self._settings
        epochs = log.tally.epochs + sum(training.epochs for training in self._training.values())
        progress = Progress(
            finished=log.finished,
            trials=settings.trials,
            spent=epochs / settings.budget,
            cost=settings.cost,
            running=len(self._training),
            failed=log.failed,
            best=log.best,
            epochs=self.epochs,
            stage=self._chooser.stage,
        )
        self._callback.on_progress(progress)
