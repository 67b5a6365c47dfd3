"""The kinds of storage that the contract suites run on; a new one is one more name here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sgdr.search.storage.schema import StudyAttributes

KINDS = ("sqlite", "postgres", "grpc")
"""A file, a database on the tests' server, and a file behind Optuna's gRPC proxy."""


@contextmanager
def empty_storage(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The URL of a storage of that kind, the test's own."""
    if kind == "postgres":
        yield request.getfixturevalue("postgres_database")
    elif kind == "sqlite":
        yield f"sqlite:///{folder}/contract.db"
    else:
        pytest.importorskip("grpc")
        from sgdr.search.storage.grpc_server import serve

        with serve(f"sqlite:///{folder}/contract.db") as url:
            yield url


def stored(**changed: Any) -> StudyAttributes:
    """What the study of a sweep says, with those changes."""
    metrics = {"metric": "error", "select_metric": None, "direction": "minimize", "steps_per_epoch": None}
    sweep = {"workload": "w", "budget": 1, "space": {"hparams": {}}, "objective": "best-epoch", "seed": 0}
    return StudyAttributes.from_attrs(sweep | metrics | changed)
