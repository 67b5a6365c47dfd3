"""Trials in memory, of which samplers and pruners are shown those that still matter.

Whatever looks at all trials takes longer with each: after 20,000, TPE and the pruner take half a second for
one more (`experiments/bench/sampling.py`).
"""

from __future__ import annotations

import copy
import heapq
from collections import deque
from collections.abc import Container, Sequence
from operator import attrgetter

from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

RECENT = 1000
BEST = 25
"""The most that TPE takes for good, by its `gamma`."""


class RecentTrials(InMemoryStorage):
    """Optuna's storage in memory, for one study, that forgets trials; each keeps its number.

    Shown are the trials that have not finished, the last `recent` to finish, and of those before the `best`
    that were completed, of which only the parameters and the value are left, so that no trial is compared
    with their reports. What is shown depends on the order in which trials finish, never on the clock.

    That is what matters to TPE. The trials that it takes for good, at most `BEST`, are the same as if nothing
    were forgotten; of the others each weighs less than the next one, the first of them nothing. A pruner
    compares with the trials of late instead of all, which is stricter where the sampler has become better.
    """

    def __init__(self, direction: StudyDirection, recent: int | None = RECENT, best: int = BEST) -> None:
        """`recent` None: nothing is forgotten, but what `forget` is called for."""
        super().__init__()
        self._sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
        self._most_recent, self._most_best = recent, best
        self._open: dict[int, None] = {}
        """The trials that have not finished, by id."""
        self._recent: deque[FrozenTrial] = deque()
        self._best: list[tuple[float, int, FrozenTrial, FrozenTrial]] = []
        """A heap, the worst first, of equals the latest; each as it was, and as it is shown."""

    def forget(self, trial_id: int) -> None:
        """Forgets a trial that has not finished."""
        del self._open[trial_id]
        _empty(self.get_trial(trial_id))

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """See Optuna's `BaseStorage`."""
        trial_id = super().create_new_trial(study_id, template_trial)
        self._open[trial_id] = None
        self._changed(trial_id)
        return trial_id

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """See Optuna's `BaseStorage`."""
        done = super().set_trial_state_values(trial_id, state, values)
        self._changed(trial_id)
        return done

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """What is shown, by number."""
        if states == (TrialState.WAITING,):  # Optuna remembers where to look for these
            return super().get_all_trials(study_id, deepcopy, states)
        trials = [shown for *_, shown in self._best]
        trials += self._recent
        trials += map(self.get_trial, self._open)
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        trials.sort(key=attrgetter("number"))
        return copy.deepcopy(trials) if deepcopy else trials

    def _changed(self, trial_id: int) -> None:
        """Notes a trial that has finished, in place of the one that did so longest ago."""
        trial = self.get_trial(trial_id)
        if not trial.state.is_finished():
            return
        del self._open[trial_id]
        self._recent.append(trial)
        if self._most_recent is not None and len(self._recent) > self._most_recent:
            self._leave(self._recent.popleft())

    def _leave(self, trial: FrozenTrial) -> None:
        """Forgets a trial, but for its parameters and its value where it is one of the best."""
        if trial.state != TrialState.COMPLETE:
            _empty(trial)
            return
        shown = copy.copy(trial)
        shown.intermediate_values, shown.user_attrs, shown.system_attrs = {}, {}, {}
        assert trial.value is not None
        heapq.heappush(self._best, (-self._sign * trial.value, -trial.number, trial, shown))
        if len(self._best) > self._most_best:
            _empty(heapq.heappop(self._best)[2])


def _empty(trial: FrozenTrial) -> None:
    """Lets go of what takes memory: Optuna's storage keeps every trial."""
    trial.intermediate_values, trial.user_attrs, trial.system_attrs = {}, {}, {}
    trial.params, trial.distributions = {}, {}
