"""`WarmRestartsSchedule`: a schedule for Keras 3, on any of its backends.

Keras counts in ints and computes in float32. So the cycle is found in ints, by a division or in a table of
exact starts, and only what is left of it becomes a float: a logarithm, rounded, gives the wrong cycle at
restarts, and so does a step beyond 2**24 in float32.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import log, pi
from typing import Any, Self

from sgdr.checks import is_array
from sgdr.extras import missing
from sgdr.saved_state import plain
from sgdr.schedule import WarmRestarts
from sgdr.warmup import Warmup

try:
    import keras
    from keras import ops
except ImportError as error:
    if error.name == "keras":
        raise missing("sgdr.adapters.keras", "Keras", "keras") from error
    raise ImportError(
        f"Keras is set to a backend that cannot be imported: {error}; set KERAS_BACKEND to jax, torch or "
        "tensorflow, whichever is installed, before keras is imported"
    ) from error
from sgdr.adapters.keras_tables import EXTREME, LAST_STEP, GrowingCycles, Located, Tensor

MOST_CYCLES = 2**12
"""The most cycles in a table."""


@keras.saving.register_keras_serializable(package="sgdr")
class WarmRestartsSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """``keras.optimizers.SGD(WarmRestartsSchedule(schedule))``: any optimizer, following `schedule`.

    Keras takes its backend from KERAS_BACKEND, tensorflow where that is not set. `schedule` is a
    `WarmRestarts`, or a `Warmup` of one. Its T_0 counts batches (see `WarmRestarts.scaled`),
    for Keras asks for the rate before every update. It is saved with the model, and loaded with it.

    Called with a tensor of ints, of any shape, it returns float32 rates of that shape, up to step 2**31 - 1,
    each in its right cycle. A Python number or a NumPy array may hold fractions, and is rounded at the end.

    Raises:
        ValueError: from the constructor for another schedule, one too large or small for float32, or one with
            more cycles than a table may hold; from a call for a step that is no number or no tensor of ints.
    """

    def __init__(self, schedule: WarmRestarts | Warmup) -> None:
        self.schedule = schedule
        self._locate = _cycles(_checked(*_unwrapped(schedule)))

    def __call__(self, step: Any) -> Tensor:
        if not (ops.is_tensor(step) or isinstance(step, keras.Variable)):
            return ops.convert_to_tensor(self.schedule(step), "float32")
        kind = keras.backend.standardize_dtype(step.dtype)
        if "int" not in kind:
            raise ValueError(f"step must be a tensor of ints, got {kind}; give the count of updates as int32")
        if kind not in ("int64", "uint32", "uint64"):
            step = ops.cast(step, "int32")
        return _rate(self.schedule, self._locate, ops.cast(ops.clip(step, 0, LAST_STEP), "int32"))

    def get_config(self) -> dict[str, Any]:
        """The fields by name, ready for JSON, with the lengths of warm-ups, the first one first."""
        schedule, warmups = _unwrapped(self.schedule)
        return {**schedule.to_dict(), "warmups": warmups}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The schedule whose `get_config()` that is. Raises ValueError for missing or unknown names."""
        config = plain(config)
        schedule: Any = WarmRestarts.from_dict({k: v for k, v in config.items() if k != "warmups"})
        for steps in reversed(config.get("warmups") or []):
            schedule = Warmup(schedule, steps)
        return cls(schedule)


def _unwrapped(schedule: Any) -> tuple[Any, list[int]]:
    """What is inside of warm-ups, and their lengths from the outside."""
    warmups = []
    while isinstance(schedule, Warmup):
        warmups.append(schedule.steps)
        schedule = schedule.schedule
    return schedule, warmups


def _checked(schedule: Any, warmups: list[int]) -> WarmRestarts:
    if not isinstance(schedule, WarmRestarts):
        raise ValueError(
            f"schedule must be a WarmRestarts or a Warmup of one, got {type(schedule).__name__}; give one"
        )
    fields = {name: getattr(schedule, name) for name in schedule.__dataclass_fields__}
    for name, value in [*fields.items(), *(("steps", steps) for steps in warmups)]:
        if is_array(value):
            raise ValueError(
                f"schedule must have numbers as fields, got an array as {name}; give one schedule"
            )
    if not 1 / EXTREME <= schedule.base_lr <= EXTREME:
        raise ValueError(
            f"base_lr must be from {1 / EXTREME:g} to {EXTREME:g} in float32, got {schedule.base_lr!r}; "
            "give a number in that range"
        )
    return schedule


def _rate(schedule: Any, locate: Callable[[Tensor], Located], step: Tensor) -> Tensor:
    """The rate at int32 steps >= 0."""
    if not isinstance(schedule, Warmup):
        return _annealed(schedule, *locate(step))
    steps = schedule.steps
    if steps > LAST_STEP:
        return schedule.schedule(0) * (ops.cast(step, "float32") / float(steps))
    later = _rate(schedule.schedule, locate, ops.maximum(step - steps, 0))
    if steps == 0:
        return later
    return ops.where(step < steps, schedule.schedule(0) * (ops.cast(step, "float32") / steps), later)


def _annealed(schedule: WarmRestarts, index: Tensor, to_go: Tensor) -> Tensor:
    """The rate in the cycle of that index, where this share of the cycle is to go."""
    if schedule.cycles is not None:
        to_go = ops.where(index < min(schedule.cycles, LAST_STEP), to_go, 0.0)
    peak: Any = schedule.base_lr
    if schedule.peak_decay != 1.0:
        # A power of a rounded factor would be wrong after many cycles.
        decay = ops.exp(log(schedule.peak_decay) * ops.cast(index, "float32"))
        peak = ops.maximum(schedule.base_lr * decay, schedule.eta_min)
    weight = ops.square(ops.sin(pi / 2 * ops.clip(to_go, 0.0, 1.0)))
    extent = peak - schedule.eta_min
    # From the nearer end: exact at both.
    return ops.where(weight > 0.5, peak - extent * (1.0 - weight), schedule.eta_min + extent * weight)


def _cycles(schedule: WarmRestarts) -> Callable[[Tensor], Located]:
    """The function from int32 steps >= 0 to their cycles. Raises ValueError where no table can hold them."""
    T_0, T_mult = Fraction(schedule.T_0), Fraction(schedule.T_mult)
    if T_mult == 1 and 1 <= T_0 <= LAST_STEP:
        if T_0.denominator == 1:
            return _Equal(int(T_0))
        from sgdr.adapters.keras_real_cycles import EqualRealCycles

        return EqualRealCycles.of(T_0)
    last = schedule.cycle(LAST_STEP).index
    if last >= MOST_CYCLES:
        raise ValueError(
            f"T_0 and T_mult must give at most {MOST_CYCLES} cycles before step 2**31, or equal ones, a step "
            f"or longer, got T_0={schedule.T_0!r}, T_mult={schedule.T_mult!r}; use T_mult=1 or a longer T_0"
        )
    return GrowingCycles.of(schedule)


@dataclass(frozen=True)
class _Equal:
    """Cycles of `T_0` whole steps."""

    T_0: int

    def __call__(self, step: Tensor) -> Located:
        return step // self.T_0, ops.cast(self.T_0 - step % self.T_0, "float32") / self.T_0
