"""What workloads declare, asked for in processes of their own."""

import logging
import threading
import time

import pytest
from sgdr_service.sweeps.children import child_environment
from sgdr_service.sweeps.declarations import RETRY_SECONDS, Declarations, WorkloadUnavailable

from sgdr.search.problem.declaration import Declaration
from sgdr.search.problem.lookup import find


@pytest.fixture
def folder(registered_workloads):
    return registered_workloads


@pytest.mark.parametrize("name", ["quick", pytest.param("tiny", marks=pytest.mark.slow)])
def test_they_are_what_the_workload_declares(folder, name):
    assert Declarations().get(name) == Declaration.of(find(name))


@pytest.mark.parametrize("name", ["nope", "", "sweep_workloads:quick", "-h", "..", "a\nb"])
def test_names_that_are_not_registered_list_those_that_are(folder, name):
    with pytest.raises(ValueError, match=r"is not registered: use one of .*quick.*tiny") as refused:
        Declarations().get(name)
    assert type(refused.value) is ValueError and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("absent", "ModuleNotFoundError", marks=pytest.mark.slow),
        ("leaking", "OSError"),
        pytest.param("leaving", "SystemExit", marks=pytest.mark.slow),
        ("crashing", "its process ended without an answer"),
        pytest.param("unfit", "KeyError", marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_loaded_leaks_nothing(folder, caplog, name, said):
    with pytest.raises(WorkloadUnavailable) as refused:
        Declarations().get(name)
    assert str(refused.value) == f"workload {name!r} cannot be loaded: {said}"
    if name == "leaking":
        assert "/secret/path" in caplog.text


def test_a_workloads_own_words_are_told_and_tried_again_later(folder, caplog):
    now = 0.0
    declarations = Declarations(clock=lambda: now)
    (folder / "broken").touch()
    for _ in range(2):
        with pytest.raises(
            WorkloadUnavailable, match=r"cannot be loaded: the data is missing; put it there$"
        ):
            declarations.get("flaky")
    assert len(caplog.records) == 1 and caplog.records[0].levelno == logging.WARNING
    (folder / "broken").unlink()
    now = RETRY_SECONDS - 1
    with pytest.raises(WorkloadUnavailable):
        declarations.get("flaky")
    now = RETRY_SECONDS
    assert declarations.get("flaky").name == "quick"  # though it prints, in Python and from below
    (folder / "broken").touch()
    assert declarations.get("flaky").name == "quick"


def test_a_workload_that_takes_too_long_is_killed(folder, caplog):
    began = time.monotonic()
    with pytest.raises(WorkloadUnavailable, match=r"'endless' cannot be loaded: it took more than 0\.5 s"):
        Declarations(timeout=0.5).get("endless")
    assert time.monotonic() - began < 10


def test_a_workload_is_asked_once_however_many_ask(folder, monkeypatch):
    declarations, asked = Declarations(), []
    answer = declarations._answer

    def counted(name):
        asked.append(name)
        return answer(name)

    monkeypatch.setattr(declarations, "_answer", counted)
    threads = [threading.Thread(target=declarations.get, args=("quick",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["quick"]


def test_children_get_neither_the_token_nor_the_storage(monkeypatch):
    for name in ("SGDR_TOKEN_HASH", "sgdr_token_file", "SGDR_STORAGE", "SGDR_CACHE"):
        monkeypatch.setenv(name, "x")
    environment = child_environment(MORE="y")
    assert "SGDR_CACHE" in environment and environment["MORE"] == "y"
    assert not {"SGDR_TOKEN_HASH", "sgdr_token_file", "SGDR_STORAGE"} & environment.keys()
