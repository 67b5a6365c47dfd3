"""A workload that trains in microseconds, and such as cannot be trained."""

from typing import Any

import jax
import jax.numpy as jnp


class Tiny:
    """Noisy gradient descent towards 1, in three dimensions."""

    name = "tiny"
    metric = "error"
    select_metric: str | None = "select_error"
    direction = "minimize"
    steps_per_epoch = 2
    budget: float = 6

    def init(self, key: jax.Array) -> jax.Array:
        return jax.random.normal(key, (3,))

    def update(self, state: jax.Array, lr: jax.Array, step: Any, key: Any, hparams: Any) -> jax.Array:
        return state - lr * (state - 1 + 0.1 * jax.random.normal(key, (3,)))

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        error = jnp.mean((state - 1) ** 2)
        return {"error": error, "select_error": error * (1 + 0.01 * jnp.sin(1e3 * error))}


class Predicting(Tiny):
    """Its models can be averaged."""

    name = "predicting"

    def predict(self, state: Any) -> Any:
        return state

    def score(self, predictions: Any) -> dict[str, jax.Array]:
        return self.evaluate(predictions)


class Maximized(Tiny):
    """Its metric is better the higher it is."""

    name = "maximized"
    metric = "accuracy"
    select_metric = None
    direction = "maximize"

    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"accuracy": -jnp.mean((state - 1) ** 2)}


class LacksMetric(Tiny):
    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"loss": jnp.sum(state)}


class NoScalar(Tiny):
    def evaluate(self, state: Any) -> dict[str, jax.Array]:
        return {"error": state, "select_error": state}


class ChangesShape(Tiny):
    def update(self, state: jax.Array, lr: jax.Array, step: Any, key: Any, hparams: Any) -> jax.Array:
        return jnp.concatenate([state, state])


class ChangesTree(Tiny):
    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        return state, state


class Fails(Tiny):
    def update(self, state: Any, lr: Any, step: Any, key: Any, hparams: Any) -> Any:
        raise KeyError("no such layer")


class WrongDirection(Tiny):
    direction = "down"


class WrongBudget(Tiny):
    budget = 2.5


workload = Tiny()
predicting = Predicting()
no_workload = {"error": 0.1}


def factory() -> Tiny:
    return Tiny()


def plain(run: Any) -> None:
    run.report(1, 0.5)


def broken_factory() -> Tiny:
    raise RuntimeError("the data is missing")
