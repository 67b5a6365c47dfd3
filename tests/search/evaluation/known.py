"""Workloads of which it is known what a confirmation has to find, and studies of them."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sgdr import search
from tests import databases

State = dict[str, jax.Array]


class Known:
    """An error that is 1, and `effect` more once the rate has jumped up; what a run adds by luck is `spread`.

    Luck depends on the seed and on the peak rate. What it is made with is data of the compiled program, so
    that all of them share one.
    """

    metric = "error"
    direction = "minimize"
    steps_per_epoch = 2
    budget = 4

    def __init__(
        self,
        effect: float = 0.0,
        spread: float = 0.1,
        rise: float = 0.0,
        breaks_above: float = np.inf,
        broken: Sequence[int] = (0, 1),
        bad: Sequence[float] = (),
        **changed: Any,
    ) -> None:
        """`rise` is added with every step, and 5 at the two peak rates that are `bad`.

        It is no longer finite at peak rates above a limit, for those that have restarted (1) or not (0).
        """
        self.name = "known"
        bad = bad if len(bad) else (-1, -1)
        self._given = jnp.array([effect, spread, rise, breaks_above, min(broken), max(broken), *bad], "f")
        for name, value in changed.items():
            setattr(self, name, value)

    def init(self, key: jax.Array) -> State:
        zero = jnp.float32(0)
        word = jax.random.key_data(key).ravel()[-1].astype(jnp.uint32)
        return {
            "word": word,
            "luck": zero,
            "peak": zero,
            "last": jnp.float32(1e9),
            "jumps": zero,
            "steps": zero,
        }

    def update(self, state: State, lr: jax.Array, step: jax.Array, key: jax.Array, hparams: Any) -> State:
        extra = sum(hparams.values(), 0.0)
        first = step == 0
        # In multiples of 2^-16: else it may be rounded in another way for one slot a device than for more.
        by_luck = jnp.round(2**16 * self._given[1] * luck(state["word"], lr)) / 2**16
        return {
            "word": state["word"],
            "luck": jnp.where(first, by_luck + extra, state["luck"]),
            "peak": jnp.where(first, lr, state["peak"]),
            "last": lr,
            "jumps": state["jumps"] + (lr > 1.0001 * state["last"]),
            "steps": (step + 1).astype(jnp.float32),
        }

    def evaluate(self, state: State) -> State:
        effect, _, rise, limit, least, most, *bad = self._given
        restarted = state["jumps"] > 0
        error = 1 + effect * restarted + state["luck"] + rise * state["steps"]
        error = error + 5 * jnp.isclose(state["peak"], jnp.stack(bad)).any()
        breaks = (state["peak"] > limit) & (restarted >= least) & (restarted <= most)
        error = jnp.where(breaks, jnp.nan, error)
        return {self.metric: error if self.direction == "minimize" else -error}


def luck(word: jax.Array, lr: jax.Array) -> jax.Array:
    """About a standard normal number. JAX's own take seconds to compile."""
    bits = word ^ jax.lax.bitcast_convert_type(lr, jnp.uint32)
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        bits = (bits ^ (bits >> 15)) * jnp.uint32(factor)
    bits = bits ^ (bits >> 16)
    total = sum(((bits >> shift) & 255 for shift in (0, 8, 16, 24)), jnp.uint32(0))
    return (total.astype(jnp.float32) - 510) / 147.8


def sweep(url: str, workload: Any, trials: int = 12, **how: Any) -> search.Study:
    """The study "s" of a quick sweep into that storage."""
    arguments: dict[str, Any] = {
        "pruner": "none",
        "sampler": "random",
        "slots": 4,
        "controls": 0.5,
        "study": "s",
        **how,
    }
    return search.sweep(workload, trials=trials, storage=url, **arguments).study


def confirm(url: str, workload: Any, **how: Any) -> search.Verdict:
    """The verdict on the study "s" of that storage."""
    return search.confirm("s", storage=url, workload=workload, **{"top": 2, "seeds": 8, "slots": 4, **how})


def copied(source: Path, folder: Path) -> str:
    """The URL of a copy of the storage in that folder, with the models beside it."""
    folder.mkdir(exist_ok=True)
    if (models := source.with_name("s.db.snapshots")).exists():
        shutil.copytree(models, folder / models.name)
    return databases.copied(source, folder / "s.db")
