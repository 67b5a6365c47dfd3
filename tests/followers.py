"""What follows a schedule: the kinds that the contract suite runs on. A new one is one more class here.

Each trains one weight for every group of parameters, with a gradient of 1 and plain descent, so that the
weight moves by the rate that was really applied.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sgdr import CosineAnnealingWarmRestarts, WarmRestarts

os.environ.setdefault("KERAS_BACKEND", "jax")
FLOAT64, FLOAT32 = 1e-12, 4e-7


class Follower:
    """One training at step 0 of its schedules, one for each group, which differ in base_lr at most."""

    tolerance: ClassVar[float] = FLOAT64
    """A share of the peak: how far a rate may be off."""
    has_groups: ClassVar[bool] = True
    takes_any: ClassVar[bool] = True
    """Whether it follows any schedule, such as one with a warm-up, and not only the fields of one."""

    def __init__(self, schedules: Sequence[Any]) -> None:
        raise NotImplementedError

    def update(self) -> list[float]:
        """Goes one step on, and gives the rate of each group in it."""
        raise NotImplementedError

    def state(self) -> Any:
        """All that is saved in a checkpoint; it can be pickled."""
        raise NotImplementedError

    def load(self, state: Any) -> None:
        """Goes on from there."""
        raise NotImplementedError


def fields(schedules: Sequence[WarmRestarts]) -> dict[str, Any]:
    """The arguments of a scheduler that has the names of the fields."""
    shared = schedules[0].to_dict()
    return {**shared, "base_lr": [schedule.base_lr for schedule in schedules]}


class Plain(Follower):
    """The schedule itself."""

    def __init__(self, schedules: Sequence[Any]) -> None:
        self.schedules, self.step = schedules, 0

    def update(self) -> list[float]:
        self.step += 1
        return [schedule(self.step - 1) for schedule in self.schedules]

    def state(self) -> int:
        return self.step

    def load(self, state: int) -> None:
        self.step = state


class Stateful(Follower):
    """The scheduler that needs no framework."""

    takes_any = False

    def __init__(self, schedules: Sequence[Any]) -> None:
        self.scheduler = CosineAnnealingWarmRestarts(**fields(schedules))

    def update(self) -> list[float]:
        rates = self.scheduler.get_lr()
        self.scheduler.step()
        return rates

    def state(self) -> Any:
        return self.scheduler.state_dict()

    def load(self, state: Any) -> None:
        self.scheduler.load_state_dict(state)


class Torch(Follower):
    """PyTorch, with the scheduler that bears the name of its own."""

    takes_any = False

    def __init__(self, schedules: Sequence[Any]) -> None:
        torch = pytest.importorskip("torch")
        self.weights = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in schedules]
        peaks = [getattr(schedule, "base_lr", 0.1) for schedule in schedules]
        groups = [{"params": [w], "lr": peak} for w, peak in zip(self.weights, peaks, strict=True)]
        self.optimizer = torch.optim.SGD(groups)
        self.scheduler = self.following(schedules)

    def following(self, schedules: Sequence[Any]) -> Any:
        from sgdr.adapters.torch import CosineAnnealingWarmRestarts

        shared = fields(schedules)
        del shared["base_lr"]
        return CosineAnnealingWarmRestarts(self.optimizer, **shared)

    def update(self) -> list[float]:
        for weight in self.weights:
            weight.data.zero_()
            weight.grad = weight.data + 1
        self.optimizer.step()
        self.scheduler.step()
        return [-weight.item() for weight in self.weights]

    def state(self) -> Any:
        return {"optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict()}

    def load(self, state: Any) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])


class TorchAny(Torch):
    """PyTorch, with the scheduler that takes any schedule."""

    takes_any = True

    def following(self, schedules: Sequence[Any]) -> Any:
        from sgdr.adapters.torch import WarmRestartsLR

        return WarmRestartsLR(self.optimizer, list(schedules))


class Keras(Follower):
    tolerance = FLOAT32
    has_groups = False

    def __init__(self, schedules: Sequence[Any]) -> None:
        keras = pytest.importorskip("keras")
        from sgdr.adapters.keras import WarmRestartsSchedule

        (schedule,) = schedules
        self.weight = keras.Variable(0.0)
        self.start(keras.optimizers.SGD(WarmRestartsSchedule(schedule)))

    def start(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.optimizer.build([self.weight])

    def update(self) -> list[float]:
        self.weight.assign(0.0)
        self.optimizer.apply([self.weight + 1.0])
        return [-float(self.weight.value)]

    def state(self) -> Any:
        import keras

        variables = [keras.ops.convert_to_numpy(variable.value) for variable in self.optimizer.variables]
        return {"config": keras.optimizers.serialize(self.optimizer), "variables": variables}

    def load(self, state: Any) -> None:
        import keras

        self.start(keras.optimizers.deserialize(state["config"]))
        for variable, value in zip(self.optimizer.variables, state["variables"], strict=True):
            variable.assign(value)


class Braintools(Follower):
    tolerance = FLOAT32
    takes_any = False

    def __init__(self, schedules: Sequence[Any]) -> None:
        braintools = pytest.importorskip("braintools")
        brainstate = pytest.importorskip("brainstate")
        from sgdr.adapters.braintools import CosineAnnealingWarmRestarts

        self.scheduler = CosineAnnealingWarmRestarts(**fields(schedules))
        self.weights = {f"w{i}": brainstate.ParamState(0.0) for i in range(len(schedules))}
        (first, weight), *others = self.weights.items()
        self.optimizer = braintools.optim.SGD(lr=self.scheduler)
        self.optimizer.register_trainable_weights({first: weight})
        for name, weight in others:
            self.optimizer.add_param_group({name: weight})
        self.scheduler.attach_optimizer(self.optimizer)

    def update(self) -> list[float]:
        import jax.numpy as jnp

        for weight in self.weights.values():
            weight.value = jnp.zeros(())
        _, *others = (float(group["lr"].value) for group in self.optimizer.param_groups)
        self.optimizer.step({name: jnp.ones(()) for name in self.weights})
        self.scheduler.step()
        first, *moved = (-float(weight.value) for weight in self.weights.values())
        assert moved == pytest.approx(others, rel=1e-4)  # by Adam, which it makes of every further group
        return [first, *others]

    def state(self) -> Any:
        return self.scheduler.state_dict()

    def load(self, state: Any) -> None:
        self.scheduler.load_state_dict(state)


class Optax(Follower):
    tolerance = FLOAT32

    def __init__(self, schedules: Sequence[Any]) -> None:
        self.weights = {f"w{i}": 0.0 for i in range(len(schedules))}
        self.optimizer, self.updated = _optax(tuple(schedules))
        self.opt_state = self.optimizer.init(self.weights)

    def update(self) -> list[float]:
        from sgdr.adapters.optax import rate

        ones = dict.fromkeys(self.weights, 1.0)
        updates, self.opt_state = self.updated(ones, self.opt_state, self.weights)
        rates = [-float(update) for update in updates.values()]
        read = rate(self.opt_state)
        assert rates == [float(value) for value in (read.values() if isinstance(read, dict) else [read])]
        return rates

    def state(self) -> Any:
        import jax
        import numpy as np

        return jax.tree.map(np.asarray, self.opt_state)

    def load(self, state: Any) -> None:
        self.opt_state = state


@lru_cache
def _optax(schedules: tuple[Any, ...]) -> Any:
    """The optimizer, which is a value, and its update, compiled once."""
    import jax
    import optax

    from sgdr.adapters.optax import optimizer

    if len(schedules) == 1:
        descent = optimizer(schedules[0], optax.sgd)
    else:
        names = [f"w{i}" for i in range(len(schedules))]
        labels = dict(zip(names, names, strict=True))
        descent = optimizer(dict(zip(names, schedules, strict=True)), optax.sgd, labels=labels)
    return descent, jax.jit(descent.update)


KINDS: dict[str, type[Follower]] = {
    "callable": Plain,
    "stateful": Stateful,
    "torch": Torch,
    "torch, any schedule": TorchAny,
    "keras": Keras,
    "braintools": Braintools,
    "optax": Optax,
}


def go_on(saved: Path) -> None:
    """Prints the next rates of the trainings saved there, by their kind."""
    rates = {}
    for kind, (schedules, state, steps) in pickle.loads(saved.read_bytes()).items():
        follower = KINDS[kind](schedules)
        follower.load(state)
        rates[kind] = [follower.update() for _ in range(steps)]
    print(json.dumps(rates))


if __name__ == "__main__":
    go_on(Path(sys.argv[1]))
