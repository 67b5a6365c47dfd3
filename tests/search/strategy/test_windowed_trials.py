"""Which trials are still shown after many, and what is left of the others."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from sgdr.search.strategy.windowed_trials import RecentTrials

SPACE = {"x": FloatDistribution(0, 1000)}
COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def study(recent: int | None = 3, best: int = 2, direction: str = "minimize") -> optuna.Study:
    storage = RecentTrials(StudyDirection[direction.upper()], recent, best)
    return optuna.create_study(storage=storage, direction=direction)


def finished(value: float, state: TrialState = COMPLETE) -> FrozenTrial:
    return create_trial(
        state=state,
        value=None if state == FAIL else value,
        params={"x": abs(value)},
        distributions=SPACE,
        user_attrs={"schedule": {}},
        system_attrs={"completed_rung_0": value},
        intermediate_values={1: value},
    )


def numbers(trials: Sequence[FrozenTrial]) -> list[int]:
    return [trial.number for trial in trials]


def told(trial: FrozenTrial) -> tuple[Any, ...]:
    """All of a trial but its times."""
    return trial.number, trial.state, trial.value, trial.params, trial.intermediate_values, trial.user_attrs


def test_all_are_shown_until_there_are_more_than_it_keeps():
    windowed, every = study(recent=30), optuna.create_study()
    for number in range(30):
        state = (COMPLETE, PRUNED, FAIL)[number % 3]
        for one in (windowed, every):
            one.add_trial(finished(number, state))
    for states in (None, (COMPLETE, PRUNED), (FAIL,), (TrialState.RUNNING,)):
        shown, expected = (one.get_trials(states=states) for one in (windowed, every))
        assert [told(trial) for trial in shown] == [told(trial) for trial in expected]


def test_then_the_last_ones_and_the_best_of_those_before():
    windowed = study()
    for value in (5, 1, 7, 2, 9, 8, 6):
        windowed.add_trial(finished(value))
    shown = windowed.trials
    assert numbers(shown) == [1, 3, 4, 5, 6]
    assert [trial.value for trial in shown] == [1, 2, 9, 8, 6]
    assert [trial.params["x"] for trial in shown] == [1, 2, 9, 8, 6]


def test_nobody_is_compared_with_what_the_best_of_those_before_reported():
    windowed = study()
    for value in (1, 2, 7, 9, 8):
        windowed.add_trial(finished(value))
    for trial in windowed.trials:
        left = bool(trial.intermediate_values), bool(trial.user_attrs), bool(trial.system_attrs)
        assert set(left) == {trial.number >= 2}


def test_the_best_of_all_is_still_known_whole():
    windowed = study()
    for value in (5, 1, 7, 2, 9, 8, 6):
        windowed.add_trial(finished(value))
    assert windowed.best_trial.number == 1 and windowed.best_trial.intermediate_values == {1: 1}


def test_the_best_are_the_highest_where_the_value_is_maximised():
    windowed = study(direction="maximize")
    for value in (5, 1, 7, 2, 9, 8, 6):
        windowed.add_trial(finished(value))
    assert numbers(windowed.trials) == [0, 2, 4, 5, 6]


def test_of_equal_ones_the_earlier_are_the_better():
    windowed = study(best=2)
    for _ in range(8):
        windowed.add_trial(finished(1.0))
    assert numbers(windowed.trials) == [0, 1, 5, 6, 7]


def test_none_that_was_pruned_or_failed_is_among_the_best():
    windowed = study()
    for value, state in ((5, COMPLETE), (1, PRUNED), (0, FAIL), (3, PRUNED), (7, PRUNED), (2, PRUNED)):
        windowed.add_trial(finished(value, state))
    assert numbers(windowed.trials) == [0, 3, 4, 5]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_of_what_is_shown_are_the_best_of_all(direction):
    windowed, every = study(40, 25, direction), optuna.create_study(direction=direction)
    values = np.random.default_rng(0).integers(0, 60, size=300)
    for value in values.tolist():
        for one in (windowed, every):
            one.add_trial(finished(value, COMPLETE if value % 3 else PRUNED))
    sign = 1 if direction == "minimize" else -1

    def best(of: optuna.Study) -> list[int]:
        complete = of.get_trials(states=(COMPLETE,))
        return numbers(sorted(complete, key=lambda trial: sign * (trial.value or 0))[:25])

    assert best(windowed) == best(every)
    assert len(windowed.trials) == 65


def test_what_has_not_finished_is_shown_however_long_it_takes():
    windowed = study()
    windowed.enqueue_trial({"x": 3})
    running = windowed.ask(SPACE)
    for _ in range(20):
        windowed.add_trial(finished(1.0))
    windowed.enqueue_trial({"x": 4})
    assert windowed.trials[0].state == TrialState.RUNNING and windowed.trials[-1].state == TrialState.WAITING
    running.report(0.5, 1)
    running.set_user_attr("schedule", {"T_0": 1})
    assert windowed.trials[0].intermediate_values == {1: 0.5}
    windowed.tell(running, 7.0)
    assert (windowed.trials[-2].state, windowed.trials[-1].number) == (COMPLETE, 21)
    assert windowed.ask(SPACE).params == {"x": 4}


def test_a_trial_is_the_last_when_it_has_finished_not_when_it_was_begun():
    windowed = study()
    first = windowed.ask(SPACE)
    for _ in range(20):
        windowed.add_trial(finished(1.0))
    windowed.tell(first, 9.0)
    assert numbers(windowed.trials) == [0, 1, 2, 19, 20]
    assert windowed.trials[0].value == 9.0


def test_of_what_is_forgotten_nothing_is_left_in_memory():
    windowed = study()
    for value in range(20, 0, -1):
        windowed.add_trial(finished(value))
    known = [windowed._storage.get_trial(number) for number in range(20)]
    assert [bool(trial.intermediate_values) for trial in known] == [False] * 15 + [True] * 5
    assert [bool(trial.params or trial.distributions) for trial in known] == [False] * 15 + [True] * 5


def test_one_that_has_not_finished_can_be_forgotten():
    storage = RecentTrials(StudyDirection.MINIMIZE, None)
    windowed = optuna.create_study(storage=storage)
    first, second = windowed.ask(SPACE), windowed.ask(SPACE)
    storage.forget(first._trial_id)
    assert numbers(windowed.trials) == [second.number]


def test_without_a_limit_nothing_else_is_forgotten():
    windowed = study(recent=None)
    for value in range(50):
        windowed.add_trial(finished(value))
    assert numbers(windowed.trials) == list(range(50))


def test_what_it_shows_can_be_changed_where_it_was_copied():
    windowed = study()
    for value in range(6):
        windowed.add_trial(finished(value))
    before = copy.deepcopy(windowed.trials)
    for trial in windowed.trials:
        trial.params.clear()
    assert windowed.trials == before
