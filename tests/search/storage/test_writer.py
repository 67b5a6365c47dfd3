"""The contract of writers: whatever the way, the storage ends up with the same trials."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.storage.statements import KNOWN_SCHEMA
from sgdr.search.storage.writer import BulkWriter, CallWriter, writer
from tests.storages import empty_storage

SPACE = {
    "base_lr": FloatDistribution(1e-3, 1.0, log=True),
    "T_0": IntDistribution(1, 60, log=True),
    "T_mult": CategoricalDistribution((1, 2, 3)),
}


pytestmark = pytest.mark.usefixtures("far_from_utc")


@pytest.fixture(params=["sqlite", "postgres", pytest.param("grpc", marks=pytest.mark.slow)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStorage]:
    with empty_storage(request.param, request, tmp_path) as url:
        opened = open_storage(url, create=True)
        yield opened
        close_storage(opened)


def story(writer: Any, study: optuna.Study) -> None:
    """What happens to trials in a sweep: asked, reported, ended in each way, written at different moments."""
    asked = []

    def write() -> None:
        trials = study.get_trials(deepcopy=False)
        writer.write([trials[trial.number] for trial in asked])

    writer.write([])
    study.enqueue_trial({"base_lr": 0.5, "T_0": 3, "T_mult": 2}, user_attrs={"retry_of": 0})
    for number in range(6):
        trial = study.ask(SPACE)
        trial.set_user_attr("schedule", {"base_lr": trial.params["base_lr"], "naïve ✓": None})
        asked.append(trial)
        if number == 2:
            write()
    for trial in asked:
        trial.report(float("inf") if trial.number == 3 else 0.5, 2)
    write()
    for trial in asked[:4]:
        trial.report(float("nan") if trial.number == 3 else -1e-300, 7)
        trial.set_user_attr("curve", {"error": [0.1, 0.2]})
    study.tell(asked[0], 0.125)
    study.tell(asked[1], state=TrialState.PRUNED)
    study.tell(asked[2], state=TrialState.FAIL)
    study.tell(asked[3], float("-inf"))
    write()
    last = study.ask(SPACE)
    last.set_user_attr("curve", {})
    study.tell(last, 1.0)  # ended before it was ever written
    writer.write([study.get_trials(deepcopy=False)[last.number]])


def comparable(trial: FrozenTrial) -> dict[str, Any]:
    fields = ("number", "state", "values", "params", "distributions", "user_attrs", "system_attrs")
    values = {epoch: repr(value) for epoch, value in trial.intermediate_values.items()}
    return {**{name: getattr(trial, name) for name in fields}, "intermediate": values}


@pytest.mark.parametrize("kind", ["its own", CallWriter])
def test_storage_ends_up_with_the_trials(storage: BaseStorage, kind: Any) -> None:
    make = writer if kind == "its own" else kind
    for name in ("first", "second"):  # ids and numbers differ in the second
        number = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], name)
        bulk = make(storage, number)
        assert isinstance(bulk, BulkWriter) == (make is writer and isinstance(storage, RDBStorage))
        memory = optuna.create_study(
            storage=InMemoryStorage(), sampler=optuna.samplers.RandomSampler(seed=1), study_name=name
        )
        story(bulk, memory)
        stored = storage.get_all_trials(number)
        assert [comparable(trial) for trial in stored] == [comparable(trial) for trial in memory.trials]
        for mine, theirs in zip(memory.trials, stored, strict=True):
            assert theirs.datetime_start == mine.datetime_start
            assert (theirs.datetime_complete is None) == (not mine.state.is_finished())
    loaded = optuna.load_study(study_name=name, storage=storage)
    assert loaded.ask(SPACE).number == len(stored)  # Optuna goes on counting where the writer stopped


def test_failed_transaction_writes_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sgdr.db"
    storage = open_storage(url, create=True)
    number = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "torn")
    memory = optuna.create_study(storage=InMemoryStorage(), sampler=optuna.samplers.RandomSampler(seed=1))
    trials = [memory.ask(SPACE) for _ in range(3)]
    trials[2].set_user_attr("bad", 1)
    frozen = memory.get_trials()
    frozen[2].user_attrs["bad"] = object()
    bulk = BulkWriter(storage.engine, number)
    with pytest.raises(TypeError):
        bulk.write(frozen)
    assert storage.get_all_trials(number) == []
    bulk.write(memory.get_trials())
    assert [trial.params for trial in storage.get_all_trials(number)] == [
        trial.params for trial in memory.trials
    ]


def test_schema_of_the_installed_optuna_is_the_known_one(tmp_path: Path) -> None:
    from optuna.storages._rdb import models

    assert models.SCHEMA_VERSION == KNOWN_SCHEMA
    storage = open_storage(f"sqlite:///{tmp_path}/sgdr.db", create=True)
    assert isinstance(writer(storage, 1), BulkWriter)
    assert isinstance(writer(InMemoryStorage(), 1), CallWriter)
