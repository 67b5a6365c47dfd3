"""A study that several files confirm."""

from pathlib import Path
from typing import Any

import pytest

from sgdr.search.evaluation import race
from sgdr.search.evaluation.fixed_runs import retrain
from tests.search.evaluation.known import Known, copied, sweep


@pytest.fixture(scope="session")
def known_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a study "s" of `Known`, made by best epoch; only to be read."""
    file = tmp_path_factory.mktemp("known") / "s.db"
    sweep(f"sqlite:///{file}", Known())
    return file


@pytest.fixture
def url(known_file: Path, tmp_path: Path) -> str:
    """The storage of a copy of that study."""
    return copied(known_file, tmp_path)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(trial, seed) of what is trained from now on."""
    jobs_: list[tuple[int, int]] = []

    def noted(slots: Any, jobs: Any, *how: Any) -> Any:
        jobs_.extend((job.number, job.seed) for job in jobs)
        return retrain(slots, jobs, *how)

    monkeypatch.setattr(race, "retrain", noted)
    return jobs_
