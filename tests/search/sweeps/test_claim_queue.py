"""Which trial is begun next, whatever becomes of those before it."""

from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState, create_trial

from sgdr.search.backend.slots import MOST_ATTEMPTS
from sgdr.search.sweeps.claim_queue import ClaimQueue, TrialPlan

OUTCOMES = ("complete", "dies", "errs", "is given back", "goes on")


def trial_of(plan: TrialPlan, state: TrialState, **attributes: Any) -> FrozenTrial:
    repeats = {} if plan.repeats is None else {"retry_of": plan.repeats}
    begun = {"worker": "one", "schedule": {}, **repeats, **attributes}
    value = 0.5 if state == TrialState.COMPLETE else None
    trial = create_trial(state=state, value=value, user_attrs=begun)
    trial.number = plan.number
    return trial


@given(st.lists(st.sampled_from(OUTCOMES), max_size=40))
def test_who_has_the_study_alone_repeats_what_died_and_counts_what_is_new(outcomes: list[str]) -> None:
    trials: dict[int, FrozenTrial] = {}
    queue, others = ClaimQueue(trials, 0), ClaimQueue(trials, 0)
    owed: deque[int] = deque()
    place = 0
    for outcome in outcomes:
        (plan,) = queue.claim(1) or queue.claim_new(1)
        assert plan.number == len(trials)
        assert plan.repeats == (owed.popleft() if owed else None)
        if plan.repeats is None:
            assert (plan.place, plan.first, plan.again, plan.enqueued) == (place, plan.number, None, None)
            if outcome == "is given back":
                queue.give_back([plan])
                continue
            place += 1
        else:
            assert plan.again is trials[plan.repeats]
        state = {"complete": TrialState.COMPLETE, "goes on": TrialState.RUNNING}.get(outcome, TrialState.FAIL)
        trials[plan.number] = trial = trial_of(
            plan, state, **({"error": "oops"} if outcome == "errs" else {})
        )
        if outcome in ("dies", "is given back"):
            if (error := queue.last_error(trial)) is None:
                owed.append(trial.number)
            else:
                assert len(queue.attempts(trial)) == MOST_ATTEMPTS
                trial.user_attrs["error"] = error
        queue.see(trial)
        others.see(trial)
        assert [trial.number for trial in queue.again] == [trial.number for trial in others.again] == [*owed]
        shared = others.plan(trial, None)
        assert (shared.number, shared.repeats, shared.first) == (plan.number, plan.repeats, plan.first)
        assert plan.repeats is not None or shared.place == plan.place
    later = ClaimQueue(trials, len(trials))
    later.take_up(trials.values())
    assert [trial.number for trial in later.again] == sorted(owed)


def test_of_two_repetitions_the_first_counts_and_a_withdrawn_one_does_not() -> None:
    first = TrialPlan(0)
    trials = {0: trial_of(first, TrialState.FAIL)}
    for number, attributes in enumerate(({"withdrawn": True}, {}, {}), 1):
        trials[number] = trial_of(TrialPlan(number, repeated=[trials[0]]), TrialState.FAIL, **attributes)
    queue = ClaimQueue(trials, 4)
    queue.take_up(trials.values())
    (plan,) = queue.claim(4)
    assert (plan.number, plan.repeats, plan.first, plan.again) == (4, 2, 0, trials[2])
    assert queue.claim(1) == []


def test_what_is_enqueued_waits_and_is_no_new_trial() -> None:
    waiting = create_trial(state=TrialState.WAITING)
    waiting.number = 0
    taken = create_trial(state=TrialState.RUNNING, user_attrs={"worker": "one", "enqueued": True})
    taken.number = 0
    alone = ClaimQueue({0: waiting}, 1)
    alone.take_up([waiting])
    assert [*alone.waiting] == [waiting] and alone.again == []
    trials = {0: taken, 1: trial_of(TrialPlan(1), TrialState.RUNNING)}
    shared = ClaimQueue(trials, 0)
    assert shared.plan(taken, waiting).enqueued is waiting
    assert shared.plan(trials[1], None).place == 0
