"""The contract of storages: whatever is at the other end of the URL, a study in it is the same."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from sgdr.search.artifacts.snapshots import folder
from sgdr.search.storage.connect import close_storage, open_storage, shown
from sgdr.search.storage.reader import Content, reader
from sgdr.search.storage.writer import writer
from tests.storages import KINDS

MINIMIZE = [StudyDirection.MINIMIZE]
NAME = "größe 学習率 ✓"
BEGIN = datetime(2026, 3, 29, 1, 59, 59, 999_999)
SPACE = {
    "base_lr": FloatDistribution(1e-3, 1.0, log=True),
    "T_0": IntDistribution(1, 60, log=True),
    "fläche ✓": CategoricalDistribution((None, True, "größe", 0.5)),
}
SPAWN = multiprocessing.get_context("spawn")


def mostly_on(*kinds: str) -> pytest.MarkDecorator:
    """The test runs on those kinds of storage; on the others where there is time for it."""
    params = [kind if kind in kinds else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
    return pytest.mark.parametrize("contract_url", params, indirect=True)


@contextmanager
def opened_at(url: str) -> Iterator[BaseStorage]:
    storage = open_storage(url, create=True)
    try:
        yield storage
    finally:
        close_storage(storage)


@pytest.fixture
def storage(contract_url: str) -> Iterator[BaseStorage]:
    with opened_at(contract_url) as opened:
        yield opened


def trial(number: int, state: TrialState = TrialState.COMPLETE, **values: Any) -> FrozenTrial:
    """One as a worker holds it."""
    ended = state.is_finished()
    created = create_trial(
        state=state,
        value=values.pop("value", 0.5) if state == TrialState.COMPLETE else None,
        params={"base_lr": 0.1 + number / 1e3, "T_0": 1 + number % 60, "fläche ✓": None},
        distributions=SPACE,
        **values,
    )
    created.number = number
    created.datetime_start = BEGIN + timedelta(seconds=number)
    created.datetime_complete = created.datetime_start + timedelta(microseconds=1) if ended else None
    return created


def test_what_one_writes_the_other_reads(contract_url: str) -> None:
    with opened_at(contract_url) as one, opened_at(contract_url) as other:
        study = one.create_new_study(MINIMIZE, NAME)
        assert other.get_study_id_from_name(NAME) == study
        with pytest.raises(DuplicatedStudyError):
            other.create_new_study(MINIMIZE, NAME)
        one.set_study_user_attr(study, "from", "one")
        other.set_study_user_attr(study, "to", "other")
        expected = {"from": "one", "to": "other"}
        assert one.get_study_user_attrs(study) == other.get_study_user_attrs(study) == expected
    again = open_storage(contract_url)  # to read: it is there
    assert [known.study_name for known in again.get_all_studies()] == [NAME]
    close_storage(again)


@mostly_on("sqlite", "grpc")
def test_a_closed_storage_may_be_closed_again_and_opened_by_its_own_url(contract_url: str) -> None:
    storage = open_storage(contract_url, create=True)
    close_storage(storage)
    close_storage(storage)
    assert str(shown(contract_url)) and folder(contract_url, NAME).name
    with opened_at(contract_url) as again:
        assert again.get_all_studies() == []


def _opens(url: str) -> bool:
    with opened_at(url) as storage:
        return storage.get_all_studies() == []


@pytest.mark.slow
def test_processes_that_make_it_at_once_all_get_it(contract_url: str, tmp_path: Path) -> None:
    with SPAWN.Pool(3) as pool:
        assert pool.map(_opens, [contract_url] * 3, chunksize=1) == [True] * 3
        pool.close()
        pool.join()
    assert {path.name for path in tmp_path.iterdir()} <= {"contract.db", "contract.db-wal", "contract.db-shm"}


ATTRIBUTES = {
    "größe": {"naïve ✓": [1.5, None, True, "学習率", "\x00\n\u2028'\"%{}"], "": {}},
    "values": [1e-300, 1.7976931348623157e308, -0.0, 2**53, float("inf"), float("-inf")],
    "large": "ä" * 1_000_000,
    "many": list(range(200_000)),
}


@mostly_on("sqlite", "postgres")
def test_attributes_come_back_as_they_were(storage: BaseStorage) -> None:
    study = storage.create_new_study(MINIMIZE, NAME)
    number = storage.create_new_trial(study)
    for name, value in ATTRIBUTES.items():
        storage.set_study_user_attr(study, name, "before")
        storage.set_study_user_attr(study, name, value)
        storage.set_trial_user_attr(number, name, value)
    storage.set_study_user_attr(study, "nan", math.nan)
    attributes = storage.get_study_user_attrs(study)
    assert math.isnan(attributes.pop("nan"))
    assert attributes == storage.get_trial(number).user_attrs == ATTRIBUTES


@mostly_on("grpc")
def test_a_request_larger_than_grpc_takes_by_itself(storage: BaseStorage) -> None:
    study = storage.create_new_study(MINIMIZE, NAME)
    storage.set_study_user_attr(study, "curves", "x" * 6_000_000)
    assert len(storage.get_study_user_attrs(study)["curves"]) == 6_000_000


@mostly_on("sqlite", "postgres")
def test_values_may_be_infinite_and_reports_no_numbers(storage: BaseStorage) -> None:
    study = storage.create_new_study(MINIMIZE, NAME)
    values = [math.inf, -math.inf, 1e-300, -1.7976931348623157e308, 0.1]
    reports = {0: math.nan, 1: math.inf, 2: -math.inf, 7: 0.1 + 0.2, 2**31 - 1: 5e-324}
    writer(storage, study).write(
        [trial(place, value=value, intermediate_values=reports) for place, value in enumerate(values)]
    )
    trials = storage.get_all_trials(study)
    assert [trial.value for trial in trials] == values
    assert all(
        repr(sorted(trial.intermediate_values.items())) == repr(sorted(reports.items())) for trial in trials
    )
    content = reader(storage, study).read(Content())
    assert [trial.value for trial in content.trials] == values


@mostly_on("sqlite", "postgres")
def test_times_come_back_to_the_microsecond(storage: BaseStorage, far_from_utc: None) -> None:
    study = storage.create_new_study(MINIMIZE, NAME)
    written = [trial(0), trial(1, TrialState.PRUNED), trial(2, TrialState.RUNNING)]
    writer(storage, study).write(written)
    read = reader(storage, study).read(Content()).trials
    for copies in (storage.get_all_trials(study), read):
        assert [copy.datetime_start for copy in copies] == [copy.datetime_start for copy in written]
        assert [copy.datetime_complete for copy in copies] == [copy.datetime_complete for copy in written]


def _writes(url: str, process: int, together: Any) -> None:
    """Begins and ends trials by fours, as a population does."""
    with opened_at(url) as storage:
        bulk = writer(storage, storage.get_study_id_from_name(NAME))
        together.wait()
        for first in range(0, 20, 4):
            numbers = range(first, first + 4)
            bulk.write([trial(number, TrialState.RUNNING) for number in numbers])
            notes = {"process": process, "own": 0}
            bulk.write([trial(number, user_attrs={**notes, "own": number}) for number in numbers])


@mostly_on("sqlite")
def test_processes_that_write_at_once_lose_and_mix_nothing(contract_url: str) -> None:
    with opened_at(contract_url) as storage:
        study = storage.create_new_study(MINIMIZE, NAME)
        together = SPAWN.Barrier(2)
        processes = [
            SPAWN.Process(target=_writes, args=(contract_url, place, together)) for place in range(2)
        ]
        content, watched = Content(), reader(storage, study)
        try:
            for process in processes:
                process.start()
            while any(process.is_alive() for process in processes):
                content = watched.read(content)
                ended = [trial for trial in content.trials if trial.state == TrialState.COMPLETE]
                assert all("process" in one.user_attrs and one.value == 0.5 for one in ended)
                processes[0].join(0.01)
        finally:
            for process in processes:
                process.kill()
                process.join()
        assert [process.exitcode for process in processes] == [0, 0]
        changed = watched.read(content).trials
        assert [one.number for one in changed] == list(range(40))
        assert all(one.state == TrialState.COMPLETE and one.value == 0.5 for one in changed)
        whose = sorted((one.user_attrs["process"], one.user_attrs["own"]) for one in changed)
        assert whose == list(itertools.product(range(2), range(20)))
        for one in changed:
            assert one.params["base_lr"] == pytest.approx(0.1 + one.user_attrs["own"] / 1e3)


@mostly_on("sqlite", "postgres")
def test_threads_may_share_it(storage: BaseStorage) -> None:
    study = storage.create_new_study(MINIMIZE, NAME)
    together = threading.Barrier(4)

    def write(place: int) -> None:
        together.wait()
        for value in range(5):
            storage.set_study_user_attr(study, f"worker:{place}", value)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(write, range(4))) == [None] * 4
    assert storage.get_study_user_attrs(study) == {f"worker:{place}": 4 for place in range(4)}


@mostly_on("sqlite", "grpc")
def test_a_deleted_study_is_gone_for_everybody_and_its_name_is_free(contract_url: str) -> None:
    with opened_at(contract_url) as one, opened_at(contract_url) as other:
        left, deleted = (one.create_new_study(MINIMIZE, name) for name in ("kept", NAME))
        for study in (left, deleted):
            writer(one, study).write([trial(0), trial(1, TrialState.RUNNING)])
            one.set_study_user_attr(study, "note", "old")
        watched = reader(other, deleted)
        before = watched.read(Content())
        one.delete_study(deleted)
        gone: list[Callable[[], Any]] = [
            lambda: other.get_study_id_from_name(NAME),
            lambda: other.get_study_name_from_id(deleted),
            lambda: watched.read(before),
            lambda: one.get_all_trials(deleted),
        ]
        for action in gone:
            with pytest.raises(KeyError):
                action()
        assert list(watched.curves(before.trials)) == []
        again = other.create_new_study(MINIMIZE, NAME)
        assert one.get_study_user_attrs(again) == {} and one.get_all_trials(again) == []
        assert len(reader(other, left).read(Content()).trials) == 2
        assert one.get_study_user_attrs(left) == {"note": "old"}


@mostly_on("sqlite", "grpc")
def test_nothing_is_written_to_a_trial_that_has_ended(storage: BaseStorage) -> None:
    study = storage.create_new_study(MINIMIZE, NAME)
    writer(storage, study).write([trial(0)])
    number = storage.get_trial_id_from_study_id_trial_number(study, 0)
    late: list[Callable[[], Any]] = [
        lambda: storage.set_trial_user_attr(number, "late", 1),
        lambda: storage.set_trial_intermediate_value(number, 1, 0.1),
        lambda: storage.set_trial_state_values(number, TrialState.FAIL),
    ]
    for action in late:
        with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
            action()


@mostly_on("sqlite", "grpc")
def test_optunas_own_loop_runs_on_it(storage: BaseStorage) -> None:
    sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=2)
    study = optuna.create_study(storage=storage, study_name=NAME, sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        trial.report(0.5, 1)
        return trial.suggest_float("base_lr", 1e-3, 1, log=True) + trial.suggest_int("T_0", 1, 60)

    study.optimize(objective, n_trials=5)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 5
    assert len(reader(storage, study._study_id).read(Content()).trials) == 5


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of the kinds that have a schema of their own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/old.db"
    url: str = request.getfixturevalue("postgres_database")
    return url.replace("+psycopg:", ":")


@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True
)
def test_an_older_schema_is_refused_with_the_command_that_upgrades_it(database_url: str) -> None:
    with opened_at(database_url) as storage:
        study = storage.create_new_study(MINIMIZE, NAME)
        written = [trial(0, value=0.25), trial(1, TrialState.PRUNED, intermediate_values={3: math.inf})]
        writer(storage, study).write(written)
        storage.set_study_user_attr(study, "größe", "学習率")
        _downgrade(storage)
    for create in (False, True):
        with pytest.raises(ValueError, match="was made by an older version of Optuna") as refused:
            open_storage(database_url, create=create)
    said = str(refused.value).split("`")[1]
    # Optuna would take another driver for PostgreSQL.
    named = database_url.replace("postgresql:", "postgresql+psycopg:")
    assert said == f"optuna storage upgrade --storage {shown(named)}"
    words = [str(Path(sys.executable).with_name("optuna")), *said.split()[1:-1], named]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with opened_at(database_url) as storage:
        content = reader(storage, study).read(Content())
        assert content.attributes == {"größe": "学習率"}
        assert [trial.value for trial in content.trials] == [0.25, None]
        assert [trial.params for trial in content.trials] == [each.params for each in written]
        assert storage.get_all_trials(study)[1].intermediate_values == {3: math.inf}
        writer(storage, study).write([trial(2)])


def _downgrade(storage: BaseStorage) -> None:
    """Makes the schema that of Optuna 3.0, by Optuna's own steps backwards."""
    import sqlalchemy as sa
    from alembic import command

    assert isinstance(storage, RDBStorage)
    with storage.engine.begin() as connection:
        # The last step has this name for the index; a new database has another.
        connection.execute(sa.text("DROP INDEX ix_trials_study_id"))
        connection.execute(sa.text("CREATE INDEX trials_study_id_key ON trials (study_id)"))
    config = storage._version_manager._create_alembic_config()
    for version in ("v3.0.0.d", "v3.0.0.c"):
        command.downgrade(config, version)


def test_a_newer_schema_is_refused_with_what_to_install(database_url: str) -> None:
    import sqlalchemy as sa

    with opened_at(database_url) as storage:
        assert isinstance(storage, RDBStorage)
        with storage.engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = 'v9.9.0.a'"))
    for create in (False, True):
        with pytest.raises(
            ValueError, match="was made by a newer version of Optuna; install that"
        ) as refused:
            open_storage(database_url, create=create)
        assert "pip install --upgrade optuna" in str(refused.value)
