"""The contract of claims: nobody gets what another has, and all together get no more than is asked for."""

from __future__ import annotations

import multiprocessing
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from sgdr.search.storage.claims import LIVE, LockedClaims, NumberedClaims, claims
from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.storage.schema import RETRY_OF, WITHDRAWN, WORKER
from tests.faults import CallFaults
from tests.storages import KINDS, empty_storage

THREADS = 8
SPAWN = multiprocessing.get_context("spawn")

pytestmark = pytest.mark.usefixtures("far_from_utc")


WITH_SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("postgres", "grpc")]
# Where the lock itself matters, and not what is done under it.
LOCKED_TOO = pytest.mark.parametrize("storage", ["memory", "sqlite", "postgres", WITH_SLOW[1]], indirect=True)


@pytest.fixture(params=["memory", "sqlite", *WITH_SLOW])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStorage]:
    if request.param == "memory":
        yield InMemoryStorage()
        return
    with empty_storage(request.param, request, tmp_path) as url:
        opened = open_storage(url, create=True)
        yield opened
        close_storage(opened)


@pytest.fixture
def study(storage: BaseStorage) -> int:
    storage.create_new_study([StudyDirection.MINIMIZE], "another")  # ids and numbers differ in the second
    other = storage.get_study_id_from_name("another")
    claims(storage, other).claim("them", 2, [], 2)
    return storage.create_new_study([StudyDirection.MINIMIZE], "s")


def end(storage: BaseStorage, trial_id: int, state: TrialState) -> None:
    values = [0.5] if state == TrialState.COMPLETE else None
    storage.set_trial_state_values(trial_id, state, values)


def live(storage: BaseStorage, study: int) -> int:
    return len(storage.get_all_trials(study, deepcopy=False, states=LIVE))


@pytest.mark.parametrize("storage", ["memory", *KINDS], indirect=True)
def test_each_storage_has_its_way(storage: BaseStorage, study: int) -> None:
    expected = LockedClaims if isinstance(storage, RDBStorage) else NumberedClaims
    assert type(claims(storage, study)) is expected


@LOCKED_TOO
def test_a_claim_is_a_running_trial_without_parameters(storage: BaseStorage, study: int) -> None:
    granted = claims(storage, study).claim("me", 3, [], 9)
    assert [(claim.number, claim.retry_of) for claim in granted] == [(0, None), (1, None), (2, None)]
    trials = storage.get_all_trials(study)
    assert [trial._trial_id for trial in trials] == [claim.trial_id for claim in granted]
    for trial in trials:
        assert trial.state == TrialState.RUNNING and trial.user_attrs == {WORKER: "me"}
        assert trial.params == trial.system_attrs == trial.intermediate_values == {}
        assert trial.datetime_start is not None and trial.datetime_complete is None
        assert abs(trial.datetime_start - datetime.now()) < timedelta(minutes=1)


@LOCKED_TOO
def test_no_more_are_granted_than_are_needed(storage: BaseStorage, study: int) -> None:
    one, other = claims(storage, study), claims(storage, study)
    assert one.claim("a", 2, [], 0) == one.claim("a", 0, [], 5) == []
    first = one.claim("a", 3, [], 5)
    assert len(first) == 3
    assert [claim.number for claim in other.claim("b", 9, [], 5)] == [3, 4]
    assert one.claim("a", 1, [], 5) == other.claim("b", 1, [], 5) == []
    assert live(storage, study) == 5


def test_failed_ones_make_room_and_finished_ones_do_not(storage: BaseStorage, study: int) -> None:
    mine = claims(storage, study)
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL]
    for each, state in zip(mine.claim("a", 5, [], 5), states, strict=False):
        end(storage, each.trial_id, state)
    assert [claim.number for claim in mine.claim("a", 5, [], 5)] == [5, 6]
    assert [claim.number for claim in mine.claim("a", 5, [], 6)] == [7]


def test_a_trial_is_repeated_once_and_before_anything_new(storage: BaseStorage, study: int) -> None:
    one, other = claims(storage, study), claims(storage, study)
    for claim in one.claim("a", 3, [], 3):
        end(storage, claim.trial_id, TrialState.FAIL)
    first = one.claim("b", 2, [2, 0], 3)
    assert [(each.number, each.retry_of) for each in first] == [(3, 2), (4, 0)]
    assert storage.get_trial(first[0].trial_id).user_attrs == {WORKER: "b", RETRY_OF: 2}
    second = other.claim("c", 2, [0, 1, 2], 9)
    assert [(each.number, each.retry_of) for each in second] == [(5, 1), (6, None)]
    end(storage, second[0].trial_id, TrialState.FAIL)
    third = other.claim("c", 3, [0, 1, 5], 9)  # of one that failed again, the repetition is repeated
    assert [each.retry_of for each in third] == [5, None, None]


def test_what_was_withdrawn_repeats_nothing(storage: BaseStorage, study: int) -> None:
    mine = claims(storage, study)
    (first,) = mine.claim("a", 1, [], 1)
    end(storage, first.trial_id, TrialState.FAIL)
    withdrawn = create_trial(
        state=TrialState.FAIL, user_attrs={WORKER: "b", RETRY_OF: first.number, WITHDRAWN: True}
    )
    storage.create_new_trial(study, template_trial=withdrawn)
    assert [claim.retry_of for claim in mine.claim("c", 1, [first.number], 1)] == [first.number]


def test_only_what_runs_is_abandoned(storage: BaseStorage, study: int) -> None:
    mine = claims(storage, study)
    granted = mine.claim("a", 4, [], 4)
    end(storage, granted[0].trial_id, TrialState.COMPLETE)
    end(storage, granted[1].trial_id, TrialState.FAIL)
    before = storage.get_all_trials(study)
    mine.abandon({})
    mine.abandon({claim.trial_id: {"lost": True, "place": claim.number} for claim in granted[:3]})
    trials = storage.get_all_trials(study)
    assert trials[:2] == before[:2] and trials[3] == before[3]
    assert trials[2].state == TrialState.FAIL
    assert trials[2].user_attrs == {WORKER: "a", "lost": True, "place": 2}
    assert trials[2].datetime_complete is not None
    assert abs(trials[2].datetime_complete - datetime.now()) < timedelta(minutes=1)
    mine.abandon({granted[2].trial_id: {"lost": False}})
    assert storage.get_all_trials(study) == trials


@pytest.mark.parametrize("storage", ["sqlite", WITH_SLOW[0]], indirect=True)  # the others go one by one
def test_a_worker_with_many_slots_is_abandoned_at_once(storage: BaseStorage, study: int) -> None:
    assert isinstance(storage, RDBStorage)
    mine = claims(storage, study)
    granted = mine.claim("a", 1024, [], 2000)
    if storage.engine.dialect.name == "sqlite":
        storage.engine.dispose()

        @sa.event.listens_for(storage.engine, "connect")
        def as_older_builds_have_it(connection: Any, _: Any) -> None:
            connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)

    mine.abandon({claim.trial_id: {"lost": True} for claim in granted})
    trials = storage.get_all_trials(study, deepcopy=False)
    assert Counter(trial.state for trial in trials) == {TrialState.FAIL: 1024}
    assert all(trial.user_attrs["lost"] for trial in trials)


@pytest.fixture
def often_switched() -> Iterator[None]:
    """Threads take turns some thousand times a second."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def at_once(act: Callable[[int], Any]) -> list[Any]:
    """What is returned to each of several threads that act at the same time."""
    together = threading.Barrier(THREADS)

    def begin(place: int) -> Any:
        together.wait()
        return act(place)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


@LOCKED_TOO
@pytest.mark.usefixtures("often_switched")
def test_of_threads_that_claim_at_once_each_has_its_own(storage: BaseStorage, study: int) -> None:
    most = 20
    mine = claims(storage, study)
    failed = [claim.number for claim in mine.claim("before", 6, [], 6)]
    for trial in storage.get_all_trials(study):
        end(storage, trial._trial_id, TrialState.FAIL)

    def act(place: int) -> list[Any]:
        own = claims(storage, study)
        return [claim for _ in range(4) for claim in own.claim(f"worker {place}", 2, failed, most)]

    claimed = at_once(act)
    granted = [each for of_one in claimed for each in of_one]
    assert len({claim.number for claim in granted}) == len(granted) == most
    repeated = [claim.retry_of for claim in granted if claim.retry_of is not None]
    assert sorted(repeated) == failed
    trials = storage.get_all_trials(study)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert live(storage, study) == most
    for place, of_one in enumerate(claimed):
        for each in of_one:
            attributes = trials[each.number].user_attrs
            assert attributes[WORKER] == f"worker {place}" and attributes.get(RETRY_OF) == each.retry_of
    withdrawn = [trial for trial in trials[6:] if trial.number not in {claim.number for claim in granted}]
    assert all(trial.state == TrialState.FAIL and trial.user_attrs[WITHDRAWN] for trial in withdrawn)
    assert not withdrawn or not isinstance(storage, RDBStorage)


@LOCKED_TOO
@pytest.mark.usefixtures("often_switched")
def test_threads_that_finish_and_fail_come_to_exactly_the_number(storage: BaseStorage, study: int) -> None:
    most = 16

    def act(place: int) -> int:
        own, done = claims(storage, study), 0
        while live(storage, study) < most or place == 0:
            granted = own.claim(f"worker {place}", 2, [], most)
            for turn, claim in enumerate(granted):
                end(storage, claim.trial_id, TrialState.FAIL if turn else TrialState.COMPLETE)
                done += not turn
            if place == 0 and len(storage.get_all_trials(study, False, (TrialState.COMPLETE,))) == most:
                break
        return done

    assert sum(at_once(act)) == most
    states = Counter(trial.state for trial in storage.get_all_trials(study))
    assert states[TrialState.COMPLETE] == most and states.keys() <= {TrialState.COMPLETE, TrialState.FAIL}


def _claims(url: str, place: int, together: Any, queue: Any) -> None:
    storage = open_storage(url)
    mine = claims(storage, storage.get_study_id_from_name("s"))
    together.wait()
    numbers = [claim.number for _ in range(20) for claim in mine.claim(f"worker {place}", 1, [0, 1], 12)]
    close_storage(storage)
    queue.put(numbers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_of_processes_that_claim_at_once_each_has_its_own(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with empty_storage(kind, request, tmp_path) as url:
        storage = open_storage(url, create=True)
        study = storage.create_new_study([StudyDirection.MINIMIZE], "s")
        for claim in claims(storage, study).claim("before", 2, [], 2):
            end(storage, claim.trial_id, TrialState.FAIL)
        together, queue = SPAWN.Barrier(3), SPAWN.Queue()
        processes = [SPAWN.Process(target=_claims, args=(url, place, together, queue)) for place in range(3)]
        try:
            for process in processes:
                process.start()
            numbers = [number for _ in processes for number in queue.get(timeout=120)]
        finally:
            for process in processes:
                process.join(120)
                process.kill()
        assert len(set(numbers)) == len(numbers) == 12
        trials = storage.get_all_trials(study)
        assert [trial.number for trial in trials if trial.state == TrialState.RUNNING] == sorted(numbers)
        repeated = [
            trials[number].user_attrs[RETRY_OF] for number in numbers if RETRY_OF in trials[number].user_attrs
        ]
        assert sorted(repeated) == [0, 1]
        close_storage(storage)


def test_of_two_that_claim_the_last_one_the_lower_number_stays() -> None:
    faults = CallFaults()
    study = faults.inner.create_new_study([StudyDirection.MINIMIZE], "s")
    one, other = NumberedClaims(faults.storage, study), NumberedClaims(faults.inner, study)
    theirs: list[Any] = []
    with faults.at(2, before=lambda: theirs.append(other.claim("b", 1, [], 1))) as calls:
        assert one.claim("a", 1, [], 1) == []
    assert calls[1] == "create_new_trial"
    assert [claim.number for claim in theirs[0]] == [0]
    trials = faults.inner.get_all_trials(study)
    assert [trial.state for trial in trials] == [TrialState.RUNNING, TrialState.FAIL]
    assert trials[1].user_attrs == {WORKER: "a", WITHDRAWN: True}


def enqueue(storage: BaseStorage, count: int) -> None:
    theirs = optuna.load_study(study_name="s", storage=storage)
    for number in range(count):
        theirs.enqueue_trial({"x": number}, user_attrs={"schedule": "theirs", "note": number})


@LOCKED_TOO
def test_what_waits_is_claimed_before_new_trials_and_by_one_alone(storage: BaseStorage, study: int) -> None:
    enqueue(storage, 3)
    one, other = claims(storage, study), claims(storage, study)
    granted = one.claim("one", 2, [], 9)
    assert [(claim.number, claim.enqueued, claim.retry_of) for claim in granted] == [
        (0, True, None),
        (1, True, None),
    ]
    left = [trial._trial_id for trial in storage.get_all_trials(study)]
    assert [claim.number for claim in other.take("other", left)] == [2] and one.take("one", left) == []
    assert [(claim.number, claim.enqueued) for claim in other.claim("other", 9, [], 5)] == [
        (3, False),
        (4, False),
    ]
    for trial, worker in zip(storage.get_all_trials(study)[:3], ("one", "one", "other"), strict=True):
        assert trial.state == TrialState.RUNNING and trial.datetime_start is not None
        assert trial.user_attrs[WORKER] == worker and trial.user_attrs["enqueued"]
        assert trial.user_attrs["note"] == trial.system_attrs["fixed_params"]["x"] == trial.number


def test_what_is_cut_off_is_claimed_before_what_waits(storage: BaseStorage, study: int) -> None:
    mine = claims(storage, study)
    (cut_off,) = mine.claim("dead", 1, [], 9)
    end(storage, cut_off.trial_id, TrialState.FAIL)
    enqueue(storage, 2)
    granted = mine.claim("me", 4, [cut_off.number], 3)
    assert sorted((claim.retry_of is None, not claim.enqueued) for claim in granted) == [
        (False, True),
        (True, False),
        (True, False),
    ]
    assert granted[0].retry_of == cut_off.number and mine.claim("me", 4, [], 3) == []
