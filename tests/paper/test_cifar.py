"""CIFAR with a wide residual network as a workload: that it is one, and how it steps."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.workloads import cifar, wide_residual
from experiments.workloads.cifar import Augmented
from sgdr.search.problem.functions import check_functions
from sgdr.search.problem.workload import Workload

Examples = tuple[np.ndarray, np.ndarray]


def examples(count: int, classes: int = 10) -> Examples:
    random = np.random.default_rng(count)
    images = random.integers(256, size=(count, 32, 32, 3)).astype(np.uint8)
    return images, random.integers(classes, size=count).astype(np.int32)


@pytest.fixture(scope="module")
def workload() -> Augmented:
    init = partial(wide_residual.init, depth=10, width=1, classes=10)
    return Augmented("small", init, examples(20), examples(9), batch_size=8)


def test_it_is_a_workload(workload: Augmented) -> None:
    assert isinstance(workload, Workload)
    assert (workload.steps_per_epoch, workload.metric, workload.select_metric) == (2, "error", "select_error")
    with jax.numpy_dtype_promotion("strict"):
        check_functions(workload, {})


def test_the_optimizer_knows_the_weights_alone(workload: Augmented) -> None:
    state = jax.eval_shape(workload.init, jax.eval_shape(lambda: jax.random.key(0)))
    weights, moments = (
        len(jax.tree.leaves(state.params.weights)),
        len(jax.tree.leaves(state.params.statistics)),
    )
    assert len(jax.tree.leaves(state.optimizer)) == weights
    assert moments == 2 * (2 * 3 + 1)


def test_momentum_is_nesterovs_and_gathers_the_weight_decay() -> None:
    """Two steps by hand: v = 0.9 v + g + 5e-4 w, w = w - lr (g + 5e-4 w + 0.9 v)."""
    weight, velocity, rate = 2.0, 0.0, 0.1
    ours = jnp.float32(weight)
    state = cifar.optimizer(0.0).init(ours)
    for gradient in (1.0, -3.0):
        decayed = gradient + 5e-4 * weight
        velocity = 0.9 * velocity + decayed
        weight -= rate * (decayed + 0.9 * velocity)
        update, state = cifar.optimizer(rate).update(jnp.float32(gradient), state, ours)
        ours += update
        assert float(ours) == pytest.approx(weight, rel=1e-6)


def test_the_mean_image_is_subtracted() -> None:
    images, labels = examples(16)
    init = partial(wide_residual.init, depth=10, width=1, classes=10)
    workload = Augmented("small", init, (images, labels), (images, labels), batch_size=8)
    np.testing.assert_allclose(workload.mean_image, (images / 255).mean(0), rtol=1e-5)
