"""What the contract suites share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storages import KINDS, empty_storage


@pytest.fixture(params=KINDS)
def contract_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty storage, in turn of each kind."""
    with empty_storage(request.param, request, tmp_path) as url:
        yield url
