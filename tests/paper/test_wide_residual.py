"""The wide residual network: its size, its shapes, its statistics; and the changes of its images."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.workloads import wide_residual
from experiments.workloads.augmentation import MARGIN, mirrored_and_moved
from experiments.workloads.wide_residual import KEPT, apply, init

KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("depth", "width", "classes", "millions"), [(28, 10, 10, 36.5), (28, 20, 10, 145.8), (16, 8, 10, 11.0)]
)
def test_it_has_as_many_weights_as_published(depth: int, width: int, classes: int, millions: float) -> None:
    """The numbers are those of table 1 of Loshchilov and Hutter."""
    network = jax.eval_shape(lambda key: init(key, depth, width, classes), KEY)
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(network.weights))
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize("depth", [4, 9, 27, 0, -2])
def test_a_bad_depth_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"^depth={depth} must be 6n \+ 4: 10, 16, 22, 28"):
        init(KEY, depth, 1, 10)


def test_a_bad_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^width=0 must be at least 1$"):
        init(KEY, 10, 0, 10)


def test_shapes_and_groups() -> None:
    """The first group keeps the side of 32 pixels, the other two halve it."""
    network = jax.eval_shape(lambda key: init(key, 16, 2, 100), KEY)
    assert [block["first"].shape[2:] for block in network.weights["blocks"]] == [
        (16, 32),
        (32, 32),
        (32, 64),
        (64, 64),
        (64, 128),
        (128, 128),
    ]
    assert ["shortcut" in block for block in network.weights["blocks"]] == [True, False] * 3
    images = jnp.zeros((3, 32, 32, 3))
    jaxpr = str(jax.make_jaxpr(lambda net, x: apply(*net, x, training=False))(network, images))
    assert all(f"f32[3,{side},{side}," in jaxpr for side in (32, 16, 8)) and "f32[3,4,4," not in jaxpr
    logits, _ = jax.eval_shape(lambda net, x: apply(*net, x, training=False), network, images)
    assert logits.shape == (3, 100)


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (1, 1), (1, 2)])
def test_a_sum_of_products_is_a_convolution(side: int, stride: int) -> None:
    random = np.random.default_rng(0)
    x, kernel = (
        jnp.asarray(random.normal(size=shape), jnp.float32) for shape in ((2, 8, 8, 5), (side, side, 5, 7))
    )
    ours = wide_residual._by_products(x, kernel, stride)
    assert ours.shape == (2, 8 // stride, 8 // stride, 7)
    np.testing.assert_allclose(ours, wide_residual._by_convolution(x, kernel, stride), atol=1e-5)


def test_kernels_are_of_the_right_spread() -> None:
    kernel = init(KEY, 10, 1, 10).weights["blocks"][-1]["second"]
    assert kernel.shape == (3, 3, 64, 64)
    assert float(kernel.std()) == pytest.approx(math.sqrt(2 / (3 * 3 * 64)), rel=0.02)


def test_normalising_by_the_batch_and_by_what_was_kept() -> None:
    random = np.random.default_rng(1)
    x = jnp.asarray(random.normal(3, 2, size=(8, 4, 4, 2)), jnp.float32)
    norm = wide_residual.Norm(jnp.array([1.0, 2.0]), jnp.array([0.0, 5.0]))
    running = wide_residual.Moments(jnp.zeros(2), jnp.ones(2))
    out, seen = wide_residual._normalised(x, norm, running, training=True)
    np.testing.assert_allclose(out.mean((0, 1, 2)), [0, 5], atol=1e-5)
    np.testing.assert_allclose(out.std((0, 1, 2)), [1, 2], rtol=1e-4)
    np.testing.assert_allclose(seen.mean, (1 - KEPT) * x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(seen.variance, KEPT + (1 - KEPT) * x.var((0, 1, 2)), rtol=1e-5)
    out, unchanged = wide_residual._normalised(x, norm, running, training=False)
    np.testing.assert_allclose(out, x * norm.scale + norm.shift, atol=1e-3)
    assert unchanged is running


def test_images_are_moved_by_up_to_four_pixels_and_mirrored_half_the_time() -> None:
    """Each shows the position of one lit pixel, and which side is the left."""
    count, y, x = 900, 12, 20
    images = jnp.zeros((count, 32, 32, 3)).at[:, y, x].set(jnp.array([1.0, 2.0, 3.0]))
    changed = np.asarray(jax.jit(mirrored_and_moved)(KEY, images))
    assert changed.shape == images.shape
    which, rows, columns = np.nonzero(changed[..., 1])
    assert which.tolist() == list(range(count))
    np.testing.assert_array_equal(changed[which, rows, columns], np.tile([1, 2, 3], (count, 1)))
    mirror = columns < 16
    assert 0.45 < mirror.mean() < 0.55
    moves = np.stack([rows - y, np.where(mirror, columns - (31 - x), columns - x)])
    for move in moves:
        counts = np.bincount(move + MARGIN, minlength=2 * MARGIN + 1)
        assert len(counts) == 2 * MARGIN + 1 and counts.min() > 0.5 * count / 9
    assert abs(np.corrcoef(moves)[0, 1]) < 0.1
