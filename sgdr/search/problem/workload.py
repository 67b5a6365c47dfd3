"""What a sweep trains: the `Workload` protocol, and callable workloads.

A `Workload` is a set of pure functions, which the engine jits, vmaps and shards. A `CallableWorkload`
is any Python function that trains a model in whatever framework and reports its value epoch by epoch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sgdr import checks
from sgdr.choices import Direction
from sgdr.search.problem.types import Schedule
from sgdr.stepping import Interval, checked_interval

if TYPE_CHECKING:
    import jax
    from jaxtyping import Float32, Int32, Key, Num

FINITE = "_finite"
"""The name of a value of every epoch: 1.0 where all values and the whole state of the slot were finite."""
TOGETHER = "ensemble"
"""The name of a value of every epoch of a trial that is worth what its ensemble is: that of the models which
have joined it so far, before the first that of the model alone."""
RESERVED = ("number", "epoch", FINITE, TOGETHER)
DIRECTIONS = tuple(direction.value for direction in Direction)

State = Any
"""Any pytree of arrays: parameters, optimizer state, whatever one trial carries from step to step."""


@runtime_checkable
class Workload(Protocol):
    """What is trained, as pure functions of arrays.

    Optional attributes: `base_lr = (low, high)`, the range in which a sweep searches it;
    `select_metric`, another key of `evaluate()` by which the best epoch is chosen, measured on other
    examples than `metric`; `hparams`, a dict of further searched values (see `Space`).

    Optional methods, both or neither: `predict(state)`, an array whose mean over several states is the
    prediction of their ensemble; `score(predictions)`, the values of `evaluate()` for it, by the same names.
    `score(predict(state))` is `evaluate(state)`, up to rounding.
    """

    name: str
    metric: str
    """The key of `evaluate()` that is optimised."""
    direction: str
    """"minimize" or "maximize"."""
    steps_per_epoch: int
    """Optimizer updates in an epoch."""
    budget: int
    """Epochs of one trial, unless the sweep says otherwise."""

    def init(self, key: Key[jax.Array, ""]) -> State:
        """The state before the first step."""

    def update(
        self,
        state: State,
        lr: Float32[jax.Array, ""],
        step: Int32[jax.Array, ""],
        key: Key[jax.Array, ""],
        hparams: dict[str, Num[jax.Array, ""]],
    ) -> State:
        """The state after one optimizer step. `step` counts from 0; `key` is fresh at every step.

        Of `hparams`, what is declared by whole numbers alone is int32, all else float32.
        """

    def evaluate(self, state: State) -> dict[str, Num[jax.Array, ""]]:
        """What the state is worth, by name."""


class Run(Protocol):
    """What a callable workload is given: the trial to train, and where to report."""

    schedule: Schedule
    """The schedule, in epochs: `schedule(epoch + step / steps_per_epoch)` is the rate of a step. A
    `WarmRestarts`, another shape that the sweep searches, or a `Warmup` of these; `schedule.base_lr` is the
    peak."""
    budget: int
    """Epochs to train."""
    seed: int
    hparams: Mapping[str, Any]
    """The values of what the workload takes further, by name."""
    steps_per_epoch: int | None
    """Optimizer updates in an epoch, as the workload declares them. Set it before the first report where only
    the run knows how many there are: code that is exported of this trial counts them."""

    def report(self, epoch: int, value: float) -> None:
        """Tells the value after `epoch` completed epochs, counted from 1.

        Raises `optuna.TrialPruned` when the trial is to end: let it pass through (where it is caught, it is
        raised again at every further report, and the process is killed after a few seconds); ValueError for
        an epoch out of turn or past the budget.
        """

    def stop(self) -> None:
        """Ends the trial as complete, with what it has reported so far, as returning from the function does.

        It raises `optuna.TrialPruned`: let it pass through.
        """


@dataclass(frozen=True)
class CallableWorkload:
    """A function that trains one trial in any framework; each slot runs it in a process of its own.

    The function must be importable (defined at the top level of a module or of the main script), since the
    processes are started afresh.
    """

    train: Callable[[Run], None]
    name: str
    metric: str
    direction: str
    """"minimize" or "maximize"."""
    budget: int
    """Epochs of one trial, unless the sweep says otherwise."""
    base_lr: tuple[float, float] | None = None
    """The range in which a sweep searches the peak rate."""
    hparams: Mapping[str, Any] = field(default_factory=dict)
    steps_per_epoch: int | None = None
    """Optimizer updates in an epoch; None where that is not said, or differs between trials."""
    interval: Interval | None = None
    """How often it asks for a rate: "step", at every update; "epoch", once an epoch. None where that is not
    said, which is taken as "step"."""

    def __call__(self, run: Run) -> None:
        """Trains one trial in this process."""
        self.train(run)

    def __reduce__(self) -> tuple[Any, ...]:
        # A decorated function's own name leads to this object, by which alone another process can find both.
        module, path = self.train.__module__, self.train.__qualname__
        if "<locals>" not in path and _attribute(module, path) is self:
            return _attribute, (module, path)
        values = (self.train, self.name, self.metric, self.direction, self.budget, self.base_lr)
        return CallableWorkload, (*values, dict(self.hparams), self.steps_per_epoch, self.interval)


def workload(
    *,
    metric: str,
    direction: str,
    budget: int,
    name: str | None = None,
    base_lr: tuple[float, float] | None = None,
    hparams: Mapping[str, Any] | None = None,
    steps_per_epoch: int | None = None,
    interval: Interval | None = None,
) -> Callable[[Callable[[Run], None]], CallableWorkload]:
    """Makes a training function a workload.

    Returns a decorator. The function calls `run.report(epoch, value)` once after every epoch; `value` is
    named `metric` in tables. One that returns before its budget, as by early stopping of its own, has come to
    its end: its trial is complete with what was reported. One that raises `optuna.TrialPruned` is pruned; any
    other exception, and `sys.exit`, fails that trial alone.

    Its schedules are in epochs. Code for frameworks that count optimizer updates needs to know how many of
    them an epoch has: `steps_per_epoch`, where it is the same in all trials; else the function sets
    `run.steps_per_epoch`. `interval` says how often it asks for a rate: "step", at every update,
    ``run.schedule(epoch + step / steps_per_epoch)``, as None is taken; or "epoch", once an epoch,
    ``run.schedule(epoch)``.

    Raises ValueError for a bad direction, budget, steps_per_epoch or interval.
    """

    def decorate(train: Callable[[Run], None]) -> CallableWorkload:
        declared = CallableWorkload(
            train,
            name or train.__name__,
            metric,
            direction,
            budget,
            base_lr,
            dict(hparams or {}),
            steps_per_epoch,
            interval,
        )
        check_declaration(declared)
        return replace(declared, budget=checks.plain(budget), steps_per_epoch=checks.plain(steps_per_epoch))

    return decorate


def has_ensemble(workload: Any) -> bool:
    """Whether models of the workload can be averaged: it has `predict` and `score`."""
    return all(callable(getattr(workload, name, None)) for name in ("predict", "score"))


def _attribute(module: str, path: str) -> Any:
    """The object at a dotted path in a module; None where there is none."""
    target: Any = importlib.import_module(module)
    for part in path.split("."):
        target = getattr(target, part, None)
    return target


def check_declaration(workload: Workload | CallableWorkload) -> None:
    """Raises ValueError where a declared attribute is missing or cannot be; runs nothing."""
    for name in ("name", "metric", "direction", "budget"):
        if not hasattr(workload, name):
            raise ValueError(
                f"workload={workload!r} has no {name}; give a Workload, a CallableWorkload, or the name of "
                "one that is registered"
            )
    who = f"workload {getattr(workload, 'name', workload)!r}"
    if workload.direction not in DIRECTIONS:
        raise ValueError(f"{who}: direction={workload.direction!r} must be 'minimize' or 'maximize'")
    if not isinstance(workload.metric, str) or not workload.metric:
        raise ValueError(f"{who}: metric={workload.metric!r} must be the name of a value that it reports")
    if workload.metric == FINITE:
        raise ValueError(f"{who}: metric={workload.metric!r} is what the search keeps for itself; rename it")
    for count in ("budget", "steps_per_epoch"):
        value = getattr(workload, count, None)
        if isinstance(workload, CallableWorkload) and count == "steps_per_epoch" and value is None:
            continue
        number = checks.number(value)
        if not isinstance(number, int) or number < 1:
            raise ValueError(f"{who}: {count}={value!r} must be a whole number of at least 1")
    if isinstance(workload, CallableWorkload):
        try:
            checked_interval(workload.interval)
        except ValueError as error:
            raise ValueError(f"{who}: {error}") from None
