"""Exported code, run as it stands: the rates that its optimizer uses."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

FLOAT64, FLOAT32 = 1e-12, 4e-7
"""A share of the peak: how far a rate may be off."""
Rates = Sequence[float] | np.ndarray
"""The rate of each update, in order."""
TOLERANCE = {
    "torch": FLOAT64,
    "transformers": FLOAT64,
    "optax": FLOAT32,
    "keras": FLOAT32,
    "braintools": FLOAT32,
}


def run_torch(code: str, epochs: int, batches: int) -> Rates:
    pytest.importorskip("torch")
    import torch

    rates: list[float] = []

    def loss_function(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        rates.append(names["optimizer"].param_groups[0]["lr"])
        return (outputs - targets).square().mean()

    torch.manual_seed(0)
    names: dict[str, Any] = {
        "model": torch.nn.Linear(2, 1),
        "loader": [(torch.ones(1, 2), torch.zeros(1, 1))] * batches,
        "loss_function": loss_function,
        "epochs": epochs,
    }
    exec(compile(code, "exported.py", "exec"), names)
    return rates


def run_transformers(code: str, epochs: int, batches: int) -> Rates:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    import torch

    rates: list[float] = []

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            rates.append(names["optimizer"].param_groups[0]["lr"])
            return {"loss": (self.layer(x) - labels).square().mean()}

    # Eight examples make a batch of the Trainer's.
    data = [{"x": torch.ones(1), "labels": torch.zeros(1)}] * (8 * batches)
    names: dict[str, Any] = {"model": Model(), "train_dataset": data, "epochs": epochs}
    exec(compile(code, "exported.py", "exec"), names)
    return rates


def run_optax(code: str, epochs: int, batches: int) -> Rates:
    import jax
    import jax.numpy as jnp

    names: dict[str, Any] = {
        "params": jnp.zeros(2),
        "loader": iter([jnp.ones(2)] * epochs) if "islice" in code else [jnp.ones(2)] * batches,
        "loss_function": lambda params, batch: jnp.sum(params * batch),
        "epochs": epochs,
    }
    exec(compile(code, "exported.py", "exec"), names)
    optimizer, steps = names["optimizer"], epochs * batches

    def update(state: Any, _: None) -> tuple[Any, Any]:
        updates, state = optimizer.update(jnp.ones(()), state)
        return state, -updates

    rates = np.asarray(jax.lax.scan(update, optimizer.init(jnp.zeros(())), length=steps)[1])
    # The loop has trained with the same: of a loss that is linear, the gradient is 1.
    assert names["params"] == pytest.approx([-rates.sum(dtype=float)] * 2, rel=1e-4)
    return rates


def run_keras(code: str, epochs: int, batches: int) -> Rates:
    pytest.importorskip("keras")
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    fit = model.fit
    model.fit = lambda data, epochs: fit(*data, epochs=epochs, batch_size=1, shuffle=False, verbose=0)
    examples = (np.ones((batches, 1), np.float32), np.ones((batches, 1), np.float32))
    names: dict[str, Any] = {
        "model": model,
        "train_dataset": examples,
        "loss_function": lambda targets, outputs: outputs,
        "epochs": epochs,
    }
    exec(compile(code, "exported.py", "exec"), names)
    rates = np.array([keras_rate(names["learning_rate"], step) for step in range(epochs * batches)])
    assert float(model.weights[0][0, 0]) == pytest.approx(-rates.sum(dtype=float), rel=1e-4)
    return rates


def keras_rate(schedule: Any, step: int) -> float:
    from keras import ops

    return float(schedule(ops.convert_to_tensor(step, "int32")))


def run_braintools(code: str, epochs: int, batches: int) -> Rates:
    pytest.importorskip("brainstate")
    pytest.importorskip("braintools")
    import brainstate
    import jax.numpy as jnp

    class Model(brainstate.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = brainstate.ParamState(jnp.zeros(()))

        def __call__(self, inputs: Any) -> Any:
            return self.weight.value * inputs

    class Loader:
        def __iter__(self) -> Iterator[tuple[Any, Any]]:
            for _ in range(batches):
                rates.append(float(names["optimizer"].current_lr))
                assert -float(names["scheduler"](0)) == pytest.approx(rates[-1], rel=1e-7)
                yield jnp.ones(()), jnp.zeros(())

    rates: list[float] = []
    names: dict[str, Any] = {
        "model": Model(),
        "loader": Loader(),
        "loss_function": lambda outputs, targets: outputs - targets,
        "epochs": epochs,
    }
    exec(compile(code, "exported.py", "exec"), names)
    assert float(names["model"].weight.value) == pytest.approx(-sum(rates), rel=1e-4)
    return rates


RUN: dict[str, Callable[[str, int, int], Rates]] = {
    "torch": run_torch,
    "optax": run_optax,
    "keras": run_keras,
    "braintools": run_braintools,
    "transformers": run_transformers,
}
