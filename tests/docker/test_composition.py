"""How compose.yaml is read where no container engine is at hand."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "docker"
GIVEN = {"SGDR_DATABASE_PASSWORD": "word", "SGDR_RAY_TOKEN": "ray", "SGDR_TOKEN_HASH_FILE": "/a/token"}


@pytest.fixture
def composition() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("composition")
        del sys.modules["composition"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("${GIVEN}/${GIVEN:-no}", "yes/yes"),
        ("${OTHER:-no}${OTHER}${EMPTY:-none}", "nonone"),
        ("$${GIVEN} $$1", "${GIVEN} $1"),
    ],
)
def test_variables_are_filled_in(composition: ModuleType, text: str, expected: str) -> None:
    assert composition.filled(text, {"GIVEN": "yes", "EMPTY": ""}) == expected


def test_one_that_must_be_given_is_asked_for(composition: ModuleType) -> None:
    with pytest.raises(ValueError, match="required variable SGDR_RAY_TOKEN is missing a value: make one by"):
        composition.read({**GIVEN, "SGDR_RAY_TOKEN": ""})


def test_services_come_after_those_they_need(composition: ModuleType) -> None:
    found = composition.read({**GIVEN, "SGDR_WORKERS": "3"})
    names = [service.name for service in found]
    assert set(names) == {"postgres", "ray-head", "api", "ray-worker"}
    assert names.index("api") > max(names.index("postgres"), names.index("ray-head"))
    assert names.index("ray-worker") > names.index("ray-head")
    services = dict(zip(names, found, strict=True))
    assert services["ray-worker"].replicas == 3
    assert services["api"].environment["SGDR_STORAGE"] == "postgresql://sgdr:word@postgres:5432/sgdr"
    assert services["api"].environment["RAY_AUTH_TOKEN"] == "ray"
    assert services["api"].ports == (8000,)
    assert services["api"].secrets == {"/run/secrets/token": "/a/token"}
    assert services["api"].volumes["/checkpoints"] == services["ray-worker"].volumes["/checkpoints"]
    assert services["ray-head"].ports == (6379, 10001)
    assert services["ray-head"].health == ("ray", "health-check", "--address=ray-head:6379")
    assert services["ray-head"].health_seconds == 20
