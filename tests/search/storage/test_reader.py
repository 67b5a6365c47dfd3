"""The contract of readers: whatever the way, what is read is what Optuna's own calls give, less curves."""

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from experiments.bench.filled import drawn, settings_of
from sgdr.search.storage import reader as reading
from sgdr.search.storage.connect import close_storage, open_storage
from sgdr.search.storage.reader import BulkReader, CallReader, Content, OpenedFile, Reader, reader
from sgdr.search.storage.statements import KNOWN_SCHEMA
from sgdr.search.storage.writer import writer
from tests.storages import empty_storage

SPACE = {
    "base_lr": FloatDistribution(1e-3, 1.0, log=True),
    "T_0": IntDistribution(1, 60, log=True),
    "T_mult": CategoricalDistribution((1, 2, 3)),
    "fläche ✓": CategoricalDistribution((None, True, "größe", 0.5)),
}
NAME = "study 学習率 ✓"


# Calls are what reads from memory, which is the fastest.
BY_CALLS = [pytest.param(name, marks=pytest.mark.slow) for name in ("grpc", "sqlite by calls")]


@pytest.fixture(params=["sqlite", "postgres", *BY_CALLS, "memory"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[BaseStorage, Any]]:
    """A storage, and what makes a reader of it."""
    if request.param == "memory":
        yield InMemoryStorage(), reader
        return
    kind, _, by_calls = request.param.partition(" ")
    with empty_storage(kind, request, tmp_path) as url:
        opened = open_storage(url, create=True)
        yield opened, CallReader if by_calls else reader
        close_storage(opened)


@pytest.fixture
def storage(way: tuple[BaseStorage, Any]) -> BaseStorage:
    return way[0]


@pytest.fixture
def study(storage: BaseStorage) -> optuna.Study:
    sampler = optuna.samplers.RandomSampler(seed=0)
    return optuna.create_study(storage=storage, study_name=NAME, sampler=sampler)


@pytest.fixture
def opened(way: tuple[BaseStorage, Any], study: optuna.Study) -> Reader:
    storage, make = way
    bulk: Reader = make(storage, study._study_id)
    return bulk


def less_curves(trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    """All that a content holds of trials; NaN is the same as NaN."""
    fields = ("number", "_trial_id", "state", "values", "params", "distributions", "system_attrs")
    fields = (*fields, "datetime_start", "datetime_complete")
    return [
        {
            **{name: getattr(trial, name) for name in fields},
            "order": list(trial.params),
            "user": {name: repr(x) for name, x in sorted(trial.user_attrs.items()) if name != "curve"},
        }
        for trial in trials
    ]


def stored(study: optuna.Study) -> list[FrozenTrial]:
    return study._storage.get_all_trials(study._study_id)


def in_all_states(study: optuna.Study) -> list[optuna.Trial]:
    """Trials of every state and kind of value; returns those that are running."""
    asked = [study.ask(SPACE) for _ in range(7)]
    for trial in asked:
        trial.set_user_attr("schedule", {"base_lr": trial.params["base_lr"], "naïve ✓": [None, 1e-300]})
        trial.set_user_attr("note", float("nan") if trial.number == 2 else float("inf"))
        trial.report(float("nan"), 1)
        trial.set_user_attr("curve", {"error": [0.5, float("nan")], "größe": [1.0, float("inf")]})
    study.tell(asked[0], 0.25)
    study.tell(asked[1], float("inf"))
    study.tell(asked[2], float("-inf"))
    study.tell(asked[3], state=TrialState.PRUNED)
    study.tell(asked[4], state=TrialState.FAIL)
    study.enqueue_trial({"base_lr": 0.5, "T_0": 3}, user_attrs={"retry_of": 4})
    return asked[5:]


def test_content_is_what_optuna_gives_less_the_curves(study: optuna.Study, opened: Reader) -> None:
    in_all_states(study)
    study.set_user_attr("größe", {"naïve": [1.5, None]})
    content = opened.read(Content())
    assert {trial.state for trial in content.trials} == set(TrialState)
    assert less_curves(content.trials) == less_curves(stored(study))
    assert content.attributes == {"größe": {"naïve": [1.5, None]}}
    assert all("curve" not in trial.user_attrs for trial in content.trials)
    assert all(trial.intermediate_values == {} for trial in content.trials)
    assert len(content.unfinished) == 3


def test_content_of_an_empty_study_is_empty(study: optuna.Study, opened: Reader) -> None:
    empty = Content()
    assert opened.read(empty) is empty


def test_content_without_news_is_the_one_before(study: optuna.Study, opened: Reader) -> None:
    in_all_states(study)  # of which some could change, and one has NaN for a value
    before = opened.read(Content())
    assert opened.read(before) is before


def test_news_are_read_and_nothing_else_is_touched(study: optuna.Study, opened: Reader) -> None:
    running = in_all_states(study)
    before = opened.read(Content())
    trials, shown = list(before.trials), less_curves(before.trials)
    changes: list[Callable[[], Any]] = [
        lambda: running[0].set_user_attr("new", "größe"),
        lambda: study._storage.set_trial_system_attr(running[0]._trial_id, "new", 1),
        lambda: study.tell(running[1], 0.125),
        lambda: study.ask(SPACE),  # takes the one that waits
        lambda: study.ask(SPACE),
        lambda: study.set_user_attr("verdict", {"decision": "undecided"}),
        lambda: study.tell(running[0], state=TrialState.PRUNED),
    ]
    content = before
    for change in changes:
        earlier = content
        change()
        content = opened.read(earlier)
        assert content is not earlier
        assert less_curves(content.trials) == less_curves(stored(study))
        assert opened.read(content) is content
    assert content.attributes == {"verdict": {"decision": "undecided"}}
    assert all(new is old for new, old in zip(content.trials[:5], trials[:5], strict=True))
    assert before.trials == trials and less_curves(trials) == shown


def test_curves_are_read_of_the_trials_that_have_one(study: optuna.Study, opened: Reader) -> None:
    in_all_states(study)
    trials = opened.read(Content()).trials
    found = list(opened.curves([trials[3], trials[7], trials[0]]))
    assert [number for number, _ in found] == [3, 0]  # the seventh waits
    curves = {trial.number: trial.user_attrs.get("curve") for trial in stored(study)}
    assert all(repr(curve) == repr(curves[number]) for number, curve in found)
    assert list(opened.curves([])) == []


def test_any_number_of_trials_is_read_in_chunks(
    study: optuna.Study, opened: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading.statements, "CHUNK", 3)
    running = [study.ask(SPACE) for _ in range(10)]
    before = opened.read(Content())
    assert len(before.unfinished) == 10
    for trial in running[::2]:
        trial.set_user_attr("curve", {"error": [float(trial.number)]})
        study.tell(trial, 1.0)
    content = opened.read(before)
    assert less_curves(content.trials) == less_curves(stored(study)) and len(content.unfinished) == 5
    assert dict(opened.curves(content.trials)) == {
        number: {"error": [float(number)]} for number in range(0, 10, 2)
    }


@pytest.mark.slow
def test_more_trials_than_a_statement_takes_variables(tmp_path: Path) -> None:
    """SQLite takes 32,766 variables, where nobody has set another limit."""
    storage = open_storage(f"sqlite:///{tmp_path}/s.db", create=True)
    number = storage.create_new_study([StudyDirection.MINIMIZE], "s")
    waiting = optuna.trial.create_trial(state=TrialState.WAITING)
    writer(storage, number).write([numbered(waiting, place) for place in range(33_000)])
    content = reader(storage, number).read(Content())
    assert len(content.unfinished) == len(content.trials) == 33_000
    assert reader(storage, number).read(content) is content


def numbered(trial: FrozenTrial, number: int) -> FrozenTrial:
    created = optuna.trial.create_trial(state=trial.state)
    created.number = number
    return created


def test_several_values_are_read_in_their_order(storage: BaseStorage, way: tuple[BaseStorage, Any]) -> None:
    study = optuna.create_study(storage=storage, study_name=NAME, directions=["minimize", "maximize"])
    study.tell(study.ask(SPACE), [0.5, float("inf")])
    content = way[1](storage, study._study_id).read(Content())
    assert content.trials[0].values == [0.5, float("inf")]


def test_studies_are_kept_apart(storage: BaseStorage, study: optuna.Study, opened: Reader) -> None:
    other = optuna.create_study(storage=storage, study_name="other")
    for number in (other, study, other, study):
        trial = number.ask(SPACE)
        trial.set_user_attr("curve", {"error": [1.0]})
        number.tell(trial, 0.5)
    content = opened.read(Content())
    assert less_curves(content.trials) == less_curves(stored(study)) and len(content.trials) == 2


def test_study_that_is_deleted_or_made_again_is_not_mixed_with_the_old(
    storage: BaseStorage, study: optuna.Study, opened: Reader
) -> None:
    in_all_states(study)
    before = opened.read(Content())
    storage.delete_study(study._study_id)
    with pytest.raises(KeyError):
        opened.read(before)
    assert list(opened.curves(before.trials[:1])) == []
    again = optuna.create_study(storage=storage, study_name=study.study_name)  # SQLite gives it the same id
    in_all_states(again)
    with pytest.raises(KeyError):
        opened.read(before)
    assert list(opened.curves(before.trials[:1])) == []


@pytest.mark.slow
def test_trials_that_are_seen_as_finished_are_whole(study: optuna.Study, opened: Reader) -> None:
    """While another writes them, several at a time, as a sweep does."""
    settings = settings_of(200, 10, 0)
    failures: list[Exception] = []

    def write() -> None:
        try:
            bulk = writer(study._storage, study._study_id)
            for ended in batches(itertools.islice(drawn(settings, "w"), 36), 6):
                begun = [as_begun(trial) for trial in ended]
                bulk.write(begun)
                bulk.write(ended)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    content, reads = Content(), 0
    while thread.is_alive():
        content, reads = opened.read(content), reads + 1
        for trial in content.trials:
            assert set(trial.params) == set(trial.distributions) and trial.params
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                assert {"epochs", "seconds", "schedule", "seed"} <= trial.user_attrs.keys()
            assert (trial.values is not None) or trial.state != TrialState.COMPLETE
    thread.join()
    assert not failures and reads > 1
    content = opened.read(content)
    assert less_curves(content.trials) == less_curves(stored(study)) and len(content.trials) == 36


def batches(trials: Iterator[FrozenTrial], size: int) -> Iterator[list[FrozenTrial]]:
    while batch := list(itertools.islice(trials, size)):
        yield batch


def as_begun(trial: FrozenTrial) -> FrozenTrial:
    """The trial as it was before it ended."""
    created = optuna.trial.create_trial(
        state=TrialState.RUNNING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={name: x for name, x in trial.user_attrs.items() if name in ("schedule", "arm", "seed")},
    )
    created.number, created.datetime_start = trial.number, trial.datetime_start
    return created


def test_states_are_read_before_what_belongs_to_them(tmp_path: Path) -> None:
    """A trial that ends between two statements is seen as running, and read again."""
    storage = open_storage(f"sqlite:///{tmp_path}/s.db", create=True)
    study = optuna.create_study(storage=storage, study_name="s")
    trial = study.ask(SPACE)
    opened = reader(storage, study._study_id)
    done = threading.Event()

    def ends(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "trial_params" in statement and not done.is_set():
            done.set()
            trial.set_user_attr("epochs", 3)
            study.tell(trial, 0.5)

    sa.event.listen(storage.engine, "before_cursor_execute", ends)
    content = opened.read(Content())
    assert done.is_set() and content.trials[0].state == TrialState.RUNNING and content.unfinished
    (ended,) = opened.read(content).trials
    assert (ended.state, ended.value, ended.user_attrs) == (TrialState.COMPLETE, 0.5, {"epochs": 3})


def test_the_fastest_reader_is_chosen_by_the_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/s.db", create=True)
    assert isinstance(reader(storage, 1), BulkReader) and isinstance(reader(InMemoryStorage(), 1), CallReader)
    monkeypatch.setattr(reading.models, "SCHEMA_VERSION", KNOWN_SCHEMA + 1)
    assert isinstance(reader(storage, 1), CallReader)


def test_no_curve_is_read_with_the_trials(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/s.db", create=True)
    study = optuna.create_study(storage=storage, study_name="s")
    in_all_states(study)
    parsed = []
    load = reading.json.loads
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading.json, "loads", lambda text: parsed.append(text) or load(text))
        reader(storage, study._study_id).read(Content())
    assert parsed and not any("0.5, NaN" in text for text in parsed)


def test_an_opened_file_is_known_from_another_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.db"
    storage = open_storage(f"sqlite:///{path}", create=True)
    assert isinstance(storage, RDBStorage)
    opened = OpenedFile(storage)
    monkeypatch.chdir("/")
    opened.check()
    path.rename(tmp_path / "moved.db")
    with pytest.raises(KeyError):
        opened.check()
    path.touch()
    with pytest.raises(KeyError):
        opened.check()
    (tmp_path / "moved.db").rename(path)
    opened.check()
    OpenedFile(InMemoryStorage()).check()
