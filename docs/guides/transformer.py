"""A small transformer that learns to write Python's documentation, character by character, with AdamW.

For language models, whose trainings are counted in updates rather than epochs: T_0 counts updates here. A
short linear warm-up comes first, by `sgdr.Warmup`: it moves the cycles back by its length and changes none
of them. The text is what `help()` shows (`pydoc_data.topics`); its last tenth is kept for validation.

Prints the bits per character at each trough (the end of a cycle), and at the end of a single cosine cycle of
the same length, which says what the restarts have gained or cost.
"""

import math
from pydoc_data.topics import topics

import jax
import jax.numpy as jnp
import numpy as np
import optax

import sgdr

CONTEXT, WIDTH, HEADS, LAYERS, BATCH = 32, 64, 4, 2, 16


def init(rng, characters):
    def normal(*shape):
        return jnp.asarray(rng.normal(0, WIDTH**-0.5, shape), jnp.float32)

    blocks = [
        {
            "qkv": normal(WIDTH, 3 * WIDTH),
            "out": normal(WIDTH, WIDTH),
            "up": normal(WIDTH, 4 * WIDTH),
            "down": normal(4 * WIDTH, WIDTH),
        }
        for _ in range(LAYERS)
    ]
    return {"characters": normal(characters, WIDTH), "places": jnp.zeros((CONTEXT, WIDTH)), "blocks": blocks}


def logits(params, text):
    """Of the next character: [batch, places, characters]."""
    x = params["characters"][text] + params["places"]
    for block in params["blocks"]:
        qkv = (jax.nn.standardize(x) @ block["qkv"]).reshape(*text.shape, HEADS, -1)
        attended = jax.nn.dot_product_attention(*jnp.split(qkv, 3, axis=-1), is_causal=True)
        x += attended.reshape(x.shape) @ block["out"]
        x += jax.nn.relu(jax.nn.standardize(x) @ block["up"]) @ block["down"]
    return jax.nn.standardize(x) @ params["characters"].T


def loss(params, windows):
    """Nats per character of windows [batch, CONTEXT + 1]."""
    text, following = windows[:, :-1], windows[:, 1:]
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, text), following).mean()


def optimizer(schedule):
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.01))


@jax.jit
def update(schedule, params, state, windows):
    """A schedule is a pytree: an argument like others, so that all schedules are one compilation."""
    updates, state = optimizer(schedule).update(jax.grad(loss)(params, windows), state, params)
    return optax.apply_updates(params, updates), state


def train(schedule, budget, text, seed=0):
    """Bits per character of the validation text at each trough, by the number of updates."""
    rng = np.random.default_rng(seed)
    border = len(text) * 9 // 10
    held_out = text[border:][: 128 * (CONTEXT + 1)].reshape(-1, CONTEXT + 1)
    params = init(rng, max(text) + 1)
    state = optimizer(schedule).init(params)
    troughs = schedule.troughs(budget=budget)
    bits = {}
    for step in range(budget):
        starts = rng.integers(border - CONTEXT, size=(BATCH, 1))
        params, state = update(schedule, params, state, text[starts + np.arange(CONTEXT + 1)])
        if step + 1 in troughs:
            bits[step + 1] = float(jax.jit(loss)(params, held_out)) / math.log(2)
    return bits


def main(T_0=100, budget=720, warmup=20):
    text = "\n".join(topics.values())
    _, codes = np.unique(list(text), return_inverse=True)
    cycles = sgdr.WarmRestarts(base_lr=5e-3, T_0=T_0, T_mult=2, eta_min=1e-6)
    one = sgdr.WarmRestarts(base_lr=5e-3, T_0=budget - warmup, eta_min=1e-6)
    curves = {}
    for name, schedule in {"restarts": cycles, "one cycle": one}.items():
        curves[name] = train(sgdr.Warmup(schedule, warmup), budget, codes)
        for step, bits in curves[name].items():
            print(f"{name:9} after {step:3} updates: {bits:.3f} bits per character")
    return curves


if __name__ == "__main__":
    main()
