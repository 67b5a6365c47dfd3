"""The models: what they compute, against JAX's own operations."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdr.workloads import cnn, mlp


def test_layers_start_as_he_proposes() -> None:
    layers = mlp.init(jax.random.key(0), (400, 300, 10))
    assert [layer["weight"].shape for layer in layers] == [(400, 300), (300, 10)]
    assert float(layers[0]["weight"].std()) == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert all(not layer["bias"].any() for layer in layers)


def test_a_perceptron_is_products_and_relus() -> None:
    layers = mlp.init(jax.random.key(0), (6, 5, 4, 3))
    x = np.random.default_rng(0).normal(size=(7, 2, 3)).astype(np.float32)
    expected = x.reshape(7, 6)
    for i, layer in enumerate(layers):
        expected = expected @ np.asarray(layer["weight"])
        expected = expected if i == 2 else np.maximum(expected, 0)
    np.testing.assert_allclose(mlp.apply(layers, jnp.asarray(x)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("side", "inputs", "outputs"), [(14, 3, 5), (2, 1, 2)])
def test_products_make_a_convolution(side: int, inputs: int, outputs: int) -> None:
    random = np.random.default_rng(0)
    images = jnp.asarray(random.normal(size=(3, side, side, inputs)), jnp.float32)
    weight = jnp.asarray(random.normal(size=(3, 3, inputs, outputs)), jnp.float32)

    def reference(images: jax.Array, weight: jax.Array) -> jax.Array:
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(images, weight, (2, 2), "SAME", dimension_numbers=layout)

    for ours, theirs in zip(
        value_and_gradients(cnn.convolve, images, weight),
        value_and_gradients(reference, images, weight),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def value_and_gradients(
    convolve: Callable[[jax.Array, jax.Array], jax.Array], images: jax.Array, weight: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    def both(images: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        value, pull = jax.vjp(convolve, images, weight)
        return value, *pull(jnp.sin(value))

    value, of_images, of_weight = jax.jit(both)(images, weight)
    return value, of_images, of_weight


def test_a_network_has_a_value_for_each_class() -> None:
    # Of this kind of key, random numbers are compiled in a third of the time.
    key = jax.random.key(0, impl="rbg")
    network = jax.jit(lambda key: cnn.init(key, (4, 6), (7 * 7 * 6, 10)))(key)
    assert [layer["weight"].shape for layer in network.convolutions] == [(3, 3, 1, 4), (3, 3, 4, 6)]
    assert float(network.convolutions[1]["weight"].std()) == pytest.approx((2 / 36) ** 0.5, rel=0.15)
    assert jax.eval_shape(cnn.apply, network, jnp.ones((5, 28, 28))).shape == (5, 10)
