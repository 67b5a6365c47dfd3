"""The order of the examples: a permutation, new in every epoch and for every seed, without a pattern."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdr.search.problem.shuffle import shuffled

SIZES = (1, 2, 3, 7, 64, 1280, 1297, 4000, 60_000)


def order(n: int, seed: int = 0, epoch: int = 0) -> np.ndarray:
    return np.asarray(whole_order(n, jnp.uint32(seed), jnp.int32(epoch)))


@functools.partial(jax.jit, static_argnums=0)
def whole_order(n: int, seed: jax.Array, epoch: jax.Array) -> jax.Array:
    return shuffled(jnp.arange(n, dtype=jnp.int32), n, seed, epoch)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_every_place_is_taken_once(n: int, seed: int) -> None:
    for epoch in (0, 999):
        taken = order(n, seed, epoch)
        assert taken.dtype == np.int32
        np.testing.assert_array_equal(np.sort(taken), np.arange(n))


@pytest.mark.parametrize("n", [n for n in SIZES if n >= 64])
def test_epoch_and_seed_each_change_the_order(n: int) -> None:
    first = order(n)
    for other in (order(n, epoch=1), order(n, seed=1), order(n, seed=1, epoch=1)):
        # Two random orders agree at one place on average, and at ten or more once in ten million pairs.
        assert np.sum(first == other) < 10


def test_a_batch_is_the_part_of_the_order_that_its_places_name() -> None:
    places = jnp.arange(100, 150, dtype=jnp.int32)
    np.testing.assert_array_equal(
        shuffled(places, 1297, jnp.uint32(5), jnp.int32(2)), order(1297, 5, 2)[100:150]
    )


@pytest.mark.parametrize("n", [1280, 1297])
def test_batched_seeds_under_jit_and_vmap_give_the_same_orders(n: int) -> None:
    seeds, epochs = jnp.arange(4, dtype=jnp.uint32), jnp.arange(4, dtype=jnp.int32)
    places = jnp.arange(n, dtype=jnp.int32)
    together = jax.jit(jax.vmap(lambda seed, epoch: shuffled(places, n, seed, epoch)))(seeds, epochs)
    for i in range(4):
        np.testing.assert_array_equal(together[i], order(n, i, i))


@pytest.mark.parametrize("n", [2, 3, 64, 100])
def test_over_many_seeds_every_place_is_equally_likely(n: int) -> None:
    orders = many_orders(n, 20_000)
    counts = np.stack([np.bincount(orders[:, place], minlength=n) for place in range(n)])
    assert deviation(counts, freedom=(n - 1) ** 2) < 6


@pytest.mark.parametrize("n", [64, 100, 1280])
def test_neighbours_do_not_stay_neighbours(n: int) -> None:
    orders = many_orders(n, 20_000)
    apart = np.bincount((orders[:, 1] - orders[:, 0]) % n, minlength=n)[1:]
    assert deviation(apart, freedom=n - 2) < 6


def test_three_things_come_in_all_six_orders() -> None:
    assert len(np.unique(many_orders(3, 1_000), axis=0)) == 6


def test_no_loop_where_the_size_splits_evenly() -> None:
    def program(n: int) -> str:
        places = jnp.arange(64, dtype=jnp.int32)
        return str(jax.make_jaxpr(lambda seed: shuffled(places, n, seed, jnp.int32(0)))(jnp.uint32(0)))

    for n in (1280, 4000, 60_000):
        assert "while" not in program(n)
    assert "while" in program(1297)


def many_orders(n: int, seeds: int) -> np.ndarray:
    places = jnp.arange(n, dtype=jnp.int32)
    some = jnp.arange(seeds, dtype=jnp.uint32)
    first_two = places if n < 1000 else places[:2]
    return np.asarray(jax.jit(jax.vmap(lambda seed: shuffled(first_two, n, seed, jnp.int32(1))))(some))


def deviation(counts: np.ndarray, freedom: int) -> float:
    """Chi-square of equal counts, in standard deviations above its mean."""
    expected = counts.mean()
    chi_square = ((counts - expected) ** 2 / expected).sum()
    return float((chi_square - freedom) / np.sqrt(2 * freedom))
