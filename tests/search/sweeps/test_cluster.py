"""The workers of a sweep: which are refused before anything starts."""

import math

import pytest

from sgdr.search.sweeps.cluster import Cluster, cluster_of
from sgdr.search.sweeps.config import SweepConfig

GOOD = {"workers": 1, "cpus_per_worker": 1, "gpus_per_worker": 0, "address": None}


def checked(engine, **options):
    return cluster_of(SweepConfig(engine=engine, **options))


@pytest.fixture(autouse=True)
def no_address(monkeypatch):
    monkeypatch.delenv("SGDR_RAY_ADDRESS", raising=False)


@pytest.mark.parametrize("engine", ["steam", "", None, 3, "Ray"])
def test_an_engine_that_is_not_known_is_refused(engine):
    with pytest.raises(ValueError) as refused:
        checked(engine, **GOOD)
    assert str(refused.value) == f"engine={engine!r} must be one of local, ray"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("workers", (0, -1, 1.5, "4", None, True, math.nan, 1001, 10**30)),
        ("cpus_per_worker", (0, -1, 1.5, "1", None, True, math.nan, math.inf)),
        ("gpus_per_worker", (-0.5, 1.5, "1", None, True, math.nan, math.inf)),
    ],
)
def test_workers_that_cannot_be_are_refused_by_name_and_value(name, values):
    for value in values:
        with pytest.raises(ValueError) as refused:
            checked("ray", **{**GOOD, name: value})
        assert str(refused.value).startswith(f"{name}={value!r} must be") and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("workers", 2), ("cpus_per_worker", 0.5), ("gpus_per_worker", 1), ("address", "auto")],
)
def test_what_is_for_ray_is_refused_by_the_local_engine(name, value):
    assert checked("local", **GOOD) is None
    with pytest.raises(ValueError) as refused:
        checked("local", **{**GOOD, name: value})
    assert str(refused.value) == (f"{name}={value!r} is for engine='ray'; give that too, or leave {name} out")


@pytest.mark.parametrize(("cpus", "cores"), [(0.25, 1), (1, 1), (1.0, 1), (3, 3)])
def test_a_worker_has_whole_cores(cpus, cores):
    config = checked("ray", workers=2, cpus_per_worker=cpus, gpus_per_worker=0.5)
    assert config == Cluster(2, float(cpus), 0.5, None) and config.cores == cores


def test_the_address_is_that_of_the_environment_where_none_is_given(monkeypatch):
    monkeypatch.setenv("SGDR_RAY_ADDRESS", "head:6379")
    assert checked("ray", **GOOD).address == "head:6379"
    assert checked("ray", **{**GOOD, "address": "auto"}).address == "auto"
    assert checked("local", **GOOD) is None
    monkeypatch.setenv("SGDR_RAY_ADDRESS", "")
    assert checked("ray", **GOOD).address is None
