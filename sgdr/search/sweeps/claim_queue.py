"""Which trial is to be begun next: decided by what is known of the trials, with no storage in sight."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from sgdr.search.backend.slots import MOST_ATTEMPTS
from sgdr.search.storage.schema import BEGUN, ENQUEUED, ERROR, LOST, RETRY_OF, WITHDRAWN, WORKER

MOST_RETRIES = 3
"""How often a trial is trained again whose worker died."""


@dataclass(frozen=True)
class TrialPlan:
    """A trial that is to be begun."""

    number: int
    place: int = 0
    """How many new trials of this run come before it, or before that which it repeats."""
    repeated: Sequence[FrozenTrial] = ()
    """The trials that it repeats, the first of them last; each may have been claimed and never begun."""
    taken: FrozenTrial | None = None
    """The trial as somebody had enqueued it; else None."""

    @property
    def again(self) -> FrozenTrial | None:
        """The last of those that it repeats which was begun."""
        return next((trial for trial in self.repeated if BEGUN in trial.user_attrs), None)

    @property
    def repeats(self) -> int | None:
        """The number of the trial that it repeats."""
        return self.repeated[0].number if self.repeated else None

    @property
    def first(self) -> int:
        """The number of the first of all that it repeats, or its own."""
        return self.repeated[-1].number if self.repeated else self.number

    @property
    def enqueued(self) -> FrozenTrial | None:
        """The trial, or the first of all that it repeats, as somebody had enqueued it; else None."""
        repeats_enqueued = self.repeated and ENQUEUED in self.repeated[-1].user_attrs
        return self.repeated[-1] if repeats_enqueued else self.taken


class ClaimQueue:
    """The trials that are to be repeated, those that are enqueued, and the places of new ones."""

    def __init__(
        self, trials: Mapping[int, FrozenTrial], first: int, cut_off: Collection[int] = frozenset()
    ) -> None:
        """Plans by `trials`, all that are known by number, which go on changing.

        Those from number `first` on are of this launch, in which the earlier ones of `cut_off` are repeated.
        """
        self._trials, self.first, self._cut_off = trials, first, cut_off
        self._failed: dict[int, FrozenTrial] = {}
        """The trials, by number, to be repeated unless they are already, or failed by themselves."""
        self._repetitions: defaultdict[int, set[int]] = defaultdict(set)
        """The numbers of those that repeat a trial, by its number."""
        self._new = [0]
        """How many new trials come before the n-th of this launch."""
        self._next, self._place = first, 0
        self.waiting: deque[FrozenTrial] = deque()
        """Trials that somebody has enqueued, for a worker that has the study alone."""

    def see(self, trial: FrozenTrial) -> None:
        """Takes a trial as it stands now; one may be withdrawn later."""
        attributes, number = trial.user_attrs, trial.number
        if (repeated := attributes.get(RETRY_OF)) is not None and trial.state != TrialState.WAITING:
            numbers = self._repetitions[repeated]
            (numbers.discard if WITHDRAWN in attributes else numbers.add)(number)
        is_new = number >= self.first and WORKER in attributes
        if trial.state == TrialState.FAIL and (is_new or number in self._cut_off or ENQUEUED in attributes):
            self._failed[number] = trial

    def take_up(self, trials: Iterable[FrozenTrial]) -> None:
        """Takes the trials of earlier launches, to repeat what was cut off and train what is enqueued.

        One that was claimed and never begun is repeated where it was to repeat one that was, or was enqueued.
        """
        wanted = set[int]()
        for trial in trials:
            self.see(trial)
            begun = not trial.user_attrs.keys().isdisjoint({BEGUN, ENQUEUED})
            if trial.state == TrialState.WAITING:
                self.waiting.append(trial)
            elif begun or trial.user_attrs.get(RETRY_OF) in wanted:
                wanted.add(trial.number)
                if trial.state == TrialState.FAIL:
                    self._failed[trial.number] = trial

    @property
    def again(self) -> list[FrozenTrial]:
        """The trials that were cut off, to be trained again before any new one."""
        return [trial for trial in self._failed.values() if self._lacks_repetition(trial)]

    def _lacks_repetition(self, trial: FrozenTrial) -> bool:
        """Whether the trial was cut off, and nobody repeats it.

        Not so of one that was itself a repetition too many, whose worker died before it could withdraw it.
        """
        if trial.state != TrialState.FAIL or not trial.user_attrs.keys().isdisjoint({ERROR, WITHDRAWN}):
            return False
        repeated = trial.user_attrs.get(RETRY_OF)
        is_first = repeated is None or min(self._repetitions[repeated]) == trial.number
        return is_first and not self._repetitions[trial.number]

    def attempts(self, trial: FrozenTrial) -> list[FrozenTrial]:
        """The trial and those that it repeats, the first last."""
        attempts = [trial]
        while (before := self._trials.get(attempts[-1].user_attrs.get(RETRY_OF, -1))) is not None:
            if before.number >= attempts[-1].number:  # which no worker writes
                break
            attempts.append(before)
        return attempts

    def last_error(self, trial: FrozenTrial, death: str = "") -> str | None:
        """Why a trial whose process died so is given up; None where it was not its last attempt."""
        attempts = [attempt.user_attrs for attempt in self.attempts(trial)]
        died = sum(BEGUN in attributes and LOST not in attributes for attributes in attempts)
        how = f", the last time {death}" if death else ""
        return f"its process died {died} times{how}" if died >= MOST_ATTEMPTS else None

    def loss_attributes(self, trial: FrozenTrial) -> dict[str, Any]:
        """What is noted with a trial whose worker died."""
        died = 1 + sum(LOST in attempt.user_attrs for attempt in self.attempts(trial))
        return {ERROR: f"its worker died {died} times"} if died > MOST_RETRIES else {LOST: True}

    def claim(self, count: int) -> list[TrialPlan]:
        """Claims at most `count` of those to be repeated, for a worker that has the study alone.

        To these it gives the next numbers, and so to new ones of `claim_new`.
        """
        plans = []
        for trial in self.again[:count]:
            plans.append(TrialPlan(self._next, self._place, self.attempts(trial)))
            self._repetitions[trial.number].add(self._next)
            self._next += 1
        return plans

    def claim_new(self, count: int) -> list[TrialPlan]:
        """Claims as many new trials for a worker that has the study alone."""
        self._next, self._place = self._next + count, self._place + count
        return [TrialPlan(self._next - left, self._place - left) for left in range(count, 0, -1)]

    def give_back(self, plans: Sequence[TrialPlan]) -> None:
        """Makes as if these, the last new ones that were claimed, had not been."""
        self._next, self._place = self._next - len(plans), self._place - len(plans)

    def plan(self, trial: FrozenTrial, waiting: FrozenTrial | None) -> TrialPlan:
        """The plan of a trial that the storage has granted to one of several workers.

        A trial that repeats one which was never begun has its place. `waiting` is an enqueued one as it was
        before it was taken.
        """
        attempts = self.attempts(trial)
        if ENQUEUED in attempts[-1].user_attrs:
            return TrialPlan(trial.number, 0, attempts[1:], waiting or trial)
        here = min(attempt.number for attempt in attempts if attempt.number >= self.first)
        return TrialPlan(trial.number, self._new_before(here), attempts[1:])

    def _new_before(self, number: int) -> int:
        """How many new trials were claimed in this launch before that one: the same, whoever counts."""
        first = self.first
        while len(self._new) <= number - first:
            attributes = self._trials[first + len(self._new) - 1].user_attrs
            before = attributes.get(RETRY_OF, -1)
            # What was not even begun before this launch is nothing to it.
            is_new = before < first and before not in self._cut_off
            # What somebody else has put among its trials has a place of its own.
            is_new &= WORKER in attributes and ENQUEUED not in attributes
            self._new.append(self._new[-1] + is_new)
        return self._new[number - first]
