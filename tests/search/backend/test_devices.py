"""What a population takes of a machine."""

from __future__ import annotations

import os

import pytest

from sgdr.search.backend.devices import share_gpu_memory

NAMES = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "")  # put back afterwards, whatever the test does
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("share", "fraction"), [(1.0, 0.9), (0.5, 0.45), (0.25, 0.225), (1 / 3, 0.3)])
def test_those_who_share_a_gpu_take_ninety_percent_together(share, fraction):
    share_gpu_memory(share)
    assert float(os.environ[NAMES[0]]) == fraction
    assert NAMES[1] not in os.environ


@pytest.mark.parametrize("name", NAMES)
def test_what_the_environment_says_stays(name, monkeypatch):
    monkeypatch.setenv(name, "0.1")
    share_gpu_memory(0.5)
    assert [os.environ.get(name) for name in NAMES] == [("0.1" if other == name else None) for other in NAMES]
