"""The host loop over one set of slots: ask, fill, advance an epoch, report, prune, tell, refill.

What it decides depends on epochs alone and never on the clock, so that the same seed gives the same sweep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, Trial, TrialState

from sgdr.search.artifacts.checkpoints import Checkpoints
from sgdr.search.backend.curves import Curves, Pace
from sgdr.search.backend.slots import FINITE, LONGEST_CALL, Pending, Restorable, Slots
from sgdr.search.problem.arms import Places, arm_of
from sgdr.search.problem.objective import value
from sgdr.search.problem.seeds import trial_seed
from sgdr.search.problem.space import Space
from sgdr.search.problem.types import Schedule
from sgdr.search.strategy.enumeration import Exhausted
from sgdr.search.strategy.samplers import Arm
from sgdr.search.sweeps.enqueued import placed
from sgdr.search.sweeps.phase_timer import PhaseTimer
from sgdr.search.sweeps.trial_log import Record, TrialPlan


@dataclass(frozen=True)
class Plan:
    """What a worker needs to know of the sweep."""

    trials: int
    budget: int
    space: Space
    objective: str
    metric: str
    select_metric: str | None
    direction: str
    places: Places
    """The arms of the new trials."""
    seed: int
    deadline: float | None = None
    """The time at which to stop, in seconds of `time.monotonic`."""


@dataclass
class Training:
    """A trial in a slot."""

    trial: FrozenTrial
    """The trial as the record has it."""
    arm: Arm
    sampled: Trial
    """The same trial, of the arm."""
    schedule: Schedule
    budget: int
    first: int
    """The number of the trial, or of the first that it repeats."""
    curves: Curves = field(default_factory=Curves)
    reported: int = 0
    """Epochs of which the arm knows."""
    said: dict[str, Any] = field(default_factory=dict)
    """What the trial said of itself, which is kept with it."""
    kept: float = field(default_factory=time.monotonic)
    """The time at which the trial's state was last kept in a checkpoint, or the trial was begun."""
    began: float = field(default_factory=time.monotonic)

    @property
    def epochs(self) -> int:
        """Completed epochs."""
        return self.curves.epochs


@dataclass(frozen=True)
class Progress:
    """How far a sweep is."""

    finished: int
    trials: int
    running: int
    failed: int
    best: float | None
    epochs: int
    """Epochs trained by this worker, over all trials."""


class Refused(ValueError):
    """A trial cannot be begun."""


class TooManyFailures(RuntimeError):
    """The workload fails again and again."""


class Worker:
    """Trains trials until enough are finished."""

    def __init__(
        self,
        slots: Slots,
        record: Record,
        arms: Mapping[str, Arm],
        plan: Plan,
        timer: PhaseTimer,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        checkpoints: Checkpoints | None = None,
        on_remark: Callable[[str], None] = lambda remark: None,
    ) -> None:
        self._on_remark = on_remark
        self._slots, self._record, self._arms, self._plan = slots, record, arms, plan
        self._stopwatch, self._on_progress, self._checkpoints = timer, on_progress, checkpoints
        self._training: dict[int, Training] = {}
        self._pace = Pace()
        self._single: set[str] = set()
        """The values that the slots give in float32."""
        self._exhausted: Exhausted | None = None
        """Said by a sampler that has nothing more to try."""
        self.epochs = 0

    def run(self) -> bool:
        """Trains until the study has the planned number of finished trials, all written to the storage.

        Or until the sampler has nothing more to try. Returns whether it got there before the deadline. Raises
        `TooManyFailures` when the workload's own code fails more often than it works.
        """
        self._fill()
        while not self._late() and (self._training or self._waits()):
            if self._training:
                self._advance(self._epochs_to_decision())
                self._settle()
            self._fill()
        self._record.write()
        self._show()
        if self._training:
            return False
        ended, trials = self._record.ended, self._plan.trials
        if self._exhausted and ended < trials:
            self._on_remark(f"{self._exhausted}: the search ends with {ended} of {trials} trials")
        return self._exhausted is not None or ended >= trials

    def _waits(self) -> bool:
        """Whether there may be something to train later."""
        return not self._exhausted and self._record.wait(self._plan.trials)

    def _late(self) -> bool:
        return self._plan.deadline is not None and time.monotonic() >= self._plan.deadline

    def _fill(self) -> None:
        """Puts new trials into free slots, as many as are still wanted."""
        refused = True
        while refused:  # what was refused leaves its slot to another
            free = [slot for slot in range(self._slots.slots) if slot not in self._training]
            with self._stopwatch.phase("storage"):
                most = self._record.owed if self._exhausted else len(free)
                claims = self._record.claim(min(most, len(free)), self._plan.trials)
            self._hear()
            refused = False
            for place, (slot, claim) in enumerate(zip(free, claims, strict=False)):
                try:
                    refused |= not self._start(slot, claim)
                except Exhausted as exhausted:
                    self._exhausted = exhausted
                    self._give_back(claims[place:])
                    break

    def _give_back(self, claims: Sequence[TrialPlan]) -> None:
        """Gives back what the sampler has nothing to try for; what is training goes on to its end."""
        self._record.give_back(claims)
        self._record.note(exhausted=True)

    def _hear(self) -> None:
        """Tells the arms what other workers have begun and ended."""
        with self._stopwatch.phase("sampler"):
            for trial in self._record.changed_trials():
                for arm in self._arms.values():
                    if arm.searches(trial.params):
                        arm.see(trial)

    def _start(self, slot: int, claim: TrialPlan) -> bool:
        """Begins a trial; False where it cannot be begun, which is noted with it."""
        plan, again = self._plan, claim.again
        try:
            with self._stopwatch.phase("sampler"):
                arm, sampled = self._asked(claim)
        except Refused as refused:
            self._record.refuse(claim, str(refused))
            self._on_remark(f"trial {claim.number} is refused: {refused}")
            return False
        schedule, budget = plan.space.schedule(sampled.params, plan.budget, arm.name)
        seed = trial_seed(plan.seed, claim.first) if again is None else again.user_attrs["seed"]
        attributes = {"schedule": schedule.to_dict(), "arm": arm_of(schedule, budget), "seed": seed}
        sampled.set_user_attr("schedule", attributes["schedule"])  # for the pruner
        params = dict(sampled.params)
        trial = self._record.begin(claim, params, arm.distributions, attributes, arm.notes(sampled))
        self._slots.fill(slot, schedule, budget, seed, plan.space.hparam_values(params))
        training = self._training[slot] = Training(trial, arm, sampled, schedule, budget, claim.first)
        if claim.repeats is not None:
            self._restore(slot, training)
        return True

    def _asked(self, claim: TrialPlan) -> tuple[Arm, Trial]:
        """The arm of a claimed trial, and its parameters. Raises `Refused` for such as are of no arm."""
        if claim.again is not None:
            params = claim.again.params
            arm = next((arm for arm in self._arms.values() if arm.searches(params)), None)
            if arm is None:
                raise Refused(f"it is to repeat trial {claim.repeats}, whose parameters are those of no arm")
            return arm, arm.ask(params)
        if claim.enqueued is not None:
            try:
                name, given = placed(
                    claim.enqueued, {name: arm.distributions for name, arm in self._arms.items()}
                )
                return self._arms[name], self._arms[name].ask(given)
            except ValueError as error:  # a sampler may refuse to choose what is not given, too
                raise Refused(f"it was enqueued, and {error}") from error
        name, draw = self._plan.places[claim.place]
        return self._arms[name], self._arms[name].ask(draw=draw)

    def _restore(self, slot: int, training: Training) -> None:
        """Goes on from the last trough at which the trial was kept, by whatever worker."""
        if self._checkpoints is not None and isinstance(self._slots, Restorable):
            kept = self._checkpoints.load(training.first, training.trial.user_attrs["seed"])
            if kept is not None:
                self._slots.restore(slot, kept.state, kept.epoch)
                training.curves = Curves({name: list(curve) for name, curve in kept.curves.items()})

    def _epochs_to_decision(self) -> int:
        """Epochs until a trial ends or is judged; at most `LONGEST_CALL`."""
        soonest = LONGEST_CALL
        for training in self._training.values():
            at = training.epochs
            next_rung = min((rung for rung in training.arm.rungs if rung > at), default=training.budget)
            soonest = min(soonest, next_rung - at, training.budget - at)
            if self._checkpoints is not None and self._checkpoints.due(training.kept):
                soonest = min(soonest, _next_trough(training) - at)
        return soonest

    def _advance(self, epochs: int) -> None:
        """Trains all slots for that many epochs, in calls that are short enough to be interrupted."""
        while epochs:
            call = self._pace.epochs(epochs)
            with self._stopwatch.phase("train"), self._pace.timing(call):
                pending = self._slots.advance(call)
                with self._stopwatch.phase("storage"):
                    self._record.write(until=partial(self._may_leave_storage, pending))
                values = pending.read()
                failed, said = pending.failed(), pending.said()
            self._single = {name for name, rows in values.items() if rows.dtype == np.float32}
            epochs -= call
            for slot, training in self._training.items():
                training.curves.extend(values, slot)
                training.said.update(said.get(slot, {}))
            self.epochs += call * len(self._training)
            for slot, error in failed.items():
                if slot in self._training:
                    self._fail(slot, error)
            self._keep()
            self._show()

    def _keep(self) -> None:
        """Keeps the state of what stands at a trough, where there is enough to be lost by now."""
        if self._checkpoints is None or not isinstance(self._slots, Restorable):
            return
        for slot, training in self._training.items():
            if self._checkpoints.due(training.kept) and _at_trough(training):
                seed, state = training.trial.user_attrs["seed"], self._slots.state(slot)
                self._checkpoints.save(training.first, seed, training.epochs, state, training.curves)
                training.kept = time.monotonic()

    def _may_leave_storage(self, pending: Pending) -> bool:
        """The devices do not wait for the storage, unless it has fallen behind by a round of trials."""
        return self._record.backlog <= self._slots.slots and pending.ready()

    def _settle(self) -> None:
        """Ends what has diverged, come to its budget, or lags behind at a rung."""
        judged = []
        self._hear()
        for slot, training in list(self._training.items()):
            diverged_at = training.curves.diverged_at
            if diverged_at is not None:
                self._diverged(slot, diverged_at)
            elif training.epochs >= training.budget:
                self._complete(slot)
            elif training.epochs in training.arm.rungs:
                self._report(training)
                judged.append(slot)
        # All report before any is judged, so that trials of one round are compared with each other.
        for slot in judged:
            with self._stopwatch.phase("sampler"):
                prune = self._training[slot].sampled.should_prune()
            if prune:
                self._end(slot, TrialState.PRUNED, None, {})
        self._show()

    def _report(self, training: Training) -> None:
        """Tells the pruner every epoch; how many of them are written, the record decides."""
        curve = training.curves[self._plan.metric]
        values = {epoch: curve[epoch - 1] for epoch in range(training.reported + 1, training.epochs + 1)}
        self._record.reported(training.trial, values)
        with self._stopwatch.phase("sampler"):
            for epoch, value_then in values.items():
                training.sampled.report(value_then, epoch)
        training.reported = training.epochs

    def _complete(self, slot: int) -> None:
        plan, training = self._plan, self._training[slot]
        select = training.curves[plan.select_metric] if plan.select_metric else None
        curve = training.curves[plan.metric]
        worth = value(plan.objective, curve, training.schedule, plan.direction, select)
        self._end(slot, TrialState.COMPLETE, worth, {})

    def _diverged(self, slot: int, epoch: int) -> None:
        training = self._training[slot]
        training.curves = Curves({name: curve[: epoch - 1] for name, curve in training.curves.items()})
        self._end(slot, TrialState.PRUNED, None, {"diverged_at": epoch})

    def _fail(self, slot: int, error: str | None) -> None:
        training = self._training.pop(slot)
        training.arm.tell(training.sampled, TrialState.FAIL, None)
        if error is None:
            error = self._record.retry(training.trial)
        else:
            self._record.end(training.trial, TrialState.FAIL, None, {"error": error})
        if error is not None and self._record.failed > max(3, self._record.ended):
            why = error.splitlines()[0]
            raise TooManyFailures(f"{self._record.failed} trials failed, the last with {why}")

    def _end(self, slot: int, state: TrialState, worth: float | None, attributes: dict[str, int]) -> None:
        training = self._training.pop(slot)
        if training.epochs < training.budget:
            self._slots.end(slot)
        curves = {
            name: _short(curve) if name in self._single else curve
            for name, curve in training.curves.items()
            if name != FINITE
        }
        seconds = round(time.monotonic() - training.began, 3)
        ending = {
            "curve": curves,
            "epochs": training.epochs,
            "seconds": seconds,
            **training.said,
            **attributes,
        }
        self._record.end(training.trial, state, worth, ending)
        training.arm.tell(training.sampled, state, worth)
        if self._checkpoints is not None:
            self._checkpoints.forget(training.first)

    def _show(self) -> None:
        self._on_progress(
            Progress(
                finished=self._record.finished,
                trials=self._plan.trials,
                running=len(self._training),
                failed=self._record.failed,
                best=self._record.best,
                epochs=self.epochs,
            )
        )


def _at_trough(training: Training) -> bool:
    """Whether a cycle has just ended, and another begins."""
    at = training.epochs
    return at < training.budget and at in training.schedule.troughs(budget=at)


def _next_trough(training: Training) -> int:
    """The end of the present cycle, or of the budget where that is sooner."""
    troughs = training.schedule.troughs(budget=training.budget)
    return int(min((trough for trough in troughs if trough > training.epochs), default=training.budget))


def _short(curve: list[float]) -> list[float]:
    """The same float32 values in as few digits as tell them apart: half the size in the storage."""
    return [float(str(np.float32(x))) for x in curve]
