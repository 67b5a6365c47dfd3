from itertools import pairwise

import jax
import jax.numpy as jnp
import pytest

from experiments.bench.steady import flops_per_step
from sgdr.search.problem.supervised import cross_entropy
from sgdr.workloads import digits, mlp


def test_counts_every_matmul():
    # one layer has no gradient of its inputs
    assert flops_per_step((3, 5), batch=2, evaluated=0, steps_per_epoch=1) == 2 * (2 * 2 * 3 * 5)
    assert flops_per_step((3, 5), batch=2, evaluated=4, steps_per_epoch=2) == 120 + 2 * 4 * 3 * 5 / 2
    products = 64 * 64 * 2 + 64 * 10
    expected = 2 * 64 * (2 * products + 64 * 64 + 64 * 10) + 2 * 517 * products / 20
    assert flops_per_step(digits.SIZES, 64, 517, 20) == expected


def test_agrees_with_the_compiler():
    sizes, batch = (256, 512, 128, 16), 64
    layers = jax.eval_shape(lambda: mlp.init(jax.random.key(0), sizes))
    assert [layer["weight"].shape for layer in layers] == list(pairwise(sizes))

    def loss(layers, x, y):
        return jnp.mean(cross_entropy(mlp.apply(layers, x), y))

    x, y = jax.ShapeDtypeStruct((batch, 256), jnp.float32), jax.ShapeDtypeStruct((batch,), jnp.int32)
    cost = jax.jit(jax.grad(loss)).lower(layers, x, y).cost_analysis()
    assert cost["flops"] == pytest.approx(flops_per_step(sizes, batch, 0, 1), rel=0.02)
