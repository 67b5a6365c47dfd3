"""The small transformer of the tables."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.tables import bible, transformer

LETTERS = 7


def test_no_letter_is_predicted_from_what_comes_after_it():
    params = transformer.init(jax.random.key(0), LETTERS)
    text = jax.random.randint(jax.random.key(1), (2, transformer.CONTEXT), 0, LETTERS)
    logits = transformer.apply(params, text)
    changed = transformer.apply(params, text.at[:, 20:].set((text[:, 20:] + 1) % LETTERS))
    assert logits.shape == (2, transformer.CONTEXT, LETTERS) and bool(jnp.isfinite(logits).all())
    np.testing.assert_array_equal(logits[:, :20], changed[:, :20])
    assert not np.allclose(logits[:, 20:], changed[:, 20:])


def test_a_letter_is_predicted_from_those_before_it():
    params = transformer.init(jax.random.key(0), LETTERS)
    text = jnp.zeros((1, transformer.CONTEXT), int)
    assert not np.allclose(
        transformer.apply(params, text)[:, -1], transformer.apply(params, text.at[0, 3].set(1))[:, -1]
    )


def test_letters_are_told_apart():
    assert len(set(bible.LETTERS)) == len(bible.LETTERS) and bible.LETTERS[0] == " "
