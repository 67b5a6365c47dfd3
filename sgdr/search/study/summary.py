"""What follows from a study as it was read: counts, order, verdict, each worked out once, when asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from optuna.trial import TrialState

from sgdr.choices import Outcome, State
from sgdr.search.problem.arms import ALL_ARMS
from sgdr.search.problem.objective import sign
from sgdr.search.storage.own_trials import FINISHED
from sgdr.search.storage.schema import ARM, DIVERGED_AT, ERROR, epochs_trained
from sgdr.search.strategy.named import STAGED
from sgdr.search.study.answer import Answer, answered
from sgdr.search.study.verdict import Confirmed, Verdict

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from sgdr.search.storage.reader import Content

_OUTCOMES: Mapping[str, Outcome] = {
    State.COMPLETE: Outcome.COMPLETE,
    State.PRUNED: Outcome.PRUNED,
    State.FAIL: Outcome.CUT_OFF,
    State.RUNNING: Outcome.RUNNING,
    State.WAITING: Outcome.WAITING,
}


Basis: TypeAlias = tuple[tuple[int, ...], Mapping[str, Any], Any]


class Known(NamedTuple):
    """An answer, and what it follows from: it takes longer than all else, and a study often changes in what
    does not concern it."""

    basis: Basis
    answer: Answer | None


class Summary:
    """What follows from one content, which does not change; see `Study` for what each property means."""

    def __init__(self, content: Content, before: Known | None = None) -> None:
        """`before`: the answer that was known of the content before."""
        self.content, self._before = content, before

    @cached_property
    def places(self) -> dict[int, int]:
        """The place of each trial among all, by its number: where some were deleted by hand, these differ."""
        return {trial.number: place for place, trial in enumerate(self.content.trials)}

    @cached_property
    def own(self) -> list[FrozenTrial]:
        """The trials of the sweep, by number."""
        return self.content.own

    @cached_property
    def counts(self) -> dict[str, int]:
        """Trials of the sweep by state."""
        counts = Counter(trial.state for trial in self.own)
        return {state.name: count for state, count in counts.items()}

    @cached_property
    def outcomes(self) -> dict[str, int]:
        """Trials by outcome."""
        counts = Counter(
            outcome(trial.state.name, diverged=DIVERGED_AT in trial.user_attrs, failed=_failed(trial))
            for trial in self.own
        )
        counts[Outcome.FOREIGN] = len(self.content.foreign)
        return {name.value: counts[name] for name in Outcome if counts[name]}

    @cached_property
    def arms(self) -> dict[str, int]:
        """Finished trials by arm."""
        arms = [trial.user_attrs.get(ARM) for trial in self.own if trial.state in FINISHED]
        return {arm: arms.count(arm) for arm in ALL_ARMS if arm in arms}

    @cached_property
    def epochs(self) -> int:
        """Epochs trained by the finished trials."""
        return sum(epochs_trained(trial.user_attrs) for trial in self.own if trial.state in FINISHED)

    @property
    def spent(self) -> float:
        """Those epochs in full trainings."""
        return self.epochs / self.content.stored.budget

    @cached_property
    def answer(self) -> Answer | None:
        """The answer with the study's margin; None where no trial is complete."""
        if self._before is not None and self._before.basis == self._basis:
            return self._before.answer
        return answered(self.content, self.spent)

    @property
    def known(self) -> Known | None:
        """The answer where it has been worked out, else that before."""
        return Known(self._basis, self.answer) if "answer" in vars(self) else self._before

    @cached_property
    def _basis(self) -> Basis:
        """All that the answer follows from: finished trials stay as they are."""
        stored = self.content.stored
        numbers = tuple(trial.number for trial in self.own if trial.state in FINISHED)
        return numbers, stored.confirmation, stored.margin

    @cached_property
    def last_error(self) -> str | None:
        """The first line of the error of the last trial that failed by itself."""
        errors = (trial.user_attrs[ERROR] for trial in reversed(self.own) if _failed(trial))
        error = next(errors, None)
        return None if error is None else next(iter(str(error).splitlines()), "")

    @cached_property
    def diverged_at(self) -> list[int]:
        """The epochs at which trials diverged."""
        pruned = (trial for trial in self.own if trial.state is TrialState.PRUNED)
        epochs = (trial.user_attrs.get(DIVERGED_AT) for trial in pruned)
        return [epoch for epoch in epochs if epoch is not None]

    @cached_property
    def started(self) -> datetime | None:
        """The time at which the first trial began."""
        return min((trial.datetime_start for trial in self.own if trial.datetime_start), default=None)

    @cached_property
    def ranking(self) -> list[FrozenTrial]:
        """The sweep's completed trials by their values, the best first; of equals the earlier."""
        direction = sign(self.content.stored.direction)
        complete = [trial for trial in self.own if trial.state is TrialState.COMPLETE]
        return sorted(complete, key=lambda trial: (direction * (trial.value or 0.0), trial.number))

    @cached_property
    def preferred(self) -> list[FrozenTrial]:
        """The ranking, but first the confirmed in the order of their means, and last what failed there.

        Before all stands the one that the answer recommends, where the search is staged: it trains what leads
        again on new seeds, so that the best single value of many is mostly luck, and the answer knows the
        confirmation too.
        """
        candidates = () if self.verdict is None else self.verdict.candidates
        answer = self.answer if self.content.stored.sampler == STAGED else None
        order = {confirmed.number: place for place, confirmed in enumerate(candidates)}
        failed = {confirmed.number for confirmed in candidates if confirmed.failed is not None}

        def place(trial: FrozenTrial) -> tuple[bool, bool, int]:
            is_other = answer is None or trial.number != answer.number
            return is_other, trial.number in failed, order.get(trial.number, len(order))

        return sorted(self.ranking, key=place)

    @cached_property
    def verdict(self) -> Verdict | None:
        """What `confirm` found; None also where the attribute is not what it writes."""
        stored = self.content.stored.verdict
        return None if stored is None else Verdict.read(stored)

    @cached_property
    def confirmed(self) -> dict[int, Confirmed]:
        """What trials gave on other seeds, by number."""
        return {trial.number: trial for trial in self.verdict.candidates} if self.verdict else {}


def outcome(state: str, *, diverged: bool, failed: bool) -> Outcome:
    """The outcome of a trial in that state of Optuna's (see `Study.outcomes`); `failed`: by its own error."""
    if state == State.PRUNED and diverged:
        return Outcome.DIVERGED
    return Outcome.FAILED if state == State.FAIL and failed else _OUTCOMES[state]


def _failed(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.FAIL and ERROR in trial.user_attrs
