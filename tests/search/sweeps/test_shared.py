"""A worker among others: what it sees of them, takes over from them, and loses to them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from sgdr.search.problem.callback import Callback
from sgdr.search.storage import leases as lease
from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.storage.leases import PREFIX, end_lease, leases
from sgdr.search.storage.retry import Retrying
from sgdr.search.storage.schema import LOST, RETRY_OF, WITHDRAWN, WORKER
from sgdr.search.sweeps import shared, trial_log
from sgdr.search.sweeps.claim_queue import MOST_RETRIES
from sgdr.search.sweeps.coordinator import AloneCoordinator, Coordinator
from sgdr.search.sweeps.extent import CostExtent, Extent, TrialExtent
from sgdr.search.sweeps.shared import (
    STOP,
    Launch,
    SharedCoordinator,
    StopRequested,
    end_launch,
)
from sgdr.search.sweeps.trial_log import TakenOver
from tests.faults import CallFaults, Faults, StatementFaults, away, places

SPACE = {"base_lr": FloatDistribution(1e-6, 1.0, log=True)}
MANY = TrialExtent(100)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and every write looks at the others."""
    monkeypatch.setattr(trial_log, "Retrying", partial(Retrying, sleep=lambda seconds: None))
    monkeypatch.setattr(shared, "SYNC_SECONDS", 0.0)
    monkeypatch.setattr(shared, "SYNC_SHARE", float("inf"))


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStorage]:
    if request.param == "memory":
        yield made_in(InMemoryStorage())
        return
    opened = open_storage(f"sqlite:///{tmp_path}/s.db", create=True)
    yield made_in(opened)
    close_storage(opened)


def made_in(storage: BaseStorage) -> BaseStorage:
    study = storage.create_new_study([StudyDirection.MINIMIZE], "s")
    storage.set_study_user_attr(study, "metric", "error")
    return storage


class Launched:
    """A launch, and the workers that it has begun."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage
        self.study = storage.get_study_id_from_name("s")
        self.launcher = AloneCoordinator(storage, "s")
        again = frozenset(trial.number for trial in self.launcher.queue.again)
        self.launch = Launch(self.launcher.log.worker, len(self.launcher.log.trials), again)

    def worker(self, place: int) -> SharedCoordinator:
        return SharedCoordinator(self.storage, "s", self.launch, place)

    def kill(self, coordinator: Coordinator) -> None:
        """Makes its process look gone."""
        coordinator.log.lease.ended.set()
        self.set_lease(coordinator, started=0.0)

    def set_lease(self, coordinator: Coordinator, **changes: Any) -> None:
        lease = self.lease(coordinator)
        self.storage.set_study_user_attr(self.study, PREFIX + coordinator.log.worker, {**lease, **changes})

    def lease(self, coordinator: Coordinator) -> dict[str, Any]:
        return leases(self.storage.get_study_user_attrs(self.study))[coordinator.log.worker]

    def trials(self) -> list[FrozenTrial]:
        stored: list[FrozenTrial] = self.storage.get_all_trials(self.study)
        return stored


@pytest.fixture
def launched(storage: BaseStorage) -> Iterator[Launched]:
    several = Launched(storage)
    yield several
    several.launcher.log.close()


def begin(coordinator: SharedCoordinator, count: int = 1, extent: Extent = MANY) -> list[FrozenTrial]:
    """Begins as many trials, and writes that."""
    begun = []
    for claim in coordinator.claim(count, extent):
        seed = claim.number if claim.again is None else claim.again.user_attrs["seed"]
        attributes = {"schedule": {"base_lr": 0.1, "T_0": 1}, "seed": seed}
        begun.append(coordinator.log.begin(claim, {"base_lr": 1e-4 * (1 + seed)}, SPACE, attributes))
    coordinator.write()
    return begun


def complete(coordinator: SharedCoordinator, trial: FrozenTrial, value: float = 0.5) -> None:
    coordinator.log.end(trial, TrialState.COMPLETE, value, {"curve": {"error": [0.75, value]}})


def test_what_one_does_the_others_hear_of(launched: Launched) -> None:
    one, other = launched.worker(0), launched.worker(1)
    first, second = begin(one, 2)
    one.claim(1, MANY)  # nothing is known of it yet
    one.reported(first, {1: 0.75, 2: float("nan")})
    one.write()
    other.write()
    heard = {trial.number: trial for trial in other.changed_trials()}
    assert heard.keys() == {0, 1} and other.changed_trials() == []
    assert heard[0].params == first.params and heard[0].state == TrialState.RUNNING
    assert repr(heard[0].intermediate_values) == "{1: 0.75, 2: nan}" and heard[1].intermediate_values == {}
    complete(one, first)
    one.log.end(second, TrialState.FAIL, None, {"error": "oops"})
    one.write()
    other.write()
    heard = {trial.number: trial for trial in other.changed_trials()}
    assert heard[0].state == TrialState.COMPLETE and heard[0].intermediate_values == {1: 0.75, 2: 0.5}
    assert heard[1].state == TrialState.FAIL
    other.write()
    assert other.changed_trials() == one.changed_trials() == []
    assert (other.log.finished, other.log.ended, other.log.failed, other.log.best) == (1, 1, 1, 0.5)
    late = launched.worker(2)
    assert [trial.number for trial in late.log.known()] == [0, 1] and late.changed_trials() == []
    for coordinator in (one, other, late):
        coordinator.interrupt()


def test_places_go_up_by_one_whoever_claims(launched: Launched) -> None:
    one, other = launched.worker(0), launched.worker(1)
    claims = [*one.claim(2, MANY), *other.claim(1, MANY), *one.claim(1, MANY)]
    assert [claim.place for claim in claims] == [claim.number for claim in claims] == [0, 1, 2, 3]
    launched.kill(one)
    again = other.claim(4, MANY)
    # What was never begun is repeated in its place.
    assert [(claim.repeats, claim.again, claim.first, claim.place) for claim in again] == [
        (0, None, 0, 0),
        (1, None, 1, 1),
        (3, None, 3, 3),
        (None, None, 7, 4),
    ]
    other.interrupt()


def test_a_worker_that_died_loses_its_trials_to_the_others(launched: Launched) -> None:
    one, other = launched.worker(0), launched.worker(1)
    trials = begin(one, 3)
    complete(one, trials[0])
    one.write()
    complete(one, trials[1])  # of which nobody knows
    launched.kill(one)
    claims = other.claim(3, TrialExtent(3))
    assert [(claim.number, claim.repeats, claim.first) for claim in claims] == [(3, 1, 1), (4, 2, 2)]
    assert [claim.again.user_attrs["seed"] for claim in claims if claim.again] == [1, 2]
    assert [claim.again.params for claim in claims if claim.again] == [trial.params for trial in trials[1:]]
    ended = launched.trials()
    assert ended[0].state == TrialState.COMPLETE and LOST not in ended[0].user_attrs
    assert all(trial.state == TrialState.FAIL and trial.user_attrs[LOST] for trial in ended[1:3])
    assert launched.lease(one)["ended"]
    other.interrupt()


@pytest.mark.parametrize("looks", [False, True])
def test_a_worker_that_was_taken_to_be_dead_changes_nothing_any_more(launched: Launched, looks: bool) -> None:
    one, other = launched.worker(0), launched.worker(1)
    first, second = begin(one, 2)
    launched.kill(one)
    again = begin(other, 2)
    assert [trial.user_attrs[RETRY_OF] for trial in again] == [0, 1]
    before = launched.trials()
    if not looks:
        one.pause = float("inf")
        launched.set_lease(one, ended=False)  # as its own thread may do, which knows nothing
    complete(one, first)
    with pytest.raises(TakenOver):
        one.write()
    one.reported(second, {1: 0.5})
    one.interrupt()
    with pytest.raises(TakenOver):
        one.sync()
    assert launched.trials() == before
    for trial in again:
        complete(other, trial)
    other.interrupt()
    assert [trial.state for trial in launched.trials()[2:]] == 2 * [TrialState.COMPLETE]


def test_a_worker_that_has_only_slept_notices_by_its_trials(launched: Launched) -> None:
    one, other = launched.worker(0), launched.worker(1)
    begin(one)
    launched.kill(one)
    other.write()
    launched.set_lease(one, ended=False)
    with pytest.raises(TakenOver):
        one.write()  # though it has nothing to write
    one.interrupt()
    other.interrupt()


def test_what_was_claimed_while_its_worker_was_buried_is_freed(launched: Launched) -> None:
    one, other = launched.worker(0), launched.worker(1)
    begin(one)
    end_lease(launched.storage, launched.study, one.log.worker, launched.lease(one))
    assert launched.trials()[0].state == TrialState.RUNNING
    assert [trial.user_attrs[RETRY_OF] for trial in begin(other, extent=TrialExtent(1))] == [0]
    with pytest.raises(TakenOver):
        one.claim(1, MANY)
    one.interrupt()
    other.interrupt()


def test_a_trial_whose_workers_die_is_given_up_in_the_end(launched: Launched) -> None:
    for turn in range(MOST_RETRIES + 1):
        coordinator = launched.worker(0)  # which finds what the one before it has left
        (trial,) = begin(coordinator, extent=TrialExtent(1))
        assert trial.number == turn and trial.user_attrs["seed"] == 0
        assert trial.user_attrs.get(RETRY_OF) == (turn - 1 if turn else None)
        launched.kill(coordinator)
    last = launched.worker(0)
    assert [claim.again for claim in last.claim(1, TrialExtent(1))] == [None]
    trials = launched.trials()
    assert [LOST in trial.user_attrs for trial in trials] == [True] * MOST_RETRIES + [False, False]
    assert trials[MOST_RETRIES].user_attrs["error"] == f"its worker died {MOST_RETRIES + 1} times"
    assert last.log.failed == 1
    last.interrupt()


def test_an_own_process_that_dies_is_no_worker_that_died(launched: Launched) -> None:
    for _ in range(MOST_RETRIES):
        coordinator = launched.worker(0)
        begin(coordinator, extent=TrialExtent(1))
        launched.kill(coordinator)
    coordinator = launched.worker(0)
    (trial,) = begin(coordinator, extent=TrialExtent(1))
    assert coordinator.retry(trial) is None
    (trial,) = begin(coordinator, extent=TrialExtent(1))
    assert coordinator.retry(trial) is None
    (trial,) = begin(coordinator, extent=TrialExtent(1))
    assert "its process died 3 times" in str(coordinator.retry(trial))
    coordinator.interrupt()


def test_what_is_interrupted_the_others_go_on_with(launched: Launched) -> None:
    one, other = launched.worker(0), launched.worker(1)
    begin(one)
    one.claim(1, MANY)
    one.interrupt()
    trials = launched.trials()
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.FAIL]
    assert all(LOST not in trial.user_attrs for trial in trials)
    assert [(claim.repeats, claim.place) for claim in other.claim(3, MANY)] == [(0, 0), (1, 1), (None, 2)]
    other.interrupt()


def test_what_was_cut_off_is_repeated_by_number_whatever_was_heard_of_first(launched: Launched) -> None:
    one, other = launched.worker(0), launched.worker(1)
    later = begin(one, 2)[1]
    one.log.end(later, TrialState.FAIL, None, {})
    one.write()
    other.write()
    launched.kill(one)
    assert [claim.repeats for claim in other.claim(3, MANY)] == [0, 1, None]
    other.interrupt()


def test_a_repetition_that_is_withdrawn_leaves_the_trial_to_be_repeated(launched: Launched) -> None:
    one, other = launched.worker(0), launched.worker(1)
    begin(one)
    one.interrupt()
    third = launched.worker(2)
    withdrawn = create_trial(state=TrialState.RUNNING, user_attrs={WORKER: third.log.worker, RETRY_OF: 0})
    number = launched.storage.create_new_trial(launched.study, template_trial=withdrawn)
    other.write()
    assert not other.queue.again
    launched.storage.set_trial_user_attr(number, WITHDRAWN, True)
    launched.storage.set_trial_state_values(number, TrialState.FAIL)
    assert [claim.repeats for claim in other.claim(2, MANY)] == [0, None]
    for coordinator in (other, third):
        coordinator.interrupt()


def test_another_launch_goes_on_where_the_last_one_was(launched: Launched) -> None:
    one = launched.worker(0)
    trials = begin(one, 3)
    complete(one, trials[0])
    one.claim(1, MANY)
    one.write()
    launched.kill(one)
    launched.kill(launched.launcher)
    then = Launched(launched.storage)
    assert then.launch.first == 4 and then.launch.again == {1, 2}
    two = then.worker(0)
    claims = two.claim(3, MANY)
    assert [(claim.repeats, claim.place) for claim in claims[:2]] == [(1, 0), (2, 0)]
    assert (claims[2].again, claims[2].place) == (None, 0)  # of this launch the first
    two.interrupt()
    end_launch(then.storage, "s", then.launch)
    then.launcher.log.close()


@pytest.mark.parametrize("how", ["is gone", "has ended", "says so"])
def test_workers_end_with_their_launcher_or_when_it_says_so(launched: Launched, how: str) -> None:
    coordinator = launched.worker(0)
    begin(coordinator)
    idle = coordinator.claim(1, MANY)
    assert idle and coordinator.wait(MANY)
    if how == "is gone":
        launched.kill(launched.launcher)
    elif how == "has ended":
        launched.launcher.log.close()
    else:
        launched.storage.set_study_user_attr(launched.study, STOP, launched.launch.lease)
    for act in (coordinator.write, lambda: coordinator.wait(MANY), lambda: coordinator.claim(1, MANY)):
        with pytest.raises(StopRequested):
            act()
    coordinator.interrupt()
    assert all(trial.state == TrialState.FAIL for trial in launched.trials())
    assert launched.lease(coordinator)["ended"]


def test_a_mark_for_another_launch_is_nothing_to_this_one(launched: Launched) -> None:
    launched.storage.set_study_user_attr(launched.study, STOP, "the last one")
    coordinator = launched.worker(0)
    assert len(begin(coordinator)) == 1
    coordinator.interrupt()


def test_a_launch_is_ended_with_all_that_its_workers_left(launched: Launched) -> None:
    dead, buried, ended = (launched.worker(place) for place in range(3))
    for coordinator in (dead, buried, ended):
        begin(coordinator)
    launched.kill(dead)
    end_lease(launched.storage, launched.study, buried.log.worker, launched.lease(buried))
    ended.log.note(epochs=7)
    ended.log.lease.renew()
    ended.interrupt()
    last = launched.lease(ended)
    end_launch(launched.storage, "s", launched.launch)
    assert all(trial.state == TrialState.FAIL for trial in launched.trials())
    assert all(launched.lease(coordinator)["ended"] for coordinator in (dead, buried, ended))
    assert launched.lease(ended) == last and last["notes"] == {"epochs": 7}
    buried.log.lease.end()


def test_of_one_that_ends_just_then_the_last_notes_stay() -> None:
    faults = CallFaults()
    made_in(faults.inner)
    launched = Launched(faults.storage)
    one, other = launched.worker(0), launched.worker(1)
    launched.kill(one)
    last = {**launched.lease(one), "ended": True, "notes": {"epochs": 7}}

    def end() -> None:
        faults.inner.set_study_user_attr(launched.study, PREFIX + one.log.worker, last)

    with faults.at(3, before=end) as calls:
        other.write()
    assert calls[0] == calls[2] == "get_study_user_attrs"  # it looks twice
    assert launched.lease(one) == last
    other.interrupt()
    launched.launcher.log.close()


def test_everybody_gets_a_new_term_when_the_storage_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = CallFaults()
    made_in(faults.inner)
    launched = Launched(faults.storage)
    for coordinator in (launched.launcher, one := launched.worker(0)):
        launched.set_lease(coordinator, host="elsewhere")
    other = launched.worker(1)
    begin(one)
    now = 1000.0
    other.watch = lease.Watch(clock=lambda: now)
    other.write()
    now += lease.EXPIRE_SECONDS - 1
    launched.set_lease(launched.launcher, seen=-1.0)
    other.write()
    now += 2
    with faults.at(1, before=away):
        other.write()
    assert not launched.lease(one)["ended"]
    now += lease.EXPIRE_SECONDS - 1
    launched.set_lease(launched.launcher, seen=-2.0)
    other.write()
    assert not launched.lease(one)["ended"]
    now += 2
    other.write()
    assert launched.lease(one)["ended"] and launched.trials()[0].user_attrs[LOST]
    other.interrupt()
    launched.launcher.log.close()


def of_kind(kind: str, folder: Path) -> Faults:
    if kind == "memory":
        faults: Faults = CallFaults()
        made_in(faults.inner)
        return faults
    if not (folder / "template.db").exists():
        template = made_in(open_storage(f"sqlite:///{folder}/template.db", create=True))
        close_storage(template)
    shutil.copy(folder / "template.db", folder / "s.db")
    return StatementFaults(f"sqlite:///{folder}/s.db")


def play(launched: Launched) -> None:
    """Two workers of which one dies finish six trials."""
    one, other = launched.worker(0), launched.worker(1)
    first = begin(one, 2)
    second = begin(other, 2)
    one.reported(first[0], {1: 0.75})
    complete(one, first[0])
    one.write()
    complete(other, second[0])
    launched.kill(one)
    running = second[1:]
    while running or other.wait(TrialExtent(6)):
        for trial in running:
            complete(other, trial)
        other.changed_trials()
        running = begin(other, 2, extent=TrialExtent(6))
    other.interrupt()
    end_launch(launched.storage, "s", launched.launch)
    launched.launcher.log.close()


def played(faults: Faults, **action: Any) -> tuple[Launched, list[str]]:
    """The launch, and what its workers have called, which a fault may have hit."""
    launched = Launched(faults.inner)  # what the test itself does is not to fail
    remarks: list[str] = []

    def worker(place: int) -> SharedCoordinator:
        callback = Callback(on_remark=remarks.append)
        return SharedCoordinator(faults.storage, "s", launched.launch, place, callback)

    launched.worker = worker  # type: ignore[method-assign]
    with faults.at(action.pop("at", 0), **action) as calls:
        play(launched)
    assert remarks == []  # it was but a moment
    return launched, calls


@pytest.mark.parametrize("done", [False, True], ids=["not-done", "done"])
@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("memory", 8),
        pytest.param("memory", 30, marks=pytest.mark.slow),  # which are all calls that write
        pytest.param("sqlite", 4, marks=pytest.mark.slow),
    ],
)
def test_an_outage_at_calls_of_any_kind_loses_and_doubles_nothing(
    tmp_path: Path, kind: str, most: int, done: bool
) -> None:
    faults = of_kind(kind, tmp_path)
    _, calls = played(faults)
    faults.close()
    for at in places(calls, most):
        if done and calls[at - 1].startswith(("get_", "SELECT")):
            continue  # what only reads has done nothing
        faults = of_kind(kind, tmp_path)
        launched, made = played(faults, at=at, **{"after" if done else "before": away})
        assert len(made) >= at
        trials = launched.trials()
        assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.FAIL}
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        assert len(complete) == len({trial.user_attrs["seed"] for trial in complete}) == 6
        assert all(trial.user_attrs["curve"] and trial.value == 0.5 for trial in complete)
        assert sum(LOST in trial.user_attrs for trial in trials) == 1
        assert all(
            claim["ended"] for claim in leases(faults.inner.get_study_user_attrs(launched.study)).values()
        )
        faults.close()


WORKER_PROCESS = """
import json, sys, time
from optuna.distributions import FloatDistribution
from sgdr.search.problem.callback import Callback
from sgdr.search.storage import leases as lease
from sgdr.search.sweeps.trial_log import TakenOver
from sgdr.search.sweeps.extent import TrialExtent
from sgdr.search.sweeps.shared import Launch, SharedCoordinator
from sgdr.search.storage.connect import open_storage

lease.RENEW_SECONDS = 0.2
url, launcher = sys.argv[1:]
coordinator = SharedCoordinator(open_storage(url), "s", Launch(launcher, 0, frozenset()), 0)
for claim in coordinator.claim(2, TrialExtent(2)):
    attributes = {"schedule": {"base_lr": 0.1, "T_0": 1}, "seed": 100 + claim.number}
    coordinator.log.begin(claim, {"base_lr": 0.5}, {"base_lr": FloatDistribution(0.1, 1)}, attributes)
try:
    while True:
        coordinator.write()
        time.sleep(0.02)
except TakenOver:
    coordinator.interrupt()
    print("taken over")
"""


@pytest.mark.slow
def test_a_worker_that_is_stopped_loses_its_trials_when_it_was_not_heard_of_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "EXPIRE_SECONDS", 3.0)
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.2)
    url = f"sqlite:///{tmp_path}/s.db"
    launched = Launched(made_in(open_storage(url, create=True)))
    command = [sys.executable, "-c", WORKER_PROCESS, url, launched.launch.lease]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            coordinator = launched.worker(1)
            until(lambda: len(launched.trials()) == 2 and "seed" in launched.trials()[1].user_attrs)
            assert coordinator.claim(2, TrialExtent(2)) == []
            process.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            until(lambda: begin(coordinator, 2, extent=TrialExtent(2)))
            assert 1 < time.monotonic() - began < 60
            trials = launched.trials()
            assert [trial.user_attrs["seed"] for trial in trials] == [100, 101, 100, 101]
            assert [trial.user_attrs.get(RETRY_OF) for trial in trials] == [None, None, 0, 1]
            process.send_signal(signal.SIGCONT)
            assert process.communicate(timeout=120)[0] == "taken over\n"
            assert launched.trials() == trials
        finally:
            process.kill()
    coordinator.interrupt()
    launched.launcher.log.close()
    close_storage(launched.storage)


def until(holds: Callable[[], Any]) -> None:
    give_up = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def enqueue(storage: BaseStorage, *rates: float) -> None:
    for rate in rates:
        optuna.load_study(study_name="s", storage=storage).enqueue_trial({"base_lr": rate})


def fixed(claims: list[Any]) -> list[float | None]:
    """The rate that was enqueued of each claim."""
    waiting = [claim.enqueued for claim in claims]
    return [None if each is None else each.system_attrs["fixed_params"]["base_lr"] for each in waiting]


def test_what_is_enqueued_is_taken_by_one_worker_before_anything_new(
    launched: Launched, storage: BaseStorage
) -> None:
    one, other = launched.worker(0), launched.worker(1)
    (first,) = one.claim(1, MANY)
    enqueue(storage, 0.25, 0.5)
    taken = one.claim(1, MANY)
    rest = other.claim(3, MANY)
    assert fixed([first, *taken, *rest]) == [None, 0.25, 0.5, None, None]
    assert [claim.place for claim in (first, *rest[1:])] == [0, 1, 2]
    assert one.claim(1, TrialExtent(5)) == []
    for coordinator, claim in ((one, taken[0]), (other, rest[0])):
        attributes = {"schedule": {"base_lr": 0.1, "T_0": 1}, "seed": claim.number}
        trial = coordinator.log.begin(claim, {"base_lr": 0.25}, SPACE, attributes, {"fixed_params": {}})
        complete(coordinator, trial)
        coordinator.write()
    trials = launched.trials()
    assert [trial.state.name for trial in trials[1:3]] == ["COMPLETE"] * 2
    assert all(trial.user_attrs["enqueued"] and trial.params == {"base_lr": 0.25} for trial in trials[1:3])
    for coordinator in (one, other):
        coordinator.interrupt()


def test_an_enqueued_trial_of_a_worker_that_died_is_trained_by_another(
    launched: Launched, storage: BaseStorage
) -> None:
    enqueue(storage, 0.25, 0.5)
    one, other = launched.worker(0), launched.worker(1)
    begin(one)
    assert fixed(one.claim(1, MANY)) == [0.5]  # and is not begun
    launched.kill(one)
    again = other.claim(3, MANY)
    assert fixed(again) == [0.25, 0.5, None] and [claim.repeats for claim in again] == [0, 1, None]
    assert again[0].again is not None and again[1].again is None
    other.log.refuse(again[1], "it cannot be")
    other.write()
    assert other.log.failed == 1 and launched.trials()[again[1].number].user_attrs["error"] == "it cannot be"
    assert other.claim(0, MANY) == [] and not other.queue.again
    other.interrupt()


def test_foreign_trials_are_no_part_of_a_launch(launched: Launched, storage: BaseStorage) -> None:
    one, other = launched.worker(0), launched.worker(1)
    (first,) = begin(one)
    study = optuna.load_study(study_name="s", storage=storage)
    study.add_trial(create_trial(value=-1.0))
    study.add_trial(create_trial(state=TrialState.RUNNING))
    (claim,) = other.claim(5, TrialExtent(2))
    assert (claim.number, claim.place) == (3, 1) and one.claim(1, TrialExtent(2)) == []
    complete(one, first)
    one.write()
    other.write()
    assert [trial.number for trial in other.changed_trials()] == [0]
    assert (other.log.best, other.log.ended, other.log.finished) == (0.5, 1, 1)
    other.give_back([claim])
    assert launched.trials()[3].user_attrs[WITHDRAWN] and not other.queue.again
    for coordinator in (one, other):
        coordinator.interrupt()
    states = [trial.state.name for trial in launched.trials()]
    assert states == ["COMPLETE", "COMPLETE", "RUNNING", "FAIL"]


def ended_early(coordinator: SharedCoordinator, trial: FrozenTrial) -> None:
    coordinator.log.end(trial, TrialState.PRUNED, 0.5, {"epochs": 1})


def test_a_cost_is_shared_and_what_is_pruned_leaves_its_room_to_whoever_looks_next(
    launched: Launched,
) -> None:
    """A cost of three trainings of four epochs."""
    one, other, extent = launched.worker(0), launched.worker(1), CostExtent(3, 4)
    first, second = begin(one, 2, extent)
    (third,) = begin(other, 2, extent)
    assert begin(one, 1, extent) == begin(other, 1, extent) == []
    for coordinator, trial in ((one, first), (one, second)):
        ended_early(coordinator, trial)
    one.write()
    (fourth,) = begin(other, 3, extent)  # 2 epochs are trained, and 8 may be
    assert other.wait(extent) and one.wait(extent)
    for trial in (third, fourth):
        other.log.end(trial, TrialState.COMPLETE, 0.5, {"epochs": 4})
    other.write()
    assert not other.wait(extent) and not one.wait(extent)
    assert begin(one, 1, extent) == [] and one.log.tally == other.log.tally == (4, 0, 10)


def test_a_cost_is_kept_by_a_worker_that_ended_what_others_have_taken_over(launched: Launched) -> None:
    """What it has ended, and not written, is not ended for the others, who train it again."""
    one, other, extent = launched.worker(0), launched.worker(1), CostExtent(2, 4)
    first, second = begin(one, 2, extent)
    ended_early(one, first)
    ended_early(one, second)
    launched.kill(one)
    begin(other, 2, extent)
    one.pause = float("inf")  # it does not look whether it is taken to be dead
    with pytest.raises(TakenOver):
        one.claim(1, extent)
    running = [trial for trial in launched.trials() if trial.state == TrialState.RUNNING]
    assert len(running) == 2


def test_what_is_ended_is_written_where_only_then_there_is_room(launched: Launched) -> None:
    one, extent = launched.worker(0), CostExtent(2, 4)
    first, second = begin(one, 2, extent)
    for trial in (first, second):
        ended_early(one, trial)
    assert one.log.written == (0, 2, 0) and one.log.tally == (2, 0, 2)
    assert len(one.claim(2, extent)) == 1 and not one.log.unwritten
