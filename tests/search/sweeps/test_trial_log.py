"""What is written of a study, in which order, and that nothing is lost or doubled when the storage fails."""

import contextlib
import itertools
import shutil
import sqlite3
from functools import partial
from typing import Any

import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from sgdr.search.backend.slots import MOST_ATTEMPTS
from sgdr.search.problem.space import Space
from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.storage.leases import PREFIX, living
from sgdr.search.storage.retry import Retrying
from sgdr.search.strategy.quasi_random import spread
from sgdr.search.sweeps import trial_log
from sgdr.search.sweeps.coordinator import AloneCoordinator
from sgdr.search.sweeps.extent import TrialExtent
from sgdr.search.sweeps.trial_log import BATCH, TrialLog
from tests.faults import CallFaults, StatementFaults, away

BUDGET = 6
MANY = TrialExtent(1000)
WRITES = (
    "create_new_trial",
    "set_trial_user_attr",
    "set_trial_intermediate_value",
    "set_trial_state_values",
    "set_study_user_attr",
)


@pytest.fixture
def distributions(tiny):
    return Space().resolved(tiny.workload, BUDGET).distributions(BUDGET)


@pytest.fixture(params=["memory", "sqlite"])
def storage(request, tmp_path) -> BaseStorage:
    own = (
        InMemoryStorage()
        if request.param == "memory"
        else open_storage(f"sqlite:///{tmp_path}/s.db", create=True)
    )
    own.create_new_study([StudyDirection.MINIMIZE], "s")
    return own


def coordinator_of(storage: BaseStorage) -> AloneCoordinator:
    """A coordinator by a worker that comes after all others have died."""
    number = storage.get_study_id_from_name("s")
    for worker, claim in living(storage.get_study_user_attrs(number), 0.0).items():
        storage.set_study_user_attr(number, PREFIX + worker, {**claim, "ended": True})
    return AloneCoordinator(storage, "s")


def begin(coordinator: AloneCoordinator, distributions: Any) -> Any:
    """Begins a trial as a worker does: one that was cut off, or else a new one."""
    (claim,) = coordinator.claim(1, MANY)
    again = claim.again
    params = spread(distributions, claim.number, seed=0) if again is None else again.params
    seed = 100 + claim.number if again is None else again.user_attrs["seed"]
    attributes = {"schedule": {"base_lr": 0.1, "T_0": params["T_0"]}, "seed": seed}
    return coordinator.log.begin(claim, params, distributions, attributes)


def waiting(coordinator: AloneCoordinator) -> list[int]:
    """The trials that are to be trained again."""
    return [trial.number for trial in coordinator.queue.again]


def trials_of(storage: BaseStorage) -> list[Any]:
    return storage.get_all_trials(storage.get_study_id_from_name("s"))


def test_exactly_what_was_noted_is_written(storage, distributions):
    coordinator = coordinator_of(storage)
    complete, pruned, failed, running = (begin(coordinator, distributions) for _ in range(4))
    coordinator.reported(complete, {1: 0.6, 2: 0.5})  # of which the last is written
    coordinator.write()
    coordinator.reported(complete, {3: 0.3, 4: 0.25})
    coordinator.reported(pruned, {2: 0.75})
    coordinator.log.end(complete, TrialState.COMPLETE, 0.125, {"curve": {"error": [0.5, 0.125]}})
    coordinator.log.end(pruned, TrialState.PRUNED, None, {"diverged_at": 3})
    coordinator.log.end(failed, TrialState.FAIL, None, {"error": "oops"})
    coordinator.write()
    written = trials_of(storage)
    assert [trial.number for trial in written] == [0, 1, 2, 3]
    assert [trial.state.name for trial in written] == ["COMPLETE", "PRUNED", "FAIL", "RUNNING"]
    for trial, asked in zip(written, (complete, pruned, failed, running), strict=True):
        assert trial.params == asked.params and trial.distributions == distributions
        assert trial.user_attrs["seed"] == 100 + trial.number
        assert trial.user_attrs["schedule"] == {"base_lr": 0.1, "T_0": trial.params["T_0"]}
    assert len({trial.user_attrs["worker"] for trial in written}) == 1
    assert written[0].value == 0.125 and written[0].intermediate_values == {2: 0.5, 4: 0.25}
    assert written[0].user_attrs["curve"] == {"error": [0.5, 0.125]}
    assert written[1].value == 0.75  # Optuna's way: the last that was reported
    assert written[1].user_attrs["diverged_at"] == 3 and written[2].user_attrs["error"] == "oops"
    assert (
        coordinator.log.finished == 2 and coordinator.log.failed == 1 and len(coordinator.log.unwritten) == 0
    )


def test_a_trial_has_the_parameters_that_it_is_given(storage, distributions):
    coordinator = coordinator_of(storage)
    points = [spread(distributions, index, seed=3) for index in range(5)]
    claims = coordinator.claim(5, MANY)
    trials = [
        coordinator.log.begin(c, params, distributions, {}) for c, params in zip(claims, points, strict=True)
    ]
    assert (
        [trial.params for trial in trials]
        == [trial.params for trial in coordinator.log.trials.values()]
        == points
    )
    coordinator.write()
    assert [trial.params for trial in trials_of(storage)] == points


def test_what_a_sampler_has_noted_is_written(storage, distributions):
    coordinator = coordinator_of(storage)
    (claim,) = coordinator.claim(1, MANY)
    coordinator.log.begin(claim, spread(distributions, 0, seed=0), distributions, {}, {"grid_id": 3})
    coordinator.write()
    assert trials_of(storage)[0].system_attrs["grid_id"] == 3


def test_trials_of_several_spaces_stand_in_one_study(storage, distributions):
    coordinator = coordinator_of(storage)
    rate = {"base_lr": distributions["base_lr"]}
    for space in (distributions, rate, distributions):
        (claim,) = coordinator.claim(1, MANY)
        trial = coordinator.log.begin(claim, spread(space, 0, seed=0), space, {})
        coordinator.log.end(trial, TrialState.COMPLETE, 1.0, {})
    coordinator.log.close()
    assert [trial.distributions for trial in trials_of(storage)] == [distributions, rate, distributions]


def test_it_writes_when_asked_and_can_be_stopped_between_two_batches(storage, distributions):
    coordinator = coordinator_of(storage)
    for _ in range(2 * BATCH + 1):
        coordinator.log.end(begin(coordinator, distributions), TrialState.COMPLETE, 1.0, {})
    assert (
        trials_of(storage) == []
        and coordinator.log.finished == 0
        and len(coordinator.log.unwritten) == 2 * BATCH + 1
    )
    asked = itertools.count()
    coordinator.write(until=lambda: next(asked) == 1)
    assert [trial.state for trial in trials_of(storage)] == BATCH * [TrialState.COMPLETE]
    assert coordinator.log.finished == BATCH and len(coordinator.log.unwritten) == BATCH + 1
    coordinator.write()
    assert (
        len(trials_of(storage)) == coordinator.log.finished == 2 * BATCH + 1
        and len(coordinator.log.unwritten) == 0
    )


def test_interrupted_trials_are_retried_once_with_their_parameters_and_seed(storage, distributions):
    killed = coordinator_of(storage)
    first = [begin(killed, distributions) for _ in range(3)]
    killed.log.end(first[0], TrialState.COMPLETE, 1.0, {})
    killed.write()
    coordinator = coordinator_of(storage)
    assert coordinator.log.finished == 1 and waiting(coordinator) == [1, 2]
    assert not any(trial.state == TrialState.RUNNING for trial in trials_of(storage))
    again = begin(coordinator, distributions)
    assert again.params == first[1].params
    assert again.user_attrs["retry_of"] == 1 and again.user_attrs["seed"] == 101
    coordinator.log.end(again, TrialState.COMPLETE, 2.0, {})
    coordinator.write()
    for _ in range(2):
        coordinator = coordinator_of(storage)
        assert coordinator.log.finished == 2 and waiting(coordinator) == [2]
    last = begin(coordinator, distributions)
    assert last.params == first[2].params
    assert last.user_attrs["retry_of"] == 2 and last.user_attrs["seed"] == 102
    fresh = begin(coordinator, distributions)
    assert "retry_of" not in fresh.user_attrs and fresh.params != first[2].params


def test_an_interrupt_ends_what_is_running_and_gives_up_the_lease(storage, distributions):
    coordinator = coordinator_of(storage)
    study = storage.get_study_id_from_name("s")
    for _ in range(2):
        begin(coordinator, distributions)
    coordinator.claim(1, MANY)  # not begun yet
    assert len(living(storage.get_study_user_attrs(study), 0.0)) == 1
    coordinator.interrupt()
    assert [trial.state for trial in trials_of(storage)] == 2 * [TrialState.FAIL]
    assert living(storage.get_study_user_attrs(study), 0.0) == {}
    assert waiting(coordinator_of(storage)) == [0, 1]


def test_a_trial_whose_process_dies_is_begun_so_often_and_then_given_up(storage, distributions):
    coordinator = coordinator_of(storage)
    trial = begin(coordinator, distributions)
    params = trial.params
    for attempt in range(1, MOST_ATTEMPTS):
        assert coordinator.retry(trial) is None
        trial = begin(coordinator, distributions)
        assert trial.params == params and trial.user_attrs["retry_of"] == attempt - 1
    assert f"{MOST_ATTEMPTS} times" in str(coordinator.retry(trial))
    coordinator.write()
    assert coordinator.log.failed == 1 and waiting(coordinator) == []
    written = trials_of(storage)
    assert [trial.number for trial in written] == list(range(MOST_ATTEMPTS))
    assert {trial.state for trial in written} == {TrialState.FAIL}
    assert waiting(coordinator_of(storage)) == []


def test_trials_that_failed_by_themselves_are_not_retried(storage, distributions):
    coordinator = coordinator_of(storage)
    coordinator.log.end(begin(coordinator, distributions), TrialState.FAIL, None, {"error": "oops"})
    coordinator.log.close()
    again = coordinator_of(storage)
    assert waiting(again) == [] and again.log.failed == 1


class Failing:
    """A storage whose writing fails at one call, before or after it has been done, or at all from then on."""

    def __init__(self, storage: BaseStorage, at: int, done: bool, dead: bool) -> None:
        self.storage, self.at, self.done, self.dead, self.calls = storage, at, done, dead, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.storage, name)
        if name not in WRITES:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls < self.at or (self.calls > self.at and not self.dead):
                return real(*arguments, **named)
            if self.done and self.calls == self.at:
                real(*arguments, **named)
            raise StorageInternalError("the disk is full")

        return call


def sweep(coordinator: AloneCoordinator, distributions: Any, trials: int) -> None:
    """Finishes that many trials, two at a time, and ends as a sweep does, whatever happens."""
    running: list[Any] = []
    try:
        while coordinator.log.ended < trials:
            while len(running) < 2 and coordinator.log.ended + len(running) < trials:
                running.append(begin(coordinator, distributions))
            coordinator.write()
            coordinator.reported(running[0], {1: 0.5})
            coordinator.write()
            trial = running.pop(0)
            worth = float(trial.params["base_lr"])
            coordinator.log.end(trial, TrialState.COMPLETE, worth, {"curve": {"error": [0.5]}})
    finally:
        coordinator.interrupt()


def check_gone_on(storage: BaseStorage, distributions: Any) -> None:
    """Finishes the study, and asserts that nothing is lost and nothing doubled."""
    finished = [trial for trial in trials_of(storage) if trial.state == TrialState.COMPLETE]
    sweep(coordinator_of(storage), distributions, 4)
    written = trials_of(storage)
    complete = [trial for trial in written if trial.state == TrialState.COMPLETE]
    assert [trial for trial in complete if trial.number in {each.number for each in finished}] == finished
    assert len(complete) == 4 and len({trial.params["base_lr"] for trial in complete}) == 4
    assert all(trial.user_attrs["curve"] and trial.value is not None for trial in complete)
    assert {trial.state for trial in written} <= {TrialState.COMPLETE, TrialState.FAIL}
    retried = [trial.user_attrs["retry_of"] for trial in written if "retry_of" in trial.user_attrs]
    assert len(retried) == len(set(retried))
    for trial in written:
        if (before := trial.user_attrs.get("retry_of")) is not None:
            assert written[before].state == TrialState.FAIL and written[before].params == trial.params


@pytest.mark.parametrize(
    ("done", "dead"),
    [(False, False), (False, True), (True, True)],
    ids=["once", "from-then-on", "done-and-from-then-on"],
)
def test_a_storage_that_fails_at_any_call_loses_and_doubles_nothing(distributions, done, dead):
    for at in itertools.count(1):
        storage = InMemoryStorage()
        storage.create_new_study([StudyDirection.MINIMIZE], "s")
        failing = Failing(storage, at, done, dead)
        with contextlib.suppress(StorageInternalError):
            sweep(coordinator_of(failing), distributions, 4)
        if failing.calls < at:
            break
        check_gone_on(storage, distributions)
    assert at > 10


@pytest.mark.parametrize("dead", [False, True], ids=["once", "from-then-on"])
@pytest.mark.slow
def test_a_database_that_fails_at_any_statement_loses_and_doubles_nothing(tmp_path, distributions, dead):
    template = open_storage(f"sqlite:///{tmp_path}/template.db", create=True)
    template.create_new_study([StudyDirection.MINIMIZE], "s")
    template.engine.dispose()
    for at in itertools.count(1):
        shutil.copy(tmp_path / "template.db", tmp_path / "s.db")
        storage = open_storage(f"sqlite:///{tmp_path}/s.db", create=True)
        writes = itertools.count(1)
        failed = False

        def fail(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            nonlocal failed
            if statement.startswith(("INSERT", "UPDATE")):
                number = next(writes)  # noqa: B023
                if number == at or (number > at and dead):  # noqa: B023
                    failed = True
                    raise sqlite3.OperationalError("disk I/O error")

        sqlalchemy.event.listen(storage.engine, "before_cursor_execute", fail)
        with contextlib.suppress(StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error):
            sweep(coordinator_of(storage), distributions, 4)
        sqlalchemy.event.remove(storage.engine, "before_cursor_execute", fail)
        if not failed:
            break
        check_gone_on(storage, distributions)
        storage.remove_session()
        storage.engine.dispose()
    assert at > 10


@pytest.mark.parametrize("done", [False, True], ids=["not-done", "done"])
@pytest.mark.parametrize(
    ("kind", "step"),
    [("memory", 1), ("sqlite", 17), pytest.param("sqlite", 1, marks=pytest.mark.slow)],
)
def test_a_storage_that_is_away_for_a_moment_is_waited_for(
    tmp_path, monkeypatch, distributions, kind, step, done
):
    monkeypatch.setattr(trial_log, "Retrying", partial(Retrying, sleep=lambda seconds: None))
    template = open_storage(f"sqlite:///{tmp_path}/template.db", create=True)
    template.create_new_study([StudyDirection.MINIMIZE], "s")
    close_storage(template)
    whole: list[Any] = []
    for at in itertools.count(1, step):
        if kind == "memory":
            faults: Any = CallFaults()
            faults.storage.create_new_study([StudyDirection.MINIMIZE], "s")
        else:
            shutil.copy(tmp_path / "template.db", tmp_path / "s.db")
            faults = StatementFaults(f"sqlite:///{tmp_path}/s.db")
        with faults.at(at, **{"after" if done else "before": away}) as calls:
            sweep(AloneCoordinator(faults.storage, "s"), distributions, 4)
        written = [
            (trial.number, trial.state, trial.values, trial.params) for trial in trials_of(faults.inner)
        ]
        whole = whole or written
        assert written == whole and len(written) == 4
        assert not living(faults.inner.get_study_user_attrs(faults.inner.get_study_id_from_name("s")), 0.0)
        faults.close()
        if len(calls) < at:
            break
    assert at > 10


def test_a_study_that_cannot_be_read_is_given_up_again(storage, distributions, monkeypatch):
    def fail(*arguments: Any) -> None:
        raise StorageInternalError("the disk is broken")

    monkeypatch.setattr(TrialLog, "know", fail)
    with pytest.raises(StorageInternalError):
        coordinator_of(storage)
    monkeypatch.undo()
    AloneCoordinator(storage, "s").log.close()


def test_a_repetition_that_was_never_begun_is_repeated_instead(storage, distributions):
    cut_off = coordinator_of(storage)
    first = begin(cut_off, distributions)
    cut_off.interrupt()
    study = storage.get_study_id_from_name("s")
    claimed = create_trial(state=TrialState.RUNNING, user_attrs={"worker": "dead", "retry_of": 0})
    storage.create_new_trial(study, template_trial=claimed)
    coordinator = coordinator_of(storage)
    assert waiting(coordinator) == [1]
    again = begin(coordinator, distributions)
    assert again.params == first.params and again.user_attrs["seed"] == 100
    assert again.user_attrs["retry_of"] == 1


def test_only_the_first_of_two_repetitions_counts(storage, distributions):
    cut_off = coordinator_of(storage)
    begin(cut_off, distributions)
    cut_off.interrupt()
    study = storage.get_study_id_from_name("s")
    for attributes in ({"withdrawn": True}, {}, {}):
        created = create_trial(
            state=TrialState.FAIL, user_attrs={"worker": "dead", "retry_of": 0, **attributes}
        )
        storage.create_new_trial(study, template_trial=created)
    assert waiting(coordinator_of(storage)) == [2]
