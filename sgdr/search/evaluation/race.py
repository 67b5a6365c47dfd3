"""The rounds of a confirmation: who is trained on which seeds next, and what that says so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sgdr.choices import Decision, Objective
from sgdr.search.backend.slots import Slots
from sgdr.search.evaluation import sequential_test
from sgdr.search.evaluation.finalists import Candidate
from sgdr.search.evaluation.fixed_runs import Job, Trained, retrain, worth
from sgdr.search.evaluation.snapshot_recorder import SnapshotRecorder
from sgdr.search.problem.callback import Callback
from sgdr.search.problem.objective import measure, members, sign
from sgdr.search.strategy.named import STAGED
from sgdr.search.study.study import Study
from sgdr.search.study.verdict import Confirmed, Verdict, in_words
from sgdr.shapes import RESTARTS
from sgdr.warmup import unwarmed


@dataclass(frozen=True)
class ConfirmProgress:
    """How far a confirmation is."""

    seeds: int
    """The number of seeds that those still in the race have after this round."""
    most: int
    candidates: int
    """Candidates still in the race."""
    epochs: int
    """Epochs trained in this round, over all candidates."""
    planned: int
    """Epochs to be trained in this round."""


class Rounds:
    """The candidates of one study, trained round by round."""

    def __init__(
        self,
        study: Study,
        candidates: Sequence[Candidate],
        seeds: Sequence[int],
        slots: Slots,
        recorder: SnapshotRecorder | None,
        callback: Callback,
    ) -> None:
        self._study, self._candidates, self._seeds, self._slots = study, candidates, seeds, slots
        self._recorder, self._callback = recorder, callback
        self._sign = sign(study.stored.direction)
        self._done = 0

    def race(self, keep: Callable[[dict[str, Any]], None]) -> Verdict:
        """Trains until it is decided, or nobody could be overtaken any more; has every round kept."""
        verdict = None
        for done in sequential_test.looks(len(self._seeds)):
            self.train(done)
            keep(self.results())
            verdict = self.verdict()
            if verdict.decision != Decision.UNDECIDED or not self.open:
                break
        assert verdict is not None, "there is always a first look"
        return verdict

    def results(self) -> dict[str, Any]:
        """What every candidate gave, those of earlier confirmations too, by the number of its trial."""
        before = self._study.stored.confirmation
        own = {str(candidate.best.number): candidate.results() for candidate in self._candidates}
        return {**before, **own}

    def train(self, done: int) -> None:
        """Trains whoever is still in the race on what it lacks of the first `done` seeds."""
        racing_now = self._racing()
        jobs = [
            self._job(candidate, seed)
            for candidate in racing_now
            for seed in self._seeds[:done]
            if seed not in candidate.values
        ]
        # The first seed of all comes first: it is the one whose models are kept.
        jobs.sort(key=lambda job: self._seeds.index(job.seed))
        planned, trained = sum(job.budget for job in jobs), 0

        def on_epochs(epochs: int) -> None:
            nonlocal trained
            trained += epochs
            self._callback.on_progress(
                ConfirmProgress(done, len(self._seeds), len(racing_now), trained, planned)
            )

        watch = self._recorder.watch if self._recorder else lambda slot, trained: None
        for run in retrain(self._slots, jobs, on_epochs, watch):
            self._take(run)
        self._done = done

    def _job(self, candidate: Candidate, seed: int) -> Job:
        best = candidate.best
        watched = self._recorder is not None and seed == self._seeds[0]
        objective = candidate.objective(self._study.stored.objective)
        return Job(best.number, best.schedule, best.budget, seed, best.hparams, objective, watched)

    def _take(self, trained: Trained) -> None:
        candidate = next(entry for entry in self._candidates if entry.best.number == trained.job.number)
        if trained.error is not None:
            candidate.failed, candidate.by_error = trained.error.splitlines()[0], True
        elif trained.diverged_at is not None:
            candidate.failed = f"diverged at epoch {trained.diverged_at} on seed {trained.job.seed}"
        else:
            stored, seed = self._study.stored, trained.job.seed
            read = worth(trained, stored.metric, stored.chosen_by, stored.direction)
            candidate.values[seed], candidate.epochs[seed] = read
            if trained.job.watched and self._recorder:
                candidate.ensemble = self._recorder.ensemble(trained.job, trained.curves)

    def _group(self, restarts: bool) -> dict[int, sequential_test.Values]:
        """The losses by seed of the candidates with restarts, or of the controls, that did not fail.

        Values of later seeds, which an earlier confirmation left, wait for their round.
        """
        seeds = self._seeds[: self._done]
        return {
            candidate.best.number: {
                s: self._sign * candidate.values[s] for s in seeds if s in candidate.values
            }
            for candidate in self._candidates
            if (candidate.arm == RESTARTS.name) is restarts and candidate.failed is None and self._done
        }

    def _racing(self) -> list[Candidate]:
        """The candidates that are to go on: starts to the end, for what is gained over them."""
        left = self._left()
        return [
            candidate
            for candidate in self._candidates
            if candidate in left or (candidate.best.start and candidate.failed is None)
        ]

    def _left(self) -> list[Candidate]:
        """The candidates that are not clearly behind."""
        left = {
            number
            for side in (True, False)
            if (group := self._group(side))
            for number in sequential_test.remaining(group)
        }
        return [
            candidate
            for candidate in self._candidates
            if candidate.failed is None and (candidate.best.number in left or not self._done)
        ]

    @property
    def open(self) -> bool:
        """Whether further seeds could change anything."""
        return len(self._left()) > 1

    def verdict(self) -> Verdict:
        """What is known after the rounds so far."""
        restarts, controls = self._group(True), self._group(False)
        stored = self._study.stored
        decision, ours, theirs, difference, more = Decision.UNDECIDED, None, None, None, None
        if restarts and controls:
            decision, ours, theirs, loss_difference = sequential_test.compare(
                restarts, controls, self._done, len(self._seeds)
            )
            difference = self._as_measured(loss_difference)
            if decision == Decision.UNDECIDED:
                more = sequential_test.more_seeds(loss_difference, max(len(restarts), len(controls)))
            arm = next(candidate.arm for candidate in self._candidates if candidate.best.number == theirs)
            remark = self._remark(ours) if decision == Decision.HELP else ""
            measured = measure(stored.objective, stored.metric)
            words = in_words(decision, measured, difference, arm, more, remark)
        else:
            ours = sequential_test.leader(restarts) if restarts else None
            theirs = sequential_test.leader(controls) if controls else None
            words = self._one_sided(bool(restarts))
        return Verdict(
            decision=decision.value,
            words=words,
            candidates=self._ranked(),
            restarts=ours,
            control=theirs,
            difference=difference,
            more_seeds=more,
            metric=stored.metric,
            direction=stored.direction,
            seeds=len(self._seeds),
            trials=self._study.finished,
        )

    def _remark(self, number: int) -> str:
        """What to know of the better schedule: that its ensemble costs more at prediction, or that it is read
        before it restarts at all."""
        leading = next(candidate.best for candidate in self._candidates if candidate.best.number == number)
        models = len(members(leading.schedule, leading.budget))
        if self._study.stored.objective == Objective.ENSEMBLE and models > 1:
            return f"; its ensemble of the last {models} troughs takes {models} forward passes at prediction"
        return self._without_restart(number)

    def _without_restart(self, number: int) -> str:
        """A remark where the better schedule is read before it restarts at all."""
        leading = next(confirmed for confirmed in self._ranked() if confirmed.number == number)
        restarts, warmup = unwarmed(leading.schedule)
        first = warmup + restarts.T_0
        if leading.epoch is None or leading.epoch > first:
            return ""
        return (
            f"; yet its best epoch, {leading.epoch:g}, comes before its first restart, after {first}: "
            "a shorter cosine cycle would do as well"
        )

    def _one_sided(self, restarts: bool) -> str:
        which, other = ("control", "restarts") if restarts else ("schedule with restarts", "controls")
        failed = [
            candidate
            for candidate in self._candidates
            if candidate.failed and (candidate.arm == RESTARTS.name) is not restarts
        ]
        if failed:
            why = f"trial {failed[0].best.number} {failed[0].failed}"
            return f"undecided: no {which} could be trained again; {why}"
        if not any((arm == RESTARTS.name) is not restarts for arm in self._study.stored.arms):
            return (
                f"undecided: no {which} is among the shapes of the study, so {other} have nothing to be "
                "compared with; search another one with more --shapes"
            )
        more = "give the study more trials, or a higher cost, by --resume"
        if self._study.stored.sampler != STAGED:
            more += ", or another one a share of --controls"
        lone = f"no {which} was completed in the search, so {other} have nothing to be compared with"
        return f"undecided: {lone}; {more}"

    def _as_measured(self, difference: sequential_test.Difference) -> dict[str, float]:
        """The difference in units of the metric, restarts minus control."""
        # Plus nothing, so that 0 is not -0.
        ends = sorted(self._sign * end + 0.0 for end in (difference.low, difference.high))
        return {
            "mean": self._sign * difference.mean + 0.0,
            "low": ends[0],
            "high": ends[1],
            "seeds": difference.seeds,
        }

    def _ranked(self) -> tuple[Confirmed, ...]:
        confirmed = [_confirmed(candidate, self._seeds[: self._done]) for candidate in self._candidates]
        return tuple(
            sorted(
                confirmed,
                key=lambda finalist: (
                    finalist.mean is None or finalist.failed is not None,
                    -len(finalist.values),
                    self._sign * (finalist.mean or 0.0),
                ),
            )
        )


def _confirmed(candidate: Candidate, seeds: Sequence[int]) -> Confirmed:
    best = candidate.best
    values = {seed: candidate.values[seed] for seed in seeds if seed in candidate.values}
    mean, low, high = sequential_test.interval(list(values.values())) if values else (None, None, None)
    epochs = [candidate.epochs[seed] for seed in values if seed in candidate.epochs]
    return Confirmed(
        number=best.number,
        arm=candidate.arm,
        schedule=best.schedule,
        hparams=dict(best.hparams),
        searched=best.value,
        values=values,
        mean=mean,
        low=low,
        high=high,
        epoch=median(epochs) if epochs else None,
        failed=candidate.failed,
        ensemble=candidate.ensemble,
    )
