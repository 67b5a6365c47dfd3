"""What holds for every workload on real data: its declaration, its functions, and that it learns."""

from __future__ import annotations

import functools
import gzip
import struct
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.supervised import Supervised
from sgdr.search.problem.workload import Workload, check_declaration
from sgdr.workloads import fashion_mnist

ROOT = Path(__file__).parents[2]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["sgdr.workloads"]
STEPS_PER_EPOCH = {
    "digits": 20,
    "digits-noisy": 20,
    "mnist1d": 40,
    "mnist1d-noisy": 40,
    "fashion-mnist": 468,
    "fashion-mnist-cnn": 468,
}
FUNCTIONS = ("digits-torch", "digits-growing-batches")
"""Workloads that train one trial themselves, see test_functions.py."""
PACKAGES = {"digits": "sklearn", "digits-noisy": "sklearn", "mnist1d": "mnist1d", "mnist1d-noisy": "mnist1d"}
Metrics = dict[str, float]


def factory(name: str) -> Callable[[], Supervised]:
    module, _, function = DECLARED[name].partition(":")
    make: Callable[[], Supervised] = getattr(import_module(module), function)
    return make


# Convolutions compile and train for long; test_models.py computes some at every run.
# The noisy ones differ from theirs in labels alone, of which test_digits.py and test_mnist1d.py say that.
SLOW = {"fashion-mnist-cnn", "digits-noisy", "mnist1d-noisy"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in STEPS_PER_EPOCH],
)
def workload(request: pytest.FixtureRequest) -> Iterator[Supervised]:
    name = request.param
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    elif not fashion_mnist.DEBIAN.is_dir():
        pytest.skip("dataset-fashion-mnist is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(fashion_mnist.DIRECTORY, raising=False)
        yield factory(name)()


def test_all_declared_ones_are_tested() -> None:
    assert set(DECLARED) == {*STEPS_PER_EPOCH, *FUNCTIONS}


def test_its_declaration_and_functions_are_sound(
    workload: Supervised, request: pytest.FixtureRequest
) -> None:
    assert workload.name in DECLARED
    assert isinstance(workload, Workload)
    assert workload.steps_per_epoch == STEPS_PER_EPOCH[workload.name]
    assert (workload.metric, workload.select_metric, workload.direction) == (
        "error",
        "select_error",
        "minimize",
    )
    low, high = workload.base_lr
    assert 0 < low < high
    check_declaration(workload)
    with jax.numpy_dtype_promotion("strict"):
        check_functions(workload, {})


def test_it_learns(workload: Supervised) -> None:
    """Far below the error of guessing, 0.9, within 100 steps."""
    _, learnt = trained(workload, 100)
    for half in ("error", "select_error"):
        assert learnt[half] < (0.7 if workload.name.startswith("mnist1d") else 0.4)


def test_a_seed_names_a_trial(workload: Supervised) -> None:
    (_, first), (_, again), (_, other) = (trained(workload, 3, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.fixture
def left_or_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny files of the published form, so that the images' path is tested everywhere."""
    for count, (images, labels) in zip((256, 32), fashion_mnist.FILES, strict=True):
        side = (np.arange(count) // 2 % 2).astype(np.uint8)
        pixels = np.zeros((count, 28, 28), np.uint8)
        pixels[side == 0, :, :10] = pixels[side == 1, :, 18:] = 250
        for file, array in ((images, pixels), (labels, side)):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (tmp_path / f"{file}.gz").write_bytes(gzip.compress(header + array.tobytes()))
    monkeypatch.setenv(fashion_mnist.DIRECTORY, str(tmp_path))


@pytest.mark.usefixtures("left_or_right")
@pytest.mark.parametrize("name", ["fashion-mnist", "fashion-mnist-cnn"])
def test_made_up_images_are_as_good_as_the_published(name: str) -> None:
    workload = factory(name)()
    assert workload.steps_per_epoch == 2
    check_functions(workload, {})


@pytest.mark.usefixtures("left_or_right")
@pytest.mark.parametrize("name", ["fashion-mnist", pytest.param("fashion-mnist-cnn", marks=pytest.mark.slow)])
def test_left_is_told_from_right(name: str) -> None:
    workload = factory(name)()
    before, after = trained(workload, 20)
    assert after["loss"] < before["loss"]
    assert after["error"] == after["select_error"] == 0


def trained(workload: Supervised, steps: int, seed: int = 0) -> tuple[Metrics, Metrics]:
    """The metrics before and after."""
    init, update, evaluate = compiled(workload)
    key = jax.random.key(seed)
    start = state = init(key)
    for step in range(steps):
        state = update(state, jnp.float32(0.05), jnp.int32(step), key, {})
    before, after = ({k: float(v) for k, v in evaluate(state).items()} for state in (start, state))
    return before, after


@functools.lru_cache(maxsize=1)
def compiled(workload: Supervised) -> tuple[Callable[..., Any], ...]:
    return jax.jit(workload.init), jax.jit(workload.update), jax.jit(workload.evaluate)
